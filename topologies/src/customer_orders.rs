//! View `customer-orders`: the newest 50 orders of a customer with their states.

use thalweg::dsl::{Grouped, KStream, Materialized};

use crate::model::{Change, CustomerOrders, OrderSummary, upsert};
use crate::serdes::Serdes;
use crate::topics::CUSTOMER_ORDERS_VIEW;

/// Describes the view; changes travel to their customer through a repartition topic.
pub fn describe(changes: KStream<String, Change>, serdes: &Serdes) {
    changes
        .flat_map(|_, change: Change| change.status.summary())
        .group_by_key(Grouped::with(serdes.id, serdes.order_summary.clone()).named(CUSTOMER_ORDERS_VIEW))
        .aggregate(
            CustomerOrders::default,
            |_: &String, summary: OrderSummary, page| upsert(Some(page), &summary),
            serdes.customer_orders.clone(),
            Materialized::named(CUSTOMER_ORDERS_VIEW).view(),
        );
}

#[cfg(test)]
mod tests;
