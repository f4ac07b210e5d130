//! Aggregators: an aggregate of a type of its own.

use std::str::FromStr;

use super::{UnknownFunction, null_if_even, split};
use crate::case::{Datum, Type};
use crate::datum::{made, made_text};

/// Folds values into an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aggregator {
    /// How many.
    Count,
    /// The sum of the numbers.
    Sum,
    /// The texts, one after the other.
    Text,
    /// Number and text of the last one.
    Last,
    /// As the sum, null where it is even.
    SumNullIfEven,
    /// The texts of keys and values.
    KeySum,
}

impl FromStr for Aggregator {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        Ok(match split(name) {
            ("count", None) => Self::Count,
            ("sum", None) => Self::Sum,
            ("text", None) => Self::Text,
            ("last", None) => Self::Last,
            ("sum_null_if_even", None) => Self::SumNullIfEven,
            ("key_sum", None) => Self::KeySum,
            _ => return Err(UnknownFunction { family: "aggregator", name: name.to_owned() }),
        })
    }
}

impl Aggregator {
    /// Type of the aggregate.
    pub fn result(&self) -> Type {
        self.initial().kind()
    }

    /// The aggregate of nothing.
    pub fn initial(&self) -> Datum {
        match self {
            Self::Count | Self::Sum | Self::SumNullIfEven => Datum::Int64(0),
            Self::Text | Self::KeySum => Datum::String(String::new()),
            Self::Last => Datum::Record { n: 0, s: String::new() },
        }
    }

    /// The aggregate with `value` put in.
    pub fn add(&self, key: &Datum, value: &Datum, aggregate: Datum) -> Option<Datum> {
        let total = || Datum::Int64(aggregate.number().wrapping_add(value.number()));
        match self {
            Self::Count => Some(Datum::Int64(aggregate.number().wrapping_add(1))),
            Self::Sum => Some(total()),
            Self::SumNullIfEven => null_if_even(total()),
            Self::Text => Some(made(&format!("{}+{}", aggregate.text(), value.text()))),
            Self::Last => Some(Datum::Record { n: value.number(), s: made_text(&value.text()) }),
            Self::KeySum => Some(made(&format!("{}{}{}", aggregate.text(), key.text(), value.text()))),
        }
    }

    /// The aggregate with `value` taken out.
    pub fn subtract(&self, value: &Datum, aggregate: Datum) -> Option<Datum> {
        let rest = || Datum::Int64(aggregate.number().wrapping_sub(value.number()));
        match self {
            Self::Count => Some(Datum::Int64(aggregate.number().wrapping_sub(1))),
            Self::Sum => Some(rest()),
            Self::SumNullIfEven => null_if_even(rest()),
            Self::Text => Some(made(&format!("{}-{}", aggregate.text(), value.text()))),
            Self::Last => match aggregate {
                Datum::Record { n, s } => Some(Datum::Record { n: n.wrapping_sub(1), s }),
                other => Some(other),
            },
            Self::KeySum => Some(aggregate),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn aggregators_are_those_of_the_table() {
        let (key, value) = (Datum::Int64(7), Datum::String("abc".to_owned()));
        let text = |text: &str| Datum::String(text.to_owned());
        let record = |n, s: &str| Datum::Record { n, s: s.to_owned() };
        let table = [
            ("count", Datum::Int64(0), Some(Datum::Int64(1)), Some(Datum::Int64(0))),
            ("sum", Datum::Int64(0), Some(Datum::Int64(3)), Some(Datum::Int64(0))),
            ("text", text(""), Some(text("+abc")), Some(text("+abc-abc"))),
            ("last", record(0, ""), Some(record(3, "abc")), Some(record(2, "abc"))),
            ("sum_null_if_even", Datum::Int64(0), Some(Datum::Int64(3)), None),
            ("key_sum", text(""), Some(text("7abc")), Some(text("7abc"))),
        ];
        for (name, initial, added, subtracted) in table {
            let aggregator: Aggregator = name.parse().unwrap();
            assert_eq!((aggregator.initial(), aggregator.result()), (initial.clone(), initial.kind()), "{name}");
            assert_eq!(aggregator.add(&key, &value, initial), added, "{name}");
            assert_eq!(added.and_then(|added| aggregator.subtract(&value, added)), subtracted, "{name}");
        }
    }
}
