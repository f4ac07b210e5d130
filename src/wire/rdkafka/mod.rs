//! The Kafka port over librdkafka.
//!
//! Consumers are assigned partitions and never join a group; producers are idempotent. All of C is in `native`;
//! everything else here is safe code over it.

mod admin;
mod closing;
mod consumer;
mod error;
mod native;
mod producer;
mod settings;

use std::sync::Arc;

pub use settings::{ForbiddenSetting, SettingError, Settings, Table, check_settings, setting_names};

pub(super) use native::MockCluster;

use crate::wire::{Admin, Consumer, Error, ErrorKind, Kafka, Prefetch, Producer};
use admin::RdAdmin;
use consumer::RdConsumer;
use native::{Client, ClientType};
use producer::RdProducer;

/// Makes clients for the cluster of its [`Settings`].
#[derive(Debug, Clone)]
pub struct KafkaClients {
    settings: Arc<Settings>,
}

impl KafkaClients {
    /// Takes settings without a mistake, or returns all mistakes (see [`check_settings`]).
    pub fn new(settings: Settings) -> Result<Self, Vec<(Table, SettingError)>> {
        let mistakes = check_settings(&settings);
        if mistakes.is_empty() { Ok(Self { settings: Arc::new(settings) }) } else { Err(mistakes) }
    }
}

impl Kafka for KafkaClients {
    fn consumer(&self, client_id: &str) -> Result<Box<dyn Consumer>, Error> {
        let client = client(&self.settings, ClientType::Consumer, client_id)?;
        Ok(Box::new(RdConsumer::new(client, client_id)))
    }

    fn bounded_consumer(&self, client_id: &str, prefetch: Prefetch) -> Result<Box<dyn Consumer>, Error> {
        let settings = settings::bounded(&self.settings, prefetch);
        let client = client(&settings, ClientType::Consumer, client_id)?;
        Ok(Box::new(RdConsumer::new(client, client_id)))
    }

    fn producer(&self, client_id: &str) -> Result<Box<dyn Producer>, Error> {
        let client = client(&self.settings, ClientType::Producer, client_id)?;
        Ok(Box::new(RdProducer::new(client, client_id)))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, Error> {
        Ok(Box::new(RdAdmin::new(Arc::clone(&self.settings))))
    }
}

/// A client of the settings. Two settings that are right alone may contradict each other; only librdkafka knows.
fn client(settings: &Settings, client_type: ClientType, client_id: &str) -> Result<Client, Error> {
    settings::conf(settings, client_type, client_id).and_then(|conf| Client::new(client_type, conf)).map_err(|reason| {
        Error { kind: ErrorKind::Fatal, context: format!("creating {client_type:?} {client_id}"), reason }
    })
}
