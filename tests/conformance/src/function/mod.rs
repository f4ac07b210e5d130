//! The named functions of a case, pure and the same on both sides; `README.md` describes each.
//!
//! A name such as `mod:3` is parsed once; what it says then about types and values needs no text any more.

mod aggregator;
mod expander;
mod joiner;
mod mapper;
mod predicate;
mod processor;
mod reducer;
mod selector;

pub use aggregator::Aggregator;
pub use expander::Expander;
pub use joiner::Joiner;
pub use mapper::Mapper;
pub use predicate::Predicate;
pub use processor::Processor;
pub use reducer::Reducer;
pub use selector::Selector;

use crate::case::Datum;

/// A name that no function of its family has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {family} is named '{name}'")]
pub struct UnknownFunction {
    /// Such as "mapper".
    pub family: &'static str,
    /// The name, with its argument.
    pub name: String,
}

/// A function's name and its argument, if it has one.
fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(name, argument)| (name, Some(argument)))
}

/// A decimal integer of at least `min`, written as a program writes it.
fn integer(argument: Option<&str>, min: i64) -> Option<i64> {
    let argument = argument?;
    let number: i64 = argument.parse().ok()?;
    (number >= min && number.to_string() == argument).then_some(number)
}

/// Letters, digits and `-`, at least one.
fn word(argument: Option<&str>) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    argument.filter(|argument| !argument.is_empty() && argument.chars().all(is_word))
}

fn is_even(datum: &Datum) -> bool {
    datum.number() % 2 == 0
}

fn null_if_even(datum: Datum) -> Option<Datum> {
    (!is_even(&datum)).then_some(datum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_taken_only_as_described() {
        assert_eq!(integer(Some("-3"), i64::MIN), Some(-3));
        for bad in [None, Some(""), Some("+3"), Some("03"), Some("3 "), Some("99999999999999999999")] {
            assert_eq!(integer(bad, i64::MIN), None, "{bad:?}");
        }
        assert_eq!((integer(Some("0"), 1), integer(Some("1"), 1)), (None, Some(1)));
        assert_eq!(word(Some("a-1")), Some("a-1"));
        for bad in [None, Some(""), Some("a b"), Some("a:b")] {
            assert_eq!(word(bad), None, "{bad:?}");
        }
        assert!("mod".parse::<Mapper>().is_err());
        assert!("same:1".parse::<Mapper>().is_err());
        assert_eq!("nope".parse::<Selector>().map_err(|e| e.to_string()), Err("no selector is named 'nope'".into()));
    }
}
