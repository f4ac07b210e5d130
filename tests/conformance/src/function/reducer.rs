//! Reducers: an aggregate and a value of one type.

use std::str::FromStr;

use super::{UnknownFunction, null_if_even, split};
use crate::case::Datum;
use crate::datum::{made, made_text};

/// Combines an aggregate with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reducer {
    /// Adds numbers, joins texts.
    Sum,
    /// The greater one.
    Max,
    /// The aggregate.
    First,
    /// The value.
    Last,
    /// As the sum, null where it is even.
    SumNullIfEven,
}

impl FromStr for Reducer {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        Ok(match split(name) {
            ("sum", None) => Self::Sum,
            ("max", None) => Self::Max,
            ("first", None) => Self::First,
            ("last", None) => Self::Last,
            ("sum_null_if_even", None) => Self::SumNullIfEven,
            _ => return Err(UnknownFunction { family: "reducer", name: name.to_owned() }),
        })
    }
}

impl Reducer {
    /// The aggregate with `value` put in.
    pub fn add(&self, aggregate: Datum, value: Datum) -> Option<Datum> {
        match self {
            Self::Sum => Some(sum(&aggregate, &value)),
            Self::SumNullIfEven => null_if_even(sum(&aggregate, &value)),
            Self::Max => {
                let rank = |datum: &Datum| (datum.number(), datum.text().into_owned());
                Some(if rank(&value) > rank(&aggregate) { value } else { aggregate })
            }
            Self::First => Some(aggregate),
            Self::Last => Some(value),
        }
    }

    /// The aggregate with `value` taken out.
    pub fn subtract(&self, aggregate: Datum, value: &Datum) -> Option<Datum> {
        match self {
            Self::Sum => Some(difference(aggregate, value)),
            Self::SumNullIfEven => null_if_even(difference(aggregate, value)),
            Self::Max | Self::First | Self::Last => Some(aggregate),
        }
    }
}

fn sum(aggregate: &Datum, value: &Datum) -> Datum {
    match (aggregate, value) {
        (Datum::Record { n, s }, Datum::Record { n: m, s: t }) => {
            Datum::Record { n: n.wrapping_add(*m), s: made_text(&format!("{s}{t}")) }
        }
        (Datum::Int64(n), Datum::Int64(m)) => Datum::Int64(n.wrapping_add(*m)),
        (aggregate, value) => made(&format!("{}{}", aggregate.text(), value.text())),
    }
}

fn difference(aggregate: Datum, value: &Datum) -> Datum {
    match (aggregate, value) {
        (Datum::Record { n, s }, Datum::Record { n: m, .. }) => Datum::Record { n: n.wrapping_sub(*m), s },
        (Datum::Int64(n), Datum::Int64(m)) => Datum::Int64(n.wrapping_sub(*m)),
        (aggregate, value) => made(&format!("{}-{}", aggregate.text(), value.text())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn text(text: &str) -> Datum {
        Datum::String(text.to_owned())
    }

    fn record(n: i64, s: &str) -> Datum {
        Datum::Record { n, s: s.to_owned() }
    }

    #[test]
    fn reducers_are_those_of_the_table() {
        let sum = |a, v| (Reducer::Sum.add(a, v)).unwrap();
        assert_eq!(sum(Datum::Int64(i64::MAX), Datum::Int64(1)), Datum::Int64(i64::MIN));
        assert_eq!(sum(text("a"), text("b")), text("ab"));
        assert_eq!(sum(record(1, "a"), record(2, "b")), record(3, "ab"));
        assert_eq!(Reducer::Sum.subtract(Datum::Int64(1), &Datum::Int64(3)), Some(Datum::Int64(-2)));
        assert_eq!(Reducer::Sum.subtract(text("a"), &text("b")), Some(text("a-b")));
        assert_eq!(Reducer::Sum.subtract(record(1, "a"), &record(3, "b")), Some(record(-2, "a")));
        let max = |a, v| Reducer::Max.add(a, v).unwrap();
        assert_eq!(max(text("b"), text("aa")), text("aa"));
        assert_eq!(max(text("b"), text("a")), text("b"));
        assert_eq!(max(record(1, "a"), record(1, "b")), record(1, "b"));
        assert_eq!(Reducer::First.add(text("a"), text("b")), Some(text("a")));
        assert_eq!(Reducer::Last.add(text("a"), text("b")), Some(text("b")));
        assert_eq!(Reducer::SumNullIfEven.add(text("a"), text("b")), None);
        assert_eq!(Reducer::SumNullIfEven.add(text("ab"), text("c")), Some(text("abc")));
        assert_eq!(Reducer::SumNullIfEven.subtract(Datum::Int64(3), &Datum::Int64(1)), None);
        for same in [Reducer::Max, Reducer::First, Reducer::Last] {
            assert_eq!(same.subtract(text("a"), &text("bb")), Some(text("a")));
        }
    }
}
