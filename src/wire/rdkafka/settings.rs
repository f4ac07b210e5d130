//! Client settings: the user's pass-through maps, our rules over them, and the configuration made of both.

use std::collections::BTreeMap;

use super::native::{ClientType, Conf, SetError};
use crate::wire::Prefetch;

/// What the clients of one cluster are made of; keys are librdkafka's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `host:port` of some brokers, separated by commas.
    pub bootstrap_servers: String,
    /// Settings of every client: security, timeouts, debugging.
    pub common: BTreeMap<String, String>,
    /// Settings of consumers; they win over `common`.
    pub consumer: BTreeMap<String, String>,
    /// Settings of producers; they win over `common`.
    pub producer: BTreeMap<String, String>,
}

/// The map of [`Settings`] that a setting stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// [`Settings::common`].
    Common,
    /// [`Settings::consumer`].
    Consumer,
    /// [`Settings::producer`].
    Producer,
}

/// A setting that contradicts a required one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{key}' cannot be set: {reason}")]
pub struct ForbiddenSetting {
    /// Name of the setting.
    pub key: String,
    /// What depends on it.
    pub reason: String,
}

/// A mistake in [`Settings`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It contradicts a required setting.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenSetting),
    /// librdkafka has no setting of this name.
    #[error("'{key}' is not a setting of librdkafka")]
    Unknown {
        /// Name of the setting.
        key: String,
    },
    /// librdkafka does not take the value.
    #[error("'{key}' has a wrong value: {reason}")]
    Invalid {
        /// Name of the setting.
        key: String,
        /// What librdkafka said.
        reason: String,
    },
}

/// How free the user is.
enum Freedom {
    /// The value is required.
    None,
    /// Any number in the range.
    Within(i64, i64),
    /// Any value; ours is a default.
    Full,
}

struct Rule {
    key: &'static str,
    value: &'static str,
    freedom: Freedom,
    reason: &'static str,
}

const fn required(key: &'static str, value: &'static str, reason: &'static str) -> Rule {
    Rule { key, value, freedom: Freedom::None, reason }
}

const fn within(key: &'static str, value: &'static str, low: i64, high: i64, reason: &'static str) -> Rule {
    Rule { key, value, freedom: Freedom::Within(low, high), reason }
}

const fn default(key: &'static str, value: &'static str) -> Rule {
    Rule { key, value, freedom: Freedom::Full, reason: "" }
}

/// Settings that are never the user's, with the reason.
const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "the brokers are given as bootstrap_servers"),
    ("metadata.broker.list", "the brokers are given as bootstrap_servers"),
    ("client.id", "every client gets a name of its own"),
    ("group.id", "consumers are assigned partitions and never join a group"),
    ("group.instance.id", "consumers are assigned partitions and never join a group"),
    ("group.protocol", "consumers are assigned partitions and never join a group"),
    ("auto.commit.enable", "offsets are committed together with the state they led to"),
    ("transactional.id", "the transactional id belongs to the stream thread"),
    ("test.mock.num.brokers", "the embedded broker is started by its own type"),
];

const COMMON: &[Rule] = &[
    required("allow.auto.create.topics", "false", "a mistyped topic must fail, not appear"),
    required("log.queue", "false", "librdkafka's threads log directly, nobody serves a queue of log lines"),
    // The default lets a client sleep 10 s after a broker is back.
    default("reconnect.backoff.max.ms", "1000"),
];

// The bounds of prefetching are per partition, since each has its own queue.
const CONSUMER: &[Rule] = &[
    required("enable.auto.commit", "false", "offsets are committed together with the state they led to"),
    required("enable.auto.offset.store", "false", "positions are tracked by the tasks, not by the client"),
    required("auto.offset.reset", "error", "a lost offset must be seen, not jumped over"),
    required("isolation.level", "read_committed", "records of aborted transactions must not be processed"),
    required("check.crcs", "true", "a damaged batch must be refetched, not processed"),
    required("enable.partition.eof", "true", "the end of a partition drives restore and the choice of records"),
    within("fetch.wait.max.ms", "20", 10, 50, "a newly assigned partition waits for the fetch in flight"),
    within("fetch.queue.backoff.ms", "1", 1, 10, "a partition that was full stops for this long after it was read"),
    default("queued.min.messages", "10000"),
    default("queued.max.messages.kbytes", "8192"),
];

