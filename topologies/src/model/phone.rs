//! A phone number that cannot be printed by accident.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Text;

/// A phone number. `Debug` hides it and there is no `Display`; only serdes see the digits.
///
/// It may appear in `order.events`, `notification.sms` and the private store `order-contact`, nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(Text);

impl Phone {
    /// Takes a number as the producer wrote it; it is passed on, never parsed.
    pub fn new(number: impl Into<Text>) -> Self {
        Self(number.into())
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(hidden)")
    }
}

/// Where to reach the customer of one order; value of the private store `order-contact`, never a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderContact {
    /// Phone number.
    pub phone: Phone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_hides_the_number() {
        let contact = OrderContact { phone: Phone::new("+12025550142") };
        assert_eq!(format!("{contact:?}"), "OrderContact { phone: Phone(hidden) }");
        assert!(!format!("{contact:#?}").contains("0142"));
    }
}
