//! View `customer-orders`: the newest 50 orders of a customer with their states.

use thalweg::dsl::{Grouped, KStream, Materialized};

use crate::model::{Change, CustomerPage, OrderSummary, upsert};
use crate::serdes::Serdes;
use crate::topics::CUSTOMER_ORDERS_VIEW;

/// Describes the view; changes travel to their customer through a repartition topic.
pub fn describe(changes: KStream<String, Change>, serdes: &Serdes) {
    let pages = serdes.customer_page.clone();
    changes
        .flat_map(|_, change: Change| change.status.summary())
        .group_by_key(Grouped::with(serdes.id, serdes.order_summary.clone()).named(CUSTOMER_ORDERS_VIEW))
        .aggregate(
            move || pages.empty(),
            |_: &String, summary: OrderSummary, page: CustomerPage| page.edited(|page| upsert(page, &summary)),
            serdes.customer_page.clone(),
            Materialized::named(CUSTOMER_ORDERS_VIEW).view(),
        );
}

#[cfg(test)]
mod tests;