const PRODUCER: &[Rule] = &[
    required("enable.idempotence", "true", "a retry must neither repeat nor reorder records"),
    required("acks", "all", "an acknowledged record must survive the loss of a broker"),
    within("retry.backoff.ms", "1", 1, 100, "a transaction meets the markers of the one before and retries"),
    within("message.timeout.ms", "120000", 1000, 3_600_000, "a record that cannot be sent must fail at some time"),
    default("linger.ms", "5"),
    default("queue.buffering.max.kbytes", "32768"),
    // A dead letter is a record that a broker took (1 MiB by default) and a few headers more.
    default("message.max.bytes", "2097152"),
];

fn rules(client_type: ClientType) -> impl Iterator<Item = &'static Rule> + Clone {
    let own = match client_type {
        ClientType::Consumer => CONSUMER,
        ClientType::Producer => PRODUCER,
    };
    COMMON.iter().chain(own)
}

/// The names of all settings of librdkafka, for suggestions.
pub fn setting_names() -> Vec<String> {
    Conf::new().names()
}

/// Every mistake in `settings`, in the order of the maps and of their keys.
pub fn check_settings(settings: &Settings) -> Vec<(Table, SettingError)> {
    let everywhere: Vec<&Rule> = COMMON.iter().chain(CONSUMER).chain(PRODUCER).collect();
    let consumer: Vec<&Rule> = rules(ClientType::Consumer).collect();
    let producer: Vec<&Rule> = rules(ClientType::Producer).collect();
    let tables = [
        (Table::Common, &settings.common, everywhere),
        (Table::Consumer, &settings.consumer, consumer),
        (Table::Producer, &settings.producer, producer),
    ];
    tables
        .into_iter()
        .flat_map(|(table, map, rules)| {
            map.iter().filter_map(move |(key, value)| Some((table, check(key, value, &rules)?)))
        })
        .collect()
}

/// The mistake in one setting, if there is one.
fn check(key: &str, value: &str, rules: &[&Rule]) -> Option<SettingError> {
    let forbidden = |reason: String| Some(ForbiddenSetting { key: key.to_owned(), reason }.into());
    if let Some((_, reason)) = OWNED.iter().find(|(owned, _)| *owned == key) {
        return forbidden((*reason).to_owned());
    }
    let mut conf = Conf::new();
    match conf.set(key, value) {
        Ok(()) => {}
        Err(SetError::Unknown) => return Some(SettingError::Unknown { key: key.to_owned() }),
        Err(SetError::Invalid(reason)) => return Some(SettingError::Invalid { key: key.to_owned(), reason }),
    }
    // A name can be another one's alias and a value has several spellings, so the values read back are compared.
    for rule in rules {
        let given = conf.get(rule.key);
        if given == Conf::new().get(rule.key) && rule.key != key {
            continue;
        }
        match rule.freedom {
            Freedom::None if given != canonical(rule) => {
                return forbidden(format!("it must be {} because {}", rule.value, rule.reason));
            }
            Freedom::Within(low, high) if !given.is_some_and(|v| v.parse().is_ok_and(|v| low <= v && v <= high)) => {
                return forbidden(format!("it must be between {low} and {high} because {}", rule.reason));
            }
            Freedom::None | Freedom::Within(..) | Freedom::Full => {}
        }
    }
    None
}

/// The rule's value in librdkafka's spelling.
fn canonical(rule: &Rule) -> Option<String> {
    let mut conf = Conf::new();
    conf.set(rule.key, rule.value).ok()?;
    conf.get(rule.key)
}

/// The configuration of one client: our defaults, the user's settings, then what is required.
pub(super) fn conf(settings: &Settings, client_type: ClientType, client_id: &str) -> Result<Conf, String> {
    let own = match client_type {
        ClientType::Consumer => &settings.consumer,
        ClientType::Producer => &settings.producer,
    };
    let ours = |fixed: bool| {
        rules(client_type)
            .filter(move |rule| matches!(rule.freedom, Freedom::None) == fixed)
            .map(|rule| (rule.key, rule.value))
    };
    let users = settings.common.iter().chain(own).map(|(key, value)| (key.as_str(), value.as_str()));
    let named = [("bootstrap.servers", settings.bootstrap_servers.as_str()), ("client.id", client_id)];
    let mut conf = Conf::new();
    for (key, value) in ours(false).chain(users).chain(ours(true)).chain(named) {
        conf.set(key, value).map_err(|error| match error {
            SetError::Unknown => format!("'{key}' is not a setting of librdkafka"),
            SetError::Invalid(reason) => reason,
        })?;
    }
    Ok(conf)
}

