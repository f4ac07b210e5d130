//! Predicates.

use std::str::FromStr;

use super::{UnknownFunction, integer, is_even, split};
use crate::case::Datum;

/// Decides about a record or a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// Always true.
    All,
    /// Never true.
    None,
    /// The value's number is even.
    Even,
    /// The value's number is above 0.
    Positive,
    /// The value's number is below this one.
    Less(i64),
    /// The key's number is even.
    KeyEven,
    /// The value is not null.
    NotNull,
}

impl FromStr for Predicate {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        let unknown = || UnknownFunction { family: "predicate", name: name.to_owned() };
        Ok(match split(name) {
            ("all", None) => Self::All,
            ("none", None) => Self::None,
            ("even", None) => Self::Even,
            ("positive", None) => Self::Positive,
            ("less", argument) => Self::Less(integer(argument, i64::MIN).ok_or_else(unknown)?),
            ("key_even", None) => Self::KeyEven,
            ("not_null", None) => Self::NotNull,
            _ => return Err(unknown()),
        })
    }
}

impl Predicate {
    /// Whether it holds.
    pub fn holds(&self, key: Option<&Datum>, value: Option<&Datum>) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Even => value.is_some_and(is_even),
            Self::Positive => value.is_some_and(|value| value.number() > 0),
            Self::Less(limit) => value.is_some_and(|value| value.number() < *limit),
            Self::KeyEven => key.is_some_and(is_even),
            Self::NotNull => value.is_some(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn predicates_are_those_of_the_table() {
        let (two, odd) = (Datum::String("ab".to_owned()), Datum::Int64(-1));
        let table = [
            ("all", [true, true, true]),
            ("none", [false, false, false]),
            ("even", [true, false, false]),
            ("positive", [true, false, false]),
            ("less:0", [false, true, false]),
            ("key_even", [false, true, false]),
            ("not_null", [true, true, false]),
        ];
        for (name, expected) in table {
            let predicate: Predicate = name.parse().unwrap();
            let holds = [
                predicate.holds(Some(&odd), Some(&two)),
                predicate.holds(Some(&two), Some(&odd)),
                predicate.holds(None, None),
            ];
            assert_eq!(holds, expected, "{name}");
        }
    }
}
