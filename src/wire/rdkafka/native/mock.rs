//! librdkafka's mock cluster.
#![allow(unsafe_code, reason = "rust-rdkafka's mock cluster cannot shorten the first rebalance")]

use std::ffi::c_int;

use rdkafka::bindings as c;

use super::super::error::error;
use super::{Client, ClientType, Code, Conf, OK, c_string, copied};
use crate::wire::Error;

/// Newest versions that the mock really reads, by API key. Beyond them it announces versions whose compact arrays
/// (JoinGroup 6, SyncGroup 4), member lists (LeaveGroup 3) or very existence (Heartbeat 5) it does not know.
const VERSIONS_MAX: [(i16, i16); 4] = [(JOIN_GROUP, 5), (HEARTBEAT, 4), (LEAVE_GROUP, 2), (SYNC_GROUP, 3)];
const JOIN_GROUP: i16 = 11;
const HEARTBEAT: i16 = 12;
const LEAVE_GROUP: i16 = 13;
const SYNC_GROUP: i16 = 14;

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
        let cluster = Self { raw, _client: client };
        for (api_key, version_max) in VERSIONS_MAX {
            // SAFETY: the cluster is alive.
            match unsafe { c::rd_kafka_mock_set_apiversion(raw, api_key, 0, version_max) } {
                OK => {}
                code => return Err(error(code, "limiting request versions").to_string()),
            }
        }
        // The default makes the first member of a group wait 3 s for others.
        // SAFETY: the cluster is alive.
        unsafe { c::rd_kafka_mock_group_initial_rebalance_delay_ms(raw, 1) };
        Ok(cluster)
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

    /// Lets the coordinator refuse the next OffsetFetch with GROUP_AUTHORIZATION_FAILED.
    #[cfg(test)]
    pub(in crate::wire) fn refuse_offset_fetch(&self) {
        const OFFSET_FETCH: i16 = 9;
        let code = Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        // SAFETY: the cluster is alive, and reads the one code during the call.
        unsafe { c::rd_kafka_mock_push_request_errors_array(self.raw, OFFSET_FETCH, 1, &raw const code) };
    }

    /// Makes a broker, counted from 1, the leader of a partition.
    #[cfg(test)]
    pub(in crate::wire) fn set_leader(&self, topic: &str, partition: i32, broker: i32) {
        let topic = c_string(topic);
        // SAFETY: the cluster is alive, the string lives over the call.
        let code = unsafe { c::rd_kafka_mock_partition_set_leader(self.raw, topic.as_ptr(), partition, broker) };
        assert_eq!(code, OK);
    }

    /// Lets one broker, counted from 1, answer after a minute only, as one whose machine was lost.
    #[cfg(test)]
    pub(in crate::wire) fn hang(&self, broker: i32) {
        // SAFETY: the cluster is alive.
        assert_eq!(unsafe { c::rd_kafka_mock_broker_set_rtt(self.raw, broker, 60_000) }, OK);
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
