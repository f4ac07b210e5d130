//! One commit of a stream thread: flush, acknowledgements, offsets, then apply.
//!
//! The order is the promise. Offsets never pass outputs that are not acknowledged, and stores never show what is not
//! committed. With transactions the end of the transaction takes the place of the offsets step; the rest is the same.
//!
//! Driven by a stream thread: drain [`Commit::poll`], do the action, report it through [`Commit::handle`], and sleep no
//! longer than [`Commit::deadline`]. A machine serves one commit.

use super::Tick;
use crate::types::{Backoff, Offset, TaskId, TopicPartition};

/// A position to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetToCommit {
    /// Input partition.
    pub partition: TopicPartition,
    /// Offset of the first record not processed yet.
    pub offset: Offset,
    /// Leader epoch of the last processed record's batch.
    pub leader_epoch: Option<i32>,
    /// [`CommitMetadata`](super::CommitMetadata) as text.
    pub metadata: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send all outboxes and wait until every record is acknowledged.
    Flush,
    /// Commit these offsets with the member's identity.
    CommitOffsets(Vec<OffsetToCommit>),
    /// Apply the overlays of these tasks, each as one batch with its positions.
    Apply(Vec<TaskId>),
}

/// How a step went wrong; the reaction, as in `wire::ErrorKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Trying again may succeed.
    Retriable,
    /// A newer owner exists.
    Fenced,
    /// Trying again is useless.
    Fatal,
}

impl Refusal {
    /// How a commit of offsets goes on after `code`. A stale generation is retriable, because it moves on whenever the
    /// group rebalances; when the tasks are really lost, the member says so (`Order::LoseAll`) and the runtime ends the
    /// commit.
    pub fn of_offsets(code: super::ErrorCode) -> Self {
        use super::ErrorCode;
        use super::member::{self, Api, Reaction, reaction};
        if [ErrorCode::OFFSET_METADATA_TOO_LARGE, ErrorCode::INVALID_COMMIT_OFFSET_SIZE].contains(&code) {
            return Self::Fatal;
        }
        match reaction(Api::OffsetCommit, &member::Refusal::Code(code)) {
            Reaction::ResetIdentity | Reaction::Fenced => Self::Fenced,
            Reaction::Fatal(_) => Self::Fatal,
            Reaction::Retry | Reaction::Rejoin | Reaction::FindCoordinator | Reaction::ResetGeneration => {
                Self::Retriable
            }
        }
    }
}

/// What happened to the last action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Every record is acknowledged, or not.
    Flushed(Result<(), Refusal>),
    /// The offsets are committed, or not.
    OffsetsCommitted(Result<(), Refusal>),
    /// Every overlay is applied, or the store of this task failed.
    Applied(Result<(), TaskId>),
    /// The member lost its tasks, told between two actions: a commit that waits to be repeated is pointless.
    Lost,
}

/// What must happen after a failed commit. The overlays are dropped in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Some records may have been written: replace the producer, then reopen the tasks (restore, seek to the committed offsets).
    RetireProducer,
    /// Records are written, offsets are not: reopen the tasks (restore, seek to the committed offsets).
    Reopen,
    /// The tasks are another's: close them without a commit and rejoin.
    Lose,
    /// The commit holds, but the store of this task could not take it: its handle is poisoned; fail the task, restore it.
    FailStore(TaskId),
}

/// How the commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Under way.
    Pending,
    /// Committed and applied.
    Done,
    /// Failed.
    Failed(Recovery),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Flush,
    Acks,
    Offsets { at: Tick },
    OffsetsSent,
    Apply,
    ApplySent,
    Ended(Outcome),
}

/// The machine of one commit.
#[derive(Debug)]
pub struct Commit {
    state: State,
    offsets: Vec<OffsetToCommit>,
    tasks: Vec<TaskId>,
    give_up_at: Tick,
    backoff: Backoff,
}

