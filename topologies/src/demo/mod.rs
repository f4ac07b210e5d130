//! The demo: an embedded schema registry, a generator of orders and payments, what is printed.
