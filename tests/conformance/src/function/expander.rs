//! Expanders: any number of values from one.

use std::str::FromStr;

use super::{UnknownFunction, integer, is_even, split};
use crate::case::{Datum, Type};

/// Makes values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expander {
    /// None.
    Nothing,
    /// The value, so many times.
    Repeat(usize),
    /// Each byte of its text.
    Chars,
    /// Two numbers that make up its number.
    Halves,
    /// Nothing for an even number, else the value.
    NoneIfEven,
}

/// Most results of `repeat`.
const REPEATS_MAX: i64 = 3;

impl FromStr for Expander {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        let unknown = || UnknownFunction { family: "expander", name: name.to_owned() };
        Ok(match split(name) {
            ("nothing", None) => Self::Nothing,
            ("repeat", argument) => {
                let times = integer(argument, 1).filter(|times| *times <= REPEATS_MAX).ok_or_else(unknown)?;
                Self::Repeat(times as usize)
            }
            ("chars", None) => Self::Chars,
            ("halves", None) => Self::Halves,
            ("none_if_even", None) => Self::NoneIfEven,
            _ => return Err(unknown()),
        })
    }
}

impl Expander {
    /// Type of its results.
    pub fn result(&self, value: Type) -> Type {
        match self {
            Self::Nothing | Self::Repeat(_) | Self::NoneIfEven => value,
            Self::Chars => Type::String,
            Self::Halves => Type::Int64,
        }
    }

    /// Its results.
    pub fn apply(&self, value: Option<&Datum>) -> Vec<Option<Datum>> {
        match (self, value) {
            (Self::Nothing, _) | (Self::Chars | Self::Halves, None) => Vec::new(),
            (Self::Repeat(times), value) => vec![value.cloned(); *times],
            (Self::Chars, Some(value)) => value.text().chars().map(|c| Some(Datum::String(c.to_string()))).collect(),
            (Self::Halves, Some(value)) => {
                let half = value.number() / 2;
                vec![Some(Datum::Int64(half)), Some(Datum::Int64(value.number().wrapping_sub(half)))]
            }
            (Self::NoneIfEven, Some(value)) if is_even(value) => Vec::new(),
            (Self::NoneIfEven, value) => vec![value.cloned()],
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn expanders_are_those_of_the_table() {
        let value = Datum::Record { n: -3, s: "a".to_owned() };
        let numbers = |numbers: [i64; 2]| numbers.map(|number| Some(Datum::Int64(number))).to_vec();
        let texts = ["-", "3", "/", "a"].map(|text| Some(Datum::String(text.to_owned()))).to_vec();
        let table = [
            ("nothing", vec![], vec![]),
            ("repeat:2", vec![Some(value.clone()); 2], vec![None, None]),
            ("chars", texts, vec![]),
            ("halves", numbers([-1, -2]), vec![]),
            ("none_if_even", vec![Some(value.clone())], vec![None]),
        ];
        for (name, of_value, of_null) in table {
            let expander: Expander = name.parse().unwrap();
            assert_eq!(expander.apply(Some(&value)), of_value, "{name}");
            assert_eq!(expander.apply(None), of_null, "{name}");
        }
        assert_eq!(Expander::NoneIfEven.apply(Some(&Datum::Int64(0))), vec![]);
        assert!("repeat:4".parse::<Expander>().is_err());
    }
}