impl Commit {
    /// Starts a commit of `tasks` at `offsets`. Offsets that meet retriable errors are repeated for `timeout_ms`
    /// (Kafka Streams' `task.timeout.ms`, 5 min). `seed` spreads the retries of several threads.
    pub fn new(now: Tick, tasks: Vec<TaskId>, offsets: Vec<OffsetToCommit>, timeout_ms: u64, seed: u64) -> Self {
        let (give_up_at, backoff) = (now.after(timeout_ms), Backoff::new(seed));
        Self { state: State::Flush, offsets, tasks, give_up_at, backoff }
    }

    /// Takes the result of the last action. Panics when no such action is under way.
    pub fn handle(&mut self, now: Tick, event: Event) {
        self.state = match (self.state, event) {
            (State::Acks, Event::Flushed(Ok(()))) if self.offsets.is_empty() => State::Apply,
            (State::Acks, Event::Flushed(Ok(()))) => State::Offsets { at: now },
            (State::Acks, Event::Flushed(Err(Refusal::Fenced))) => failed(Recovery::Lose),
            (State::Acks, Event::Flushed(Err(_))) => failed(Recovery::RetireProducer),

            (State::OffsetsSent, Event::OffsetsCommitted(Ok(()))) => State::Apply,
            (State::OffsetsSent, Event::OffsetsCommitted(Err(refusal))) => self.refused(now, refusal),

            (State::ApplySent, Event::Applied(Ok(()))) => State::Ended(Outcome::Done),
            (State::ApplySent, Event::Applied(Err(task))) => failed(Recovery::FailStore(task)),
            (State::Ended(outcome), Event::Lost) => State::Ended(outcome),
            (_, Event::Lost) => failed(Recovery::Lose),
            (state, event) => panic!("a commit in state {state:?} cannot meet {event:?}"),
        };
    }

    fn refused(&mut self, now: Tick, refusal: Refusal) -> State {
        match refusal {
            Refusal::Fenced => failed(Recovery::Lose),
            Refusal::Fatal => failed(Recovery::Reopen),
            Refusal::Retriable => {
                let at = now.after(self.backoff.next_ms());
                if at < self.give_up_at { State::Offsets { at } } else { failed(Recovery::Reopen) }
            }
        }
    }

    /// The next action, if one is due.
    pub fn poll(&mut self, now: Tick) -> Option<Action> {
        let (next, action) = match self.state {
            State::Flush => (State::Acks, Action::Flush),
            State::Offsets { at } if at <= now => (State::OffsetsSent, Action::CommitOffsets(self.offsets.clone())),
            State::Apply => (State::ApplySent, Action::Apply(self.tasks.clone())),
            State::Acks | State::Offsets { .. } | State::OffsetsSent | State::ApplySent | State::Ended(_) => {
                return None;
            }
        };
        self.state = next;
        Some(action)
    }

    /// When [`Commit::poll`] has something to do without an event.
    pub const fn deadline(&self) -> Tick {
        match self.state {
            State::Flush | State::Apply => Tick(0),
            State::Offsets { at } => at,
            State::Acks | State::OffsetsSent | State::ApplySent | State::Ended(_) => Tick::NEVER,
        }
    }

    /// How the commit stands.
    pub const fn outcome(&self) -> Outcome {
        match self.state {
            State::Ended(outcome) => outcome,
            _ => Outcome::Pending,
        }
    }
}

