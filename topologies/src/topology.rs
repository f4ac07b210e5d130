//! The whole application as one topology.

use thalweg::dsl::StreamsBuilder;

use crate::serdes::Serdes;
use crate::{customer_orders, notification_sms, order_status, status_changes};

/// Describes all views and flows. The order of the calls gives nodes their numbers: add new flows at the end.
pub fn describe(builder: &StreamsBuilder, serdes: &Serdes) {
    let changes = order_status::describe(builder, serdes);
    status_changes::describe(changes.clone(), serdes);
    notification_sms::describe(builder, changes.clone(), serdes);
    customer_orders::describe(changes, serdes);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fixture::unasked;

    #[test]
    fn the_topology_is_what_the_operator_sees() {
        let builder = StreamsBuilder::new();
        describe(&builder, &unasked());
        let recipes = builder.build("orders").unwrap();
        assert_eq!(recipes.topology.describe(), include_str!("topology/describe.txt"));
        assert_eq!(recipes.topology.dot(), include_str!("topology/topology.dot"));
        let views: Vec<&str> = recipes.views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(views, ["order-status", "customer-orders"], "the phone numbers are no view");
    }
}
