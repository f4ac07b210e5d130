//! The topologies that both sides run, by name.

use clap::ValueEnum;
use serde::Serialize;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// A filter that keeps all, new values, a sink.
    Passthrough,
    /// The number of records of each key.
    Count,
    /// The latest value of each key.
    Aggregate,
    /// The same in an in-memory store.
    AggregateMemory,
    /// A stream joined with a table that is loaded first.
    Join,
    /// A table that changes, joined with a table that is loaded first.
    TableJoin,
    /// New keys through a repartition topic, counted.
    Repartition,
    /// The stores of `count` and `aggregate` from their changelogs, after a wipe.
    Restore,
    /// The order and payment application (ours alone).
    Orders,
}

impl Topology {
    /// All, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Passthrough,
        Self::Count,
        Self::Aggregate,
        Self::AggregateMemory,
        Self::Join,
        Self::TableJoin,
        Self::Repartition,
        Self::Restore,
        Self::Orders,
    ];

    /// The word on command lines and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Count => "count",
            Self::Aggregate => "aggregate",
            Self::AggregateMemory => "aggregate-memory",
            Self::Join => "join",
            Self::TableJoin => "table-join",
            Self::Repartition => "repartition",
            Self::Restore => "restore",
            Self::Orders => "orders",
        }
    }

    /// The stores of the sub-topology that has stores, in the order of their declaration. `orders` has its own checks.
    pub const fn stores(self) -> &'static [&'static str] {
        match self {
            Self::Passthrough | Self::Restore | Self::Orders => &[],
            Self::Count | Self::Aggregate | Self::AggregateMemory | Self::Repartition => &["store"],
            Self::Join => &["table"],
            Self::TableJoin => &["left", "right"],
        }
    }

    /// Whether it reads the table topic.
    pub const fn reads_table(self) -> bool {
        matches!(self, Self::Join | Self::TableJoin)
    }

    /// Whether the record cache has work in it.
    pub const fn is_stateful(self) -> bool {
        !matches!(self, Self::Passthrough)
    }

    /// The name of its repartition topic below the application id.
    pub const fn repartition(self) -> Option<&'static str> {
        match self {
            Self::Repartition => Some(REVERSED),
            Self::Orders => Some(orders::topics::CUSTOMER_ORDERS_VIEW),
            _ => None,
        }
    }
}

/// Name of the grouping of `repartition`.
pub const REVERSED: &str = "by-reversed";

/// What one process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Thalweg.
    Ours,
    /// Kafka Streams.
    Theirs,
}

impl Side {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "Thalweg",
            Self::Theirs => "Kafka Streams",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for topology in Topology::ALL {
            assert_eq!(topology.to_possible_value().unwrap().get_name(), topology.name());
        }
        assert_eq!(Topology::value_variants(), Topology::ALL);
    }
}