const fn failed(recovery: Recovery) -> State {
    State::Ended(Outcome::Failed(recovery))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(0, 1);

    fn offsets() -> Vec<OffsetToCommit> {
        let partition = TopicPartition::new("in", 1);
        vec![OffsetToCommit { partition, offset: 7, leader_epoch: Some(3), metadata: "AgAAAAAAAAAK".to_owned() }]
    }

    fn commit() -> Commit {
        Commit::new(Tick(0), vec![TASK], offsets(), 5_000, 1)
    }

    /// Plays `events`, each in answer to one action, and returns the actions.
    fn play(commit: &mut Commit, events: &[Event]) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut now = Tick(0);
        for event in events {
            now = now.max(commit.deadline());
            actions.extend(commit.poll(now));
            assert_eq!(commit.poll(now), None, "one action at a time");
            commit.handle(now, *event);
        }
        actions
    }

    #[test]
    fn flush_comes_before_offsets_and_offsets_before_apply() {
        let mut commit = commit();
        let events = [Event::Flushed(Ok(())), Event::OffsetsCommitted(Ok(())), Event::Applied(Ok(()))];
        let actions = play(&mut commit, &events);
        assert_eq!(actions, [Action::Flush, Action::CommitOffsets(offsets()), Action::Apply(vec![TASK])]);
        assert_eq!(commit.outcome(), Outcome::Done);
        assert_eq!(commit.deadline(), Tick::NEVER);
    }

    #[test]
    fn writes_of_a_punctuation_commit_without_offsets() {
        let mut commit = Commit::new(Tick(0), vec![TASK], Vec::new(), 5_000, 1);
        let actions = play(&mut commit, &[Event::Flushed(Ok(())), Event::Applied(Ok(()))]);
        assert_eq!(actions, [Action::Flush, Action::Apply(vec![TASK])]);
        assert_eq!(commit.outcome(), Outcome::Done);
    }

    #[test]
    fn every_error_has_its_recovery_and_nothing_follows() {
        use Refusal::{Fatal, Fenced, Retriable};
        let flushed = Event::Flushed(Ok(()));
        let table: [(&[Event], Recovery); 6] = [
            (&[Event::Flushed(Err(Retriable))], Recovery::RetireProducer),
            (&[Event::Flushed(Err(Fatal))], Recovery::RetireProducer),
            (&[Event::Flushed(Err(Fenced))], Recovery::Lose),
            (&[flushed, Event::OffsetsCommitted(Err(Fenced))], Recovery::Lose),
            (&[flushed, Event::OffsetsCommitted(Err(Fatal))], Recovery::Reopen),
            (&[flushed, Event::OffsetsCommitted(Ok(())), Event::Applied(Err(TASK))], Recovery::FailStore(TASK)),
        ];
        for (events, recovery) in table {
            let mut commit = commit();
            play(&mut commit, events);
            assert_eq!(commit.outcome(), Outcome::Failed(recovery), "{events:?}");
            assert_eq!(commit.poll(Tick::NEVER), None);
        }
    }

    #[test]
    fn retriable_offsets_are_repeated_after_a_wait_until_the_timeout() {
        let mut commit = commit();
        play(&mut commit, &[Event::Flushed(Ok(()))]);
        let mut now = Tick(0);
        let mut attempts = 0;
        while commit.outcome() == Outcome::Pending {
            now = now.max(commit.deadline());
            assert_eq!(commit.poll(now), Some(Action::CommitOffsets(offsets())));
            commit.handle(now, Event::OffsetsCommitted(Err(Refusal::Retriable)));
            assert!(commit.outcome() != Outcome::Pending || commit.deadline() > now);
            attempts += 1;
        }
        assert_eq!(commit.outcome(), Outcome::Failed(Recovery::Reopen));
        assert!((6..=12).contains(&attempts), "{attempts} attempts in 5 s");
        assert!(now < Tick(5_000));
    }

    #[test]
    fn a_commit_of_lost_tasks_is_not_repeated() {
        let mut commit = commit();
        let refused = Event::OffsetsCommitted(Err(Refusal::Retriable));
        play(&mut commit, &[Event::Flushed(Ok(())), refused]);
        commit.handle(Tick(1), Event::Lost);
        assert_eq!(commit.outcome(), Outcome::Failed(Recovery::Lose));
        assert_eq!(commit.poll(Tick::NEVER), None);
    }

    #[test]
    #[should_panic(expected = "cannot meet")]
    fn an_answer_without_a_question_asserts() {
        commit().handle(Tick(0), Event::OffsetsCommitted(Ok(())));
    }
}
