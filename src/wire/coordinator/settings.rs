//! What the coordinator connections need to know, taken from the client settings.

use std::time::Duration;

use super::fatal;
use crate::wire::Error;

/// Settings of the coordinator connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// `host:port` of some brokers.
    pub bootstrap_servers: Vec<String>,
    /// Name in the brokers' logs.
    pub client_id: String,
    /// Bound for one attempt to connect.
    pub connect_timeout: Duration,
    /// Bound for one request, rebalances aside: those take as long as the group's rebalance timeout.
    pub request_timeout: Duration,
    /// Largest answer in bytes; librdkafka's default is 100,000,000.
    pub frame_bytes_max: usize,
}

impl CoordinatorSettings {
    /// Picks its part of the client settings, which have librdkafka's names: `bootstrap.servers` (required), `client.id`,
    /// `socket.connection.setup.timeout.ms`, `socket.timeout.ms`, `receive.message.max.bytes`, `security.protocol`.
    ///
    /// Only `plaintext` is possible: any other `security.protocol` is a fatal error, as is a value that cannot be read.
    pub fn from_client<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut chosen = Self {
            bootstrap_servers: Vec::new(),
            client_id: "thalweg".to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            frame_bytes_max: 100_000_000,
        };
        for (key, value) in settings {
            match key {
                "bootstrap.servers" | "metadata.broker.list" => {
                    let servers = value.split(',').map(str::trim).filter(|server| !server.is_empty());
                    chosen.bootstrap_servers = servers.map(str::to_owned).collect();
                }
                "client.id" => chosen.client_id = value.to_owned(),
                "socket.connection.setup.timeout.ms" => chosen.connect_timeout = millis(key, value)?,
                "socket.timeout.ms" => chosen.request_timeout = millis(key, value)?,
                "receive.message.max.bytes" => chosen.frame_bytes_max = number(key, value)?,
                "security.protocol" if !value.eq_ignore_ascii_case("plaintext") => {
                    let reason = format!(
                        "security.protocol={value} is not supported by the group coordinator connection, which speaks plaintext only; set security.protocol=plaintext and use a plaintext listener"
                    );
                    return Err(fatal("client settings", reason));
                }
                _ => {}
            }
        }
        if chosen.bootstrap_servers.is_empty() {
            return Err(fatal("client settings", "bootstrap.servers names no broker"));
        }
        Ok(chosen)
    }
}

fn millis(key: &str, value: &str) -> Result<Duration, Error> {
    number(key, value).map(|ms| Duration::from_millis(ms as u64))
}

fn number(key: &str, value: &str) -> Result<usize, Error> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(fatal("client settings", format!("{key}={value} is not a positive number"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::ErrorKind;

    #[test]
    fn known_settings_are_taken_and_others_left() {
        let pairs = [("bootstrap.servers", "a:1, b:2"), ("socket.timeout.ms", "7"), ("fetch.wait.max.ms", "10")];
        let settings = CoordinatorSettings::from_client(pairs).unwrap();
        assert_eq!(settings.bootstrap_servers, ["a:1", "b:2"]);
        assert_eq!(settings.request_timeout, Duration::from_millis(7));
        assert_eq!(settings.frame_bytes_max, 100_000_000);
    }

    #[test]
    fn what_cannot_work_is_fatal_and_says_why() {
        let table = [
            (("security.protocol", "SASL_SSL"), "security.protocol=SASL_SSL is not supported"),
            (("socket.timeout.ms", "soon"), "socket.timeout.ms=soon is not a positive number"),
            (("receive.message.max.bytes", "0"), "receive.message.max.bytes=0 is not a positive number"),
            (("bootstrap.servers", " , "), "bootstrap.servers names no broker"),
        ];
        for (pair, reason) in table {
            let error = CoordinatorSettings::from_client([("bootstrap.servers", "a:1"), pair]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Fatal);
            assert!(error.reason.starts_with(reason), "{error}");
        }
        let plain = [("bootstrap.servers", "a:1"), ("security.protocol", "PLAINTEXT")];
        assert!(CoordinatorSettings::from_client(plain).is_ok());
    }
}
