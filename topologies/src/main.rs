//! Order and payment views on Thalweg.
fn main() {}
