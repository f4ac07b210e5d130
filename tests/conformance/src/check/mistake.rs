//! What can be wrong with a case, and where.

use std::fmt;

use super::Kind;
use crate::case::Type;
use crate::function::UnknownFunction;
use crate::node::Id;

/// A mistake in a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}, field '{field}': {mistake}")]
pub struct CaseError {
    /// Where.
    pub place: Place,
    /// In which field.
    pub field: &'static str,
    /// What is wrong.
    pub mistake: Mistake,
}

/// A place in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A topic.
    Topic(String),
    /// A node, by index and id; a `to` has none.
    Node(usize, Option<Id>),
    /// An input, by index.
    Input(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic '{name}'"),
            Self::Node(index, Some(id)) => write!(f, "node '{id}' (number {index})"),
            Self::Node(index, None) => write!(f, "node number {index}"),
            Self::Input(index) => write!(f, "input number {index}"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The id of no earlier node.
    #[error("no earlier node has the id '{0}'")]
    UnknownId(Id),
    /// The id of an earlier node.
    #[error("an earlier node has the id '{0}'")]
    DuplicateId(Id),
    /// A topic that the case does not list.
    #[error("the case has no topic '{0}'")]
    UnknownTopic(String),
    /// A topic that no node reads.
    #[error("no node reads topic '{0}'")]
    UnreadTopic(String),
    /// A node of another kind.
    #[error("'{id}' is a {is}, not a {wanted}")]
    Kind {
        /// Which.
        id: Id,
        /// What it is.
        is: Kind,
        /// What is needed.
        wanted: &'static str,
    },
    /// No such function.
    #[error(transparent)]
    Function(#[from] UnknownFunction),
    /// Another type.
    #[error("the type is {is:?}, not {wanted:?}")]
    Type {
        /// What it is.
        is: Type,
        /// What is needed.
        wanted: Type,
    },
    /// Against a rule of the format.
    #[error("{0}")]
    Rule(&'static str),
}
