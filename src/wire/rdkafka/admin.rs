//! Creates and describes topics; every call uses a client of its own.
//!
//! Calls are rare (start, a new sub-topology), and a client that idles between them would hold a connection and
//! collect events that nobody serves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::{error, with_text};
use super::native::{Client, ClientType, Code, Failure, create_topics, describe_config, partition_count, topic_ids};
use super::{Settings, client};
use crate::wire::{Admin, Error, NewTopic, TopicDescription};

/// A request that is not answered within this time fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The topic administration of the adapter.
pub(super) struct RdAdmin {
    settings: Arc<Settings>,
}

impl RdAdmin {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }

    fn client(&self) -> Result<Client, Error> {
        client(&self.settings, ClientType::Producer, "thalweg-admin")
    }
}

fn refused(failure: Failure, context: String) -> Error {
    with_text(failure.code, failure.text, context)
}

impl Admin for RdAdmin {
    fn describe(&self, topics: &[String]) -> Result<Vec<TopicDescription>, Error> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let client = self.client()?;
        let mut described = Vec::with_capacity(topics.len());
        for name in topics {
            let partitions = partition_count(&client, name, TIMEOUT)
                .map_err(|code| error(code, format!("describing topic {name}")))?;
            described.extend(partitions.map(|partitions| TopicDescription { name: name.clone(), partitions }));
        }
        Ok(described)
    }

    fn create(&self, topics: &[NewTopic]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        let created = create_topics(&self.client()?, topics, TIMEOUT)
            .map_err(|failure| refused(failure, "creating topics".to_owned()))?;
        for (name, outcome) in created {
            match outcome {
                Ok(()) => {}
                Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS => {}
                Err(failure) => return Err(refused(failure, format!("creating topic {name}"))),
            }
        }
        Ok(())
    }

    fn config(&self, topic: &str) -> Result<Option<Vec<(String, String)>>, Error> {
        describe_config(&self.client()?, topic, TIMEOUT)
            .map(Some)
            .map_err(|failure| refused(failure, format!("describing the configuration of topic {topic}")))
    }

    fn ids(&self, topics: &[String]) -> Result<Option<BTreeMap<String, String>>, Error> {
        let failed = |failure| refused(failure, "asking the ids of topics".to_owned());
        let mut ids = BTreeMap::new();
        for (name, id) in topic_ids(&self.client()?, topics, TIMEOUT).map_err(failed)? {
            match id {
                Ok(id) => {
                    ids.insert(name, id);
                }
                Err(failure) if failure.code == Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => {}
                Err(failure) => return Err(refused(failure, format!("asking the id of topic {name}"))),
            }
        }
        Ok(Some(ids))
    }
}
