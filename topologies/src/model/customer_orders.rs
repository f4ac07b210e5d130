//! The view `customer-orders`: the newest orders of one customer.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};
use thalweg::serde::{EncodedList, SerdeError};

use super::{Millis, OrderState, PaymentState, Text};

/// Most orders that the view keeps of a customer.
pub const ORDERS_MAX: usize = 50;

/// One order on the customer's page; value of the repartition topic, keyed by customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// Order id.
    pub order_id: Text,
    /// Store.
    pub store_id: Text,
    /// State of the order.
    pub state: OrderState,
    /// State of its payment, if any.
    pub payment_state: Option<PaymentState>,
    /// Total in minor units of the currency.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: Text,
    /// Pieces over all items.
    pub item_count: i64,
    /// When the order was placed.
    pub placed_at: Millis,
    /// Number of changes of the order so far; a lower one is older.
    pub revision: i64,
}

/// The newest [`ORDERS_MAX`] orders of one customer; value of the view `customer-orders`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerOrders {
    /// Newest placed first; equal times by order id, descending.
    pub orders: Vec<OrderSummary>,
}

/// [`CustomerOrders`] as its store keeps it: of fifty orders one changes at a time, so the others stay encoded.
pub type CustomerPage = EncodedList<OrderSummary>;

/// What decides the place of an order on the page.
#[derive(Deserialize)]
struct Place<'a> {
    order_id: &'a str,
    placed_at: Millis,
}

/// What tells whether an order is known as it is.
#[derive(Deserialize)]
struct Age {
    revision: i64,
}

/// Puts a summary in its place. An older revision than the known one is ignored, so that a replayed record
/// cannot turn the page back; an order older than a full page's oldest stays out.
pub fn upsert(page: &mut CustomerPage, summary: &OrderSummary) -> Result<(), SerdeError> {
    match place_of(page, summary)? {
        Ok(known) if page.get::<Age>(known)?.revision < summary.revision => page.replace(known, summary),
        Ok(_) => Ok(()),
        Err(place) if place < ORDERS_MAX => {
            page.insert(place, summary)?;
            page.truncate(ORDERS_MAX);
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

/// Where the order stands on the page, or else how many orders stand before it. An order is placed once, so its time
/// and id find it.
fn place_of(page: &CustomerPage, summary: &OrderSummary) -> Result<Result<usize, usize>, SerdeError> {
    let rank = (Reverse(summary.placed_at), Reverse(&*summary.order_id));
    let (mut from, mut to) = (0, page.len());
    while from < to {
        let middle = from.midpoint(to);
        let known: Place<'_> = page.get(middle)?;
        match (Reverse(known.placed_at), Reverse(known.order_id)).cmp(&rank) {
            Ordering::Less => from = middle + 1,
            Ordering::Equal => return Ok(Ok(middle)),
            Ordering::Greater => to = middle,
        }
    }
    Ok(Err(from))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixture::unasked;

    fn summary(order_id: &str, placed_at: Millis, revision: i64) -> OrderSummary {
        OrderSummary {
            order_id: order_id.into(),
            store_id: "s-1".into(),
            state: if revision == 1 { OrderState::Placed } else { OrderState::Accepted },
            payment_state: None,
            amount_minor: 500,
            currency: "USD".into(),
            item_count: 1,
            placed_at,
            revision,
        }
    }

    fn page(summaries: impl IntoIterator<Item = OrderSummary>) -> Vec<OrderSummary> {
        let mut page = unasked().customer_page.empty();
        summaries.into_iter().for_each(|summary| upsert(&mut page, &summary).unwrap());
        (0..page.len()).map(|index| page.get(index).unwrap()).collect()
    }

    fn ids(page: &[OrderSummary]) -> Vec<&str> {
        page.iter().map(|order| order.order_id.as_str()).collect()
    }

    #[test]
    fn the_first_order_makes_the_page() {
        assert_eq!(page([summary("a", 1, 1)]), [summary("a", 1, 1)]);
    }

    #[test]
    fn newest_placed_comes_first_whatever_the_arrival() {
        let page = page([summary("b", 2, 1), summary("d", 4, 1), summary("a", 1, 1), summary("c", 4, 1)]);
        assert_eq!(ids(&page), ["d", "c", "b", "a"]);
    }

    #[test]
    fn an_update_of_an_older_order_stays_in_its_place() {
        let page = page([summary("a", 1, 1), summary("b", 2, 1), summary("a", 1, 2)]);
        assert_eq!(page, [summary("b", 2, 1), summary("a", 1, 2)]);
    }

    #[test]
    fn an_older_revision_is_ignored() {
        let page = page([summary("a", 1, 3), summary("a", 1, 2)]);
        assert_eq!(page, [summary("a", 1, 3)]);
    }

    #[test]
    fn the_page_holds_the_newest_fifty() {
        let name = |at: i64| format!("o-{at:03}");
        let all = || (1..=60).map(|at| summary(&name(at), at, 1));
        let full = page(all());
        assert_eq!(full.len(), ORDERS_MAX);
        assert_eq!((ids(&full)[0], ids(&full)[49]), ("o-060", "o-011"));
        assert_eq!(page(all().chain([summary(&name(10), 10, 2)])), full, "an order that fell out stays out");
    }
}
