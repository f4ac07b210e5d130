//! Commits and fetches of offsets, from any thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use crossbeam_channel::{Sender, bounded};

use super::worker::Job;
use super::{CommittedOffset, fatal, retriable};
use crate::group::ErrorCode;
use crate::group::commit::{OffsetToCommit, Refusal};
use crate::group::member::Identity;
use crate::types::{Backoff, TopicPartition};
use crate::wire::Error;

/// Why a commit was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The process is in no generation of the group now: wait for the member to join.
    #[error("not a member of the group")]
    NotAMember,
    /// The coordinator refused.
    #[error("the group coordinator refused the commit: {0}")]
    Code(ErrorCode),
    /// No answer; the commit may or may not have happened.
    #[error(transparent)]
    Connection(#[from] Error),
}

impl CommitError {
    /// The reaction.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NotAMember | Self::Connection(_) => Refusal::Retriable,
            Self::Code(code) => Refusal::of_offsets(*code),
        }
    }
}

/// Why offsets were not fetched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The coordinator refused for good.
    #[error("the group coordinator refused to tell offsets: {0}")]
    Refused(ErrorCode),
    /// No answer in time, or none that may not be another one later.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A cheap handle on the connection that carries heartbeats and offsets. Every call blocks its thread.
#[derive(Debug, Clone)]
pub struct OffsetsClient {
    jobs: Sender<Job>,
    identity: Arc<ArcSwapOption<Identity>>,
}

impl OffsetsClient {
    pub(super) const fn new(jobs: Sender<Job>, identity: Arc<ArcSwapOption<Identity>>) -> Self {
        Self { jobs, identity }
    }

    /// Who this process is in the group now; read it right before each use.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.load_full()
    }

    /// Commits with the identity of now; never without one, because the broker does not fence that.
    pub fn commit(&self, offsets: Vec<OffsetToCommit>) -> Result<(), CommitError> {
        let identity = self.identity().ok_or(CommitError::NotAMember)?;
        let (answer, result) = bounded(1);
        let identity = Arc::unwrap_or_clone(identity);
        self.jobs.send(Job::Commit { identity, offsets, answer }).map_err(|_| closed("commit offsets"))?;
        result.recv().map_err(|_| closed("commit offsets"))??.map_err(CommitError::Code)
    }

    /// The group's committed offsets; a partition without one is absent. Waits, at most `timeout`, until they are stable:
    /// an offset that an open transaction is about to move is not answered.
    pub fn fetch(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, FetchError> {
        let deadline = Instant::now() + timeout;
        // Stable within about 1 ms of a commit; the first waits are short.
        let mut wait = Duration::from_millis(2);
        let mut spread = Backoff::new(partitions.len() as u64);
        loop {
            let (answer, result) = bounded(1);
            let job = Job::Fetch { partitions: partitions.to_vec(), answer };
            self.jobs.send(job).map_err(|_| closed("fetch offsets"))?;
            let failed = match result.recv().map_err(|_| closed("fetch offsets"))? {
                Ok(Ok(offsets)) => return Ok(offsets),
                Ok(Err(ErrorCode::UNSTABLE_OFFSET_COMMIT)) => {
                    retriable("fetch offsets", "a transaction is open on them")
                }
                Ok(Err(code)) if is_final(code) => return Err(FetchError::Refused(code)),
                Ok(Err(code)) => retriable("fetch offsets", code.to_string()),
                Err(error) => error,
            };
            if Instant::now() + wait >= deadline {
                return Err(failed.into());
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_millis(spread.next_ms()));
        }
    }
}

fn is_final(code: ErrorCode) -> bool {
    use crate::group::member::{self, Api, Reaction, reaction};
    matches!(reaction(Api::OffsetFetch, &member::Refusal::Code(code)), Reaction::Fatal(_))
}

fn closed(context: &str) -> Error {
    fatal(context, "the group client is closed")
}
