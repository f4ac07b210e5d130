//! Selectors: a key from a key and a value.

use std::str::FromStr;

use super::{UnknownFunction, integer, is_even, split};
use crate::case::{Datum, Type};
use crate::datum::made;

/// Makes a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The key.
    Key,
    /// The value's text.
    Text,
    /// The value's number.
    Number,
    /// The value's number modulo this one.
    Mod(i64),
    /// The key's number modulo this one.
    KeyMod(i64),
    /// The key's text.
    KeyText,
    /// Null for a value with an even number, else the key.
    NullIfEven,
}

impl FromStr for Selector {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        let unknown = || UnknownFunction { family: "selector", name: name.to_owned() };
        Ok(match split(name) {
            ("key", None) => Self::Key,
            ("text", None) => Self::Text,
            ("number", None) => Self::Number,
            ("mod", argument) => Self::Mod(integer(argument, 1).ok_or_else(unknown)?),
            ("key_mod", argument) => Self::KeyMod(integer(argument, 1).ok_or_else(unknown)?),
            ("key_text", None) => Self::KeyText,
            ("null_if_even", None) => Self::NullIfEven,
            _ => return Err(unknown()),
        })
    }
}

impl Selector {
    /// Type of its results.
    pub fn result(&self, key: Type) -> Type {
        match self {
            Self::Key | Self::NullIfEven => key,
            Self::Text | Self::KeyText => Type::String,
            Self::Number | Self::Mod(_) | Self::KeyMod(_) => Type::Int64,
        }
    }

    /// Its result.
    pub fn apply(&self, key: Option<&Datum>, value: Option<&Datum>) -> Option<Datum> {
        match self {
            Self::Key => key.cloned(),
            Self::Text => value.map(|value| made(&value.text())),
            Self::Number => value.map(|value| Datum::Int64(value.number())),
            Self::Mod(modulus) => value.map(|value| Datum::Int64(value.number().rem_euclid(*modulus))),
            Self::KeyMod(modulus) => key.map(|key| Datum::Int64(key.number().rem_euclid(*modulus))),
            Self::KeyText => key.map(|key| made(&key.text())),
            Self::NullIfEven => key.filter(|_| !value.is_some_and(is_even)).cloned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_those_of_the_table() {
        let (key, value) = (Datum::Int64(7), Datum::String("abcd".to_owned()));
        let text = |text: &str| Some(Datum::String(text.to_owned()));
        let number = |number| Some(Datum::Int64(number));
        let table = [
            ("key", number(7), number(7), None),
            ("text", text("abcd"), None, text("abcd")),
            ("number", number(4), None, number(4)),
            ("mod:3", number(1), None, number(1)),
            ("key_mod:5", number(2), number(2), None),
            ("key_text", text("7"), text("7"), None),
            ("null_if_even", None, number(7), None),
        ];
        for (name, of_both, of_key, of_value) in table {
            let selector: Selector = name.parse().unwrap();
            assert_eq!(selector.apply(Some(&key), Some(&value)), of_both, "{name}");
            assert_eq!(selector.apply(Some(&key), None), of_key, "{name}");
            assert_eq!(selector.apply(None, Some(&value)), of_value, "{name}");
            if let Some(result) = of_both {
                assert_eq!(selector.result(Type::Int64), result.kind(), "{name}");
            }
        }
        assert_eq!(Selector::NullIfEven.apply(Some(&key), Some(&Datum::Int64(3))), number(7));
    }
}
