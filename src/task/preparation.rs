//! What a task must have before its first record: prepared serializers, so that nothing is waited for in mid-chain.

use super::fault::Fault;
use super::wait::Wait;
use crate::types::Timestamp;

/// Prepares one serializer for one topic; never waits.
pub(super) type Step = Box<dyn Fn() -> Result<(), Fault>>;

/// The steps that have not succeeded yet.
pub(super) struct Preparation {
    steps: Vec<Step>,
    seed: u64,
    wait: Option<Wait>,
}

impl Preparation {
    pub(super) fn new(steps: Vec<Step>, seed: u64) -> Self {
        Self { steps, seed, wait: None }
    }

    /// Tries what is left, when it is time to; returns whether nothing is. An error is one that time does not heal.
    pub(super) fn poll(&mut self, now: Timestamp) -> Result<bool, Fault> {
        if self.steps.is_empty() {
            return Ok(true);
        }
        if self.wait.as_ref().is_some_and(|wait| !wait.is_due(now)) {
            return Ok(false);
        }
        // Every step is tried before any is waited for: the questions are under way together.
        let (mut lacking, mut failed) = (None, None);
        self.steps.retain(|step| match step() {
            Ok(()) => false,
            Err(Fault::Encode { error, .. }) if error.is_retriable() => {
                lacking.get_or_insert(error);
                true
            }
            Err(fault) => {
                failed.get_or_insert(fault);
                true
            }
        });
        match (failed, lacking, &mut self.wait) {
            (Some(fault), _, _) => return Err(fault),
            (None, None, wait) => *wait = None,
            (None, Some(error), Some(wait)) => wait.go_on(&error, now),
            (None, Some(error), wait) => *wait = Some(Wait::begin(&error, now, self.seed)),
        }
        Ok(self.steps.is_empty())
    }

    pub(super) fn wait(&self) -> Option<&Wait> {
        self.wait.as_ref()
    }

    pub(super) fn wait_mut(&mut self) -> Option<&mut Wait> {
        self.wait.as_mut()
    }
}