/// The settings of a consumer that fetches ahead no further than `prefetch`, unless the user says how far.
pub(super) fn bounded(settings: &Settings, prefetch: Prefetch) -> Settings {
    let bounds = [
        ("queued.max.messages.kbytes", prefetch.bytes.div_ceil(1 << 10)),
        ("queued.min.messages", prefetch.records),
        ("fetch.message.max.bytes", prefetch.fetch_bytes),
    ];
    let mut bounded = settings.clone();
    for (key, bound) in bounds {
        if !settings.common.contains_key(key) {
            bounded.consumer.entry(key.to_owned()).or_insert_with(|| bound.max(1).to_string());
        }
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn keys(settings: &Settings) -> Vec<String> {
        check_settings(settings)
            .into_iter()
            .map(|(table, error)| {
                let (kind, key) = match error {
                    SettingError::Forbidden(ForbiddenSetting { key, .. }) => ("forbidden", key),
                    SettingError::Unknown { key } => ("unknown", key),
                    SettingError::Invalid { key, .. } => ("invalid", key),
                };
                format!("{table:?} {kind} {key}")
            })
            .collect()
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let settings = Settings {
            bootstrap_servers: String::new(),
            common: map(&[("client.id", "x"), ("isolation.level", "read_uncommitted"), ("sockt.timeout.ms", "1")]),
            consumer: map(&[("auto.offset.reset", "earliest"), ("fetch.wait.max.ms", "500"), ("group.id", "g")]),
            producer: map(&[("linger.ms", "soon"), ("request.required.acks", "1")]),
        };
        let expected = [
            "Common forbidden client.id",
            "Common forbidden isolation.level",
            "Common unknown sockt.timeout.ms",
            "Consumer forbidden auto.offset.reset",
            "Consumer forbidden fetch.wait.max.ms",
            "Consumer forbidden group.id",
            "Producer invalid linger.ms",
            "Producer forbidden request.required.acks",
        ];
        assert_eq!(keys(&settings), expected);
    }

    #[test]
    fn settings_that_agree_with_ours_or_are_free_pass() {
        let settings = Settings {
            bootstrap_servers: String::new(),
            common: map(&[("security.protocol", "sasl_ssl"), ("check.crcs", "t")]),
            consumer: map(&[("fetch.wait.max.ms", "50"), ("queued.min.messages", "10")]),
            producer: map(&[("acks", "-1"), ("linger.ms", "20"), ("compression.type", "lz4")]),
        };
        assert_eq!(keys(&settings), Vec::<String>::new());
    }

    #[test]
    fn a_bounded_consumer_fetches_no_further_unless_the_user_says_so() {
        let prefetch = Prefetch { bytes: 100_000, records: 50, fetch_bytes: 30_000 };
        let settings = Settings { consumer: map(&[("queued.min.messages", "7")]), ..Settings::default() };
        let bounded = bounded(&settings, prefetch);
        let value = |key| conf(&bounded, ClientType::Consumer, "me").ok().and_then(|conf| conf.get(key));
        assert_eq!(value("queued.max.messages.kbytes").as_deref(), Some("98"));
        assert_eq!(value("queued.min.messages").as_deref(), Some("7"));
        assert_eq!(value("fetch.message.max.bytes").as_deref(), Some("30000"));
    }

    #[test]
    fn required_values_win_and_the_users_win_over_defaults() {
        let settings = Settings {
            bootstrap_servers: "b:1".to_owned(),
            common: map(&[("linger.ms", "7")]),
            consumer: map(&[("check.crcs", "false")]),
            producer: map(&[("linger.ms", "9")]),
        };
        let value = |client_type, key| conf(&settings, client_type, "me").ok().and_then(|conf| conf.get(key));
        assert_eq!(value(ClientType::Consumer, "check.crcs").as_deref(), Some("true"));
        assert_eq!(value(ClientType::Consumer, "auto.offset.reset").as_deref(), Some("error"));
        assert_eq!(value(ClientType::Consumer, "client.id").as_deref(), Some("me"));
        assert_eq!(value(ClientType::Producer, "linger.ms").as_deref(), Some("9"));
        assert_eq!(value(ClientType::Producer, "acks").as_deref(), Some("-1"));
    }
}
