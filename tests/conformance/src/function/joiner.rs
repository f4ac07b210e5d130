//! Joiners: a value from both sides of a join.

use std::str::FromStr;

use super::{UnknownFunction, split};
use crate::case::{Datum, Type};
use crate::datum::{made, made_text, text_of};

/// Joins two values, of which one may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joiner {
    /// Both texts.
    Pair,
    /// The sum of the numbers.
    Sum,
    /// Sum and pair.
    Record,
    /// The left value.
    Left,
    /// The right value.
    Right,
}

impl FromStr for Joiner {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        Ok(match split(name) {
            ("pair", None) => Self::Pair,
            ("sum", None) => Self::Sum,
            ("record", None) => Self::Record,
            ("left", None) => Self::Left,
            ("right", None) => Self::Right,
            _ => return Err(UnknownFunction { family: "joiner", name: name.to_owned() }),
        })
    }
}

impl Joiner {
    /// Type of its results.
    pub fn result(&self, left: Type, right: Type) -> Type {
        match self {
            Self::Pair => Type::String,
            Self::Sum => Type::Int64,
            Self::Record => Type::Record,
            Self::Left => left,
            Self::Right => right,
        }
    }

    /// Its result; `None` only when the side it passes on is missing.
    pub fn apply(&self, left: Option<&Datum>, right: Option<&Datum>) -> Option<Datum> {
        let number = |side: Option<&Datum>| side.map_or(0, Datum::number);
        let sum = || number(left).wrapping_add(number(right));
        let pair = || format!("{}|{}", text_of(left), text_of(right));
        match self {
            Self::Pair => Some(made(&pair())),
            Self::Sum => Some(Datum::Int64(sum())),
            Self::Record => Some(Datum::Record { n: sum(), s: made_text(&pair()) }),
            Self::Left => left.cloned(),
            Self::Right => right.cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_are_those_of_the_table() {
        let (left, right) = (Datum::Int64(2), Datum::String("abc".to_owned()));
        let both = |joiner: Joiner| joiner.apply(Some(&left), Some(&right));
        assert_eq!(both(Joiner::Pair), Some(Datum::String("2|abc".to_owned())));
        assert_eq!(both(Joiner::Sum), Some(Datum::Int64(5)));
        assert_eq!(both(Joiner::Record), Some(Datum::Record { n: 5, s: "2|abc".to_owned() }));
        assert_eq!(both(Joiner::Left), Some(left.clone()));
        assert_eq!(both(Joiner::Right), Some(right.clone()));
        assert_eq!(Joiner::Record.apply(None, Some(&right)), Some(Datum::Record { n: 3, s: "null|abc".to_owned() }));
        assert_eq!(Joiner::Left.apply(None, Some(&right)), None);
        assert_eq!(Joiner::Left.result(Type::Int64, Type::String), Type::Int64);
        assert_eq!(Joiner::Right.result(Type::Int64, Type::String), Type::String);
    }
}
