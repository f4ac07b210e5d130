//! Contradictions between values that are each right.

use std::net::SocketAddr;

use super::settings::Values;

/// A rule over some keys; it is not asked when one of them is already wrong.
pub(super) struct Rule {
    /// The keys it looks at; a broken rule is reported at the first.
    pub keys: &'static [&'static str],
    /// The rule as the user reads it.
    pub text: &'static str,
    /// What to do.
    pub suggestion: &'static str,
    /// Whether the values keep it.
    pub holds: fn(&Values) -> bool,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        keys: &["kafka.group.heartbeat_interval_ms", "kafka.group.session_timeout_ms"],
        text: "must be at most a third of kafka.group.session_timeout_ms, or one lost heartbeat ends the membership",
        suggestion: "lower it, or raise kafka.group.session_timeout_ms",
        holds: |values| {
            let heartbeat = values.integer("kafka.group.heartbeat_interval_ms");
            heartbeat * 3 <= values.integer("kafka.group.session_timeout_ms")
        },
    },
    Rule {
        keys: &["application.commit_interval_ms", "kafka.group.rebalance_timeout_ms"],
        text: "must be below kafka.group.rebalance_timeout_ms, or a rebalance does not wait for a commit",
        suggestion: "lower it, or raise kafka.group.rebalance_timeout_ms",
        holds: |values| {
            let commit = values.integer("application.commit_interval_ms");
            commit < values.integer("kafka.group.rebalance_timeout_ms")
        },
    },
    Rule {
        keys: &["application.replication_factor"],
        text: "must not be 0: a topic without copies does not exist",
        suggestion: "write -1 for the broker's default, or 1 and more",
        holds: |values| values.integer("application.replication_factor") != 0,
    },
    Rule {
        keys: &["http.advertised", "http.bind"],
        text: "is required when http.bind is every address: other instances must know one",
        suggestion: "set it to host:port as other instances reach this one",
        holds: |values| {
            let bind = values.text("http.bind").and_then(|bind| bind.parse::<SocketAddr>().ok());
            values.text("http.advertised").is_some() || !bind.is_some_and(|bind| bind.ip().is_unspecified())
        },
    },
    Rule {
        keys: &["schema_registry.user", "schema_registry.password"],
        text: "and schema_registry.password go together",
        suggestion: "set both or neither",
        holds: |values| {
            values.text("schema_registry.user").is_some() == values.text("schema_registry.password").is_some()
        },
    },
    Rule {
        keys: &["schema_registry.url", "schema_registry.user"],
        text: "is required when schema_registry.user is set",
        suggestion: "set schema_registry.url",
        holds: |values| values.text("schema_registry.url").is_some() || values.text("schema_registry.user").is_none(),
    },
];
