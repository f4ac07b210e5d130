//! Mappers: a value from a key and a value.

use std::str::FromStr;

use super::{UnknownFunction, integer, null_if_even, split, word};
use crate::case::{Datum, Type};
use crate::datum::{made, made_text, text_of};

/// Makes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapper {
    /// The value.
    Same,
    /// Its text.
    Text,
    /// Its text in upper case.
    Upper,
    /// Its text after a prefix.
    Prefix(String),
    /// Its number.
    Number,
    /// Its number and this one.
    Add(i64),
    /// Its number modulo this one.
    Mod(i64),
    /// 0 minus its number.
    Negate,
    /// Its number and its text.
    Record,
    /// The texts of key and value.
    KeyText,
    /// Null.
    Null,
    /// Null for an even number, else the value.
    NullIfEven,
}

impl FromStr for Mapper {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        let unknown = || UnknownFunction { family: "mapper", name: name.to_owned() };
        Ok(match split(name) {
            ("same", None) => Self::Same,
            ("text", None) => Self::Text,
            ("upper", None) => Self::Upper,
            ("prefix", argument) => Self::Prefix(word(argument).ok_or_else(unknown)?.to_owned()),
            ("number", None) => Self::Number,
            ("add", argument) => Self::Add(integer(argument, i64::MIN).ok_or_else(unknown)?),
            ("mod", argument) => Self::Mod(integer(argument, 1).ok_or_else(unknown)?),
            ("negate", None) => Self::Negate,
            ("record", None) => Self::Record,
            ("key_text", None) => Self::KeyText,
            ("null", None) => Self::Null,
            ("null_if_even", None) => Self::NullIfEven,
            _ => return Err(unknown()),
        })
    }
}

impl Mapper {
    /// Type of its results.
    pub fn result(&self, value: Type) -> Type {
        match self {
            Self::Same | Self::Null | Self::NullIfEven => value,
            Self::Text | Self::Upper | Self::Prefix(_) | Self::KeyText => Type::String,
            Self::Number | Self::Add(_) | Self::Mod(_) | Self::Negate => Type::Int64,
            Self::Record => Type::Record,
        }
    }

    /// Whether it may turn a value into null.
    pub fn makes_null(&self) -> bool {
        matches!(self, Self::Null | Self::NullIfEven)
    }

    /// Its result.
    pub fn apply(&self, key: Option<&Datum>, value: Option<&Datum>) -> Option<Datum> {
        match self {
            Self::KeyText => return Some(made(&format!("{}:{}", text_of(key), text_of(value)))),
            Self::Null => return None,
            _ => {}
        }
        let value = value?;
        let number = || value.number();
        match self {
            Self::Same => Some(value.clone()),
            Self::Text => Some(made(&value.text())),
            Self::Upper => Some(made(&value.text().to_ascii_uppercase())),
            Self::Prefix(prefix) => Some(made(&format!("{prefix}{}", value.text()))),
            Self::Number => Some(Datum::Int64(number())),
            Self::Add(addend) => Some(Datum::Int64(number().wrapping_add(*addend))),
            Self::Mod(modulus) => Some(Datum::Int64(number().rem_euclid(*modulus))),
            Self::Negate => Some(Datum::Int64(number().wrapping_neg())),
            Self::Record => Some(Datum::Record { n: number(), s: made_text(&value.text()) }),
            Self::NullIfEven => null_if_even(value.clone()),
            Self::KeyText | Self::Null => unreachable!("answered above"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn mappers_are_those_of_the_table() {
        let (key, three) = (Datum::Int64(7), Datum::String("aBc".to_owned()));
        let text = |text: &str| Some(Datum::String(text.to_owned()));
        let table = [
            ("same", text("aBc"), None),
            ("text", text("aBc"), None),
            ("upper", text("ABC"), None),
            ("prefix:p-1", text("p-1aBc"), None),
            ("number", Some(Datum::Int64(3)), None),
            ("add:-4", Some(Datum::Int64(-1)), None),
            ("mod:2", Some(Datum::Int64(1)), None),
            ("negate", Some(Datum::Int64(-3)), None),
            ("record", Some(Datum::Record { n: 3, s: "aBc".to_owned() }), None),
            ("key_text", text("7:aBc"), text("7:null")),
            ("null", None, None),
            ("null_if_even", text("aBc"), None),
        ];
        for (name, of_three, of_null) in table {
            let mapper: Mapper = name.parse().unwrap();
            assert_eq!(mapper.apply(Some(&key), Some(&three)), of_three, "{name}");
            assert_eq!(mapper.apply(Some(&key), None), of_null, "{name}");
            if let Some(result) = of_three {
                assert_eq!(mapper.result(Type::String), result.kind(), "{name}");
            }
        }
        let mapper: Mapper = "mod:3".parse().unwrap();
        assert_eq!(mapper.apply(None, Some(&Datum::Int64(-1))), Some(Datum::Int64(2)));
        let mapper: Mapper = "negate".parse().unwrap();
        assert_eq!(mapper.apply(None, Some(&Datum::Int64(i64::MIN))), Some(Datum::Int64(i64::MIN)));
        assert_eq!(Mapper::NullIfEven.apply(None, Some(&Datum::Int64(-2))), None);
    }
}
