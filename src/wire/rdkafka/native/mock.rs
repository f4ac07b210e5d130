//! librdkafka's mock cluster.
#![allow(unsafe_code, reason = "rust-rdkafka's mock cluster cannot shorten the first rebalance")]

use std::ffi::c_int;

use rdkafka::bindings as c;

use super::super::error::error;
use super::{Client, ClientType, Code, Conf, OK, c_string, copied};
use crate::wire::Error;

/// Brokers that listen on free ports of the loopback interface while the object lives.
pub(in crate::wire) struct MockCluster {
    raw: *mut c::rd_kafka_mock_cluster_t,
    // The cluster runs on a thread of this client; `Drop` ends the cluster first.
    _client: Client,
}

// SAFETY: every call is an operation that the cluster's own thread executes, or reads what never changes.
unsafe impl Send for MockCluster {}
// SAFETY: as above; the client is never called.
unsafe impl Sync for MockCluster {}

impl MockCluster {
    /// Starts `brokers` brokers; on failure returns librdkafka's text.
    pub(in crate::wire) fn start(brokers: c_int) -> Result<Self, String> {
        let client = Client::new(ClientType::Producer, Conf::new())?;
        // SAFETY: the client is alive and outlives the cluster.
        let raw = unsafe { c::rd_kafka_mock_cluster_new(client.raw(), brokers) };
        if raw.is_null() {
            return Err("the brokers could not listen on the loopback interface".to_owned());
        }
        // The default makes the first member of a group wait 3 s for others.
        // SAFETY: the cluster is alive.
        unsafe { c::rd_kafka_mock_group_initial_rebalance_delay_ms(raw, 1) };
        Ok(Self { raw, _client: client })
    }

    /// `host:port` of every broker, separated by commas.
    pub(in crate::wire) fn bootstrap_servers(&self) -> String {
        // SAFETY: the cluster is alive; the text is its property and never changes.
        unsafe { copied(c::rd_kafka_mock_cluster_bootstraps(self.raw)) }
    }

    /// Creates a topic; one that exists already is left as it is.
    pub(in crate::wire) fn create_topic(&self, name: &str, partitions: i32, replicas: i32) -> Result<(), Error> {
        let native = c_string(name);
        // SAFETY: the cluster is alive, the string lives over the call.
        match unsafe { c::rd_kafka_mock_topic_create(self.raw, native.as_ptr(), partitions, replicas) } {
            OK | Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS => Ok(()),
            code => Err(error(code, format!("creating topic {name}"))),
        }
    }

    /// Lets the brokers refuse connections, or accept them again.
    #[cfg(test)]
    pub(in crate::wire) fn set_down(&self, down: bool) {
        const ALL: i32 = -1;
        // SAFETY: the cluster is alive.
        let code = unsafe {
            if down {
                c::rd_kafka_mock_broker_set_down(self.raw, ALL)
            } else {
                c::rd_kafka_mock_broker_set_up(self.raw, ALL)
            }
        };
        assert_eq!(code, OK);
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        // SAFETY: the last use of the cluster.
        unsafe { c::rd_kafka_mock_cluster_destroy(self.raw) }
    }
}
