//! What the demo needs around the application: a cluster with its topics, and a schema registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg::wire::{EmbeddedBroker, Error, ErrorKind, Kafka, KafkaClients, NewTopic, Settings};

use super::options::Options;
use super::registry::Registry;
use crate::topics;

/// The demo's cluster.
pub struct Cluster {
    /// Clients of it.
    pub kafka: Arc<dyn Kafka>,
    /// `host:port` of its brokers.
    pub bootstrap_servers: String,
}

/// The demo's registry; the embedded one serves until this is dropped.
pub struct SchemaRegistry {
    /// Its URL.
    pub url: String,
    _embedded: Option<Registry>,
}

/// Starts the embedded broker or connects to the given ones, and creates the topics that are missing.
pub fn cluster(options: &Options) -> Result<Cluster, Error> {
    let cluster = match &options.bootstrap_servers {
        None => {
            let broker = EmbeddedBroker::start(1)?;
            Cluster { bootstrap_servers: broker.bootstrap_servers(), kafka: Arc::new(broker) }
        }
        Some(servers) => {
            let settings = Settings { bootstrap_servers: servers.clone(), ..Settings::default() };
            let clients = KafkaClients::new(settings).map_err(|mistakes| {
                let reason = mistakes.iter().map(|(_, mistake)| mistake.to_string()).collect::<Vec<_>>().join("; ");
                Error { kind: ErrorKind::Fatal, context: "--bootstrap-servers".to_owned(), reason }
            })?;
            Cluster { bootstrap_servers: servers.clone(), kafka: Arc::new(clients) }
        }
    };
    let admin = cluster.kafka.admin()?;
    let existing: BTreeMap<String, i32> =
        admin.describe(&external_topics())?.into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    let missing = external_topics().into_iter().filter(|topic| !existing.contains_key(topic));
    let missing: Vec<NewTopic> = missing.map(new_topic).collect();
    if !missing.is_empty() {
        admin.create(&missing)?;
    }
    Ok(cluster)
}

fn external_topics() -> Vec<String> {
    let all = [
        topics::ORDER_EVENTS,
        topics::PAYMENT_ORDER,
        topics::ORDER_STATUS,
        topics::ORDER_ANOMALIES,
        topics::NOTIFICATION_SMS,
    ];
    all.map(str::to_owned).to_vec()
}

fn new_topic(name: String) -> NewTopic {
    NewTopic { name, partitions: topics::PARTITIONS, replication_factor: -1, config: Vec::new() }
}

/// Starts the embedded registry, or takes the given one.
pub async fn schema_registry(options: &Options) -> std::io::Result<SchemaRegistry> {
    match &options.schema_registry {
        Some(url) => Ok(SchemaRegistry { url: url.clone(), _embedded: None }),
        None => {
            let embedded = Registry::start(0).await?;
            Ok(SchemaRegistry { url: embedded.url(), _embedded: Some(embedded) })
        }
    }
}
