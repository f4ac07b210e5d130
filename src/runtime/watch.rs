//! Looks from time to time whether what a run stands on is still there: its topics and its state directory.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::control::RunError;
use super::events::ControlEvent;
use super::state_directory::Place;
use super::topic_ids::KnownTopics;
use crate::wire::Kafka;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// What is looked at.
pub(super) struct Watch {
    pub(super) kafka: Arc<dyn Kafka>,
    pub(super) place: Place,
    pub(super) topics: KnownTopics,
    pub(super) events: Sender<ControlEvent>,
}

/// Ends the watch when dropped. Nobody waits for it: a question to a cluster that is away takes its time.
pub(super) struct Watching {
    _stop: Sender<()>,
    _thread: JoinHandle<()>,
}

impl Watch {
    /// Starts a thread that looks until something is gone, or until it is dropped.
    pub(super) fn start(self) -> std::io::Result<Watching> {
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || self.run(&stopped))?;
        Ok(Watching { _stop: stop, _thread: thread })
    }

    fn run(mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
            if let Err(error) = self.look() {
                // Control ends last; when it is gone nobody asks any more.
                let _ = self.events.send(ControlEvent::Failed(error));
                return;
            }
        }
    }

    fn look(&mut self) -> Result<(), RunError> {
        self.place.check().map_err(|error| RunError::StateDirectory(error.to_string()))?;
        let names = self.topics.names();
        if names.is_empty() {
            return Ok(());
        }
        // Those who need the cluster say when it does not answer.
        let Ok(Some(now)) = self.kafka.admin().and_then(|admin| admin.ids(&names)) else { return Ok(()) };
        self.topics.see(&now).map_err(RunError::Topics)
    }
}
