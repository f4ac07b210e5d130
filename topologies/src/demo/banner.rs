//! What the demo prints when it is ready.

use crate::topics::{CUSTOMER_ORDERS_VIEW, ORDER_STATUS_VIEW};

/// Where the parts of the demo can be reached, and a key that has an answer.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The application, such as `http://127.0.0.1:8080`.
    pub http: String,
    /// `host:port` of the broker.
    pub bootstrap_servers: String,
    /// URL of the schema registry.
    pub schema_registry: String,
    /// An order that is known.
    pub order_id: String,
    /// A customer that is known.
    pub customer_id: String,
}

impl Endpoints {
    /// What to ask: an order, a customer's page, some orders.
    pub fn urls(&self) -> [String; 3] {
        let Self { http, order_id, customer_id, .. } = self;
        [
            format!("{http}/v1/views/{ORDER_STATUS_VIEW}/{order_id}"),
            format!("{http}/v1/views/{CUSTOMER_ORDERS_VIEW}/{customer_id}"),
            format!("{http}/v1/views/{ORDER_STATUS_VIEW}?limit=3"),
        ]
    }

    /// The three lines to try; each works in a shell as it stands.
    pub fn curl_lines(&self) -> [String; 3] {
        self.urls().map(|url| format!("curl -s '{url}'"))
    }

    /// The whole text.
    pub fn banner(&self) -> String {
        let [status, page, range] = self.curl_lines();
        format!(
            "\nThe application answers at {http}\n\n  \
             # where is this order?\n  {status}\n  \
             # the customer's page\n  {page}\n  \
             # some orders\n  {range}\n\n\
             Broker {broker}, schema registry {registry}. Stop with Ctrl-C.\n",
            http = self.http,
            broker = self.bootstrap_servers,
            registry = self.schema_registry,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_names_the_url_and_three_lines_to_try() {
        let endpoints = Endpoints {
            http: "http://127.0.0.1:8080".to_owned(),
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            schema_registry: "http://127.0.0.1:8081".to_owned(),
            order_id: "o-000001".to_owned(),
            customer_id: "c-0042".to_owned(),
        };
        let expected = "
The application answers at http://127.0.0.1:8080

  # where is this order?
  curl -s 'http://127.0.0.1:8080/v1/views/order-status/o-000001'
  # the customer's page
  curl -s 'http://127.0.0.1:8080/v1/views/customer-orders/c-0042'
  # some orders
  curl -s 'http://127.0.0.1:8080/v1/views/order-status?limit=3'

Broker 127.0.0.1:9092, schema registry http://127.0.0.1:8081. Stop with Ctrl-C.
";
        assert_eq!(endpoints.banner(), expected);
    }
}
