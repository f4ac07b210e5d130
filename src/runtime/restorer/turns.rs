#![allow(clippy::unwrap_used)]

//! The restorer on its thread, with a consumer that a test plays.

use std::thread::JoinHandle;

use crossbeam_channel::{bounded, unbounded};
use tempfile::TempDir;
use thalweg_state::Backend;

use super::*;
use crate::types::SourceBatch;
use crate::wire::ErrorKind as WireError;

const PATIENCE: Duration = Duration::from_secs(20);
const TASK: TaskId = TaskId::new(0, 0);

/// A cluster that never has a record, and takes a moment for every question about a partition.
struct Quiet {
    /// Of every partition; `None`: it does not tell.
    range: Option<Range<Offset>>,
    asked: Sender<Instant>,
    /// The restorer's, as of each question.
    heartbeats: Sender<Duration>,
    heartbeat: Heartbeat,
    started: Instant,
}

impl Quiet {
    fn take_a_moment(&self) {
        let _ = self.heartbeats.send(last_beat(&self.heartbeat, self.started));
        // Longer than the resolution of a heartbeat.
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// The silence as it looks an hour after `started` shows when the last beat was.
fn last_beat(heartbeat: &Heartbeat, started: Instant) -> Duration {
    let hour = Duration::from_secs(3_600);
    hour - heartbeat.stuck_for(started + hour).unwrap()
}

impl Consumer for Quiet {
    fn assign(&mut self, _: &TopicPartition, _: Offset) -> Result<(), wire::Error> {
        Ok(())
    }

    fn unassign(&mut self, _: &TopicPartition) -> Result<(), wire::Error> {
        Ok(())
    }

    fn read(
        &mut self,
        at: &TopicPartition,
        _: usize,
        _: &mut SourceBatch,
    ) -> Result<Option<PartitionEvent>, wire::Error> {
        self.take_a_moment();
        Ok(self.fetched_end(at).map(|offset| PartitionEvent::End { offset }))
    }

    fn wait(&mut self, timeout: Duration) -> bool {
        std::thread::park_timeout(timeout);
        false
    }

    fn offsets(&mut self, at: &TopicPartition, _: Duration) -> Result<Range<Offset>, wire::Error> {
        let _ = self.asked.send(Instant::now());
        self.take_a_moment();
        let away = || wire::Error { kind: WireError::Retriable, context: at.to_string(), reason: "away".to_owned() };
        self.range.clone().ok_or_else(away)
    }

    fn fetched_end(&self, _: &TopicPartition) -> Option<Offset> {
        self.range.as_ref().map(|range| range.end)
    }

    fn close(self: Box<Self>, _: Duration) {}
}

fn changelog_and_store(index: StoreIndex) -> (TopicPartition, StoreSpec) {
    let changelog = TopicPartition::new(format!("app-counts-{index}-changelog"), 0);
    let store = StoreSpec {
        name: format!("counts-{index}"),
        backend: Backend::RocksDb,
        changelog: Some(changelog.to_string()),
    };
    (changelog, store)
}

struct Played {
    commands: Sender<RestorerCommand>,
    events: Receiver<ControlEvent>,
    asked: Receiver<Instant>,
    heartbeats: Receiver<Duration>,
    heartbeat: Heartbeat,
    started: Instant,
    join: JoinHandle<()>,
    directory: TempDir,
}

impl Played {
    fn start(range: Option<Range<Offset>>) -> Self {
        let (commands, received) = unbounded();
        let (tell, events) = bounded(100);
        let ((ask, asked), (hear, heartbeats)) = (unbounded(), unbounded());
        let started = Instant::now();
        let heartbeat = Heartbeat::new("restorer", Duration::ZERO, started);
        let memory = Arc::new(SharedMemory::new(8 << 20).unwrap());
        let quiet = Box::new(Quiet { range, asked: ask, heartbeats: hear, heartbeat: heartbeat.clone(), started });
        let clock = Clock::start(std::time::SystemTime::now);
        let metrics = Metrics::new().unwrap();
        let restorer = Restorer::new(quiet, memory, clock, heartbeat.clone(), received, tell, metrics);
        let join = std::thread::spawn(move || restorer.run());
        let directory = TempDir::new().unwrap();
        Self { commands, events, asked, heartbeats, heartbeat, started, join, directory }
    }

    fn open(&self, opening: Opening) {
        self.open_stores(opening, 1);
    }

    fn open_stores(&self, opening: Opening, count: usize) {
        let (changelogs, stores): (Vec<_>, Vec<_>) = (0..count).map(changelog_and_store).unzip();
        self.tell(RestorerCommand::Open(OpenTask {
            task: TASK,
            opening,
            backoff: Backoff::new(opening),
            directory: self.directory.path().join("0_0"),
            stores,
            changelogs: changelogs.into_iter().enumerate().collect(),
            progress: ProgressCell::default(),
        }));
    }

    fn tell(&self, command: RestorerCommand) {
        self.commands.send(command).unwrap();
    }

    fn event(&self) -> ControlEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    fn stop(self) {
        self.tell(RestorerCommand::Stop);
        self.join.join().unwrap();
    }
}

#[test]
fn a_task_is_opened_again_only_after_its_state_came_back_to_be_closed() {
    let played = Played::start(Some(0..0));
    played.open(1);
    let ControlEvent::Restored { opening: 1, state, .. } = played.event() else { panic!("not restored") };
    // Released before the control thread read that, and given back: the state is still on its way.
    played.tell(RestorerCommand::Abandon(TASK));
    played.open(2);
    assert!(matches!(played.event(), ControlEvent::Closed(TASK)));
    let directory = played.directory.path().join("0_0");
    played.tell(RestorerCommand::Close { task: TASK, state, directory, wipe: false });
    assert!(matches!(played.event(), ControlEvent::Closed(TASK)));
    assert!(matches!(played.event(), ControlEvent::Restored { opening: 2, .. }));
    played.stop();
}

#[test]
fn attempts_to_open_a_task_back_off_while_the_restorer_beats() {
    let played = Played::start(None);
    played.open(1);
    let attempts: Vec<Instant> = (0..4).map(|_| played.asked.recv_timeout(PATIENCE).unwrap()).collect();
    for (pair, least) in attempts.windows(2).zip([80, 160, 320]) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(least), "{:?}", pair[1] - pair[0]);
    }
    let last_beat = last_beat(&played.heartbeat, played.started);
    assert!(last_beat >= Duration::from_millis(500), "the last beat was {last_beat:?} after the start");
    played.tell(RestorerCommand::Abandon(TASK));
    assert!(matches!(played.event(), ControlEvent::Closed(TASK)));
    played.stop();
}

#[test]
fn the_restorer_beats_after_every_changelog_of_a_task() {
    let played = Played::start(Some(0..1));
    played.open_stores(1, 3);
    let ControlEvent::Restored { state, .. } = played.event() else { panic!("not restored") };
    state.close().unwrap();
    // Where each changelog ends is asked first, then each is read.
    let heartbeats: Vec<Duration> = played.heartbeats.try_iter().collect();
    assert_eq!(heartbeats.len(), 6);
    assert!(heartbeats.is_sorted_by(|before, after| before < after), "{heartbeats:?}");
    played.stop();
}

#[test]
fn a_store_whose_position_is_not_in_its_changelog_is_rebuilt() {
    // The position is 5: at the end, beyond the end, before the start.
    for (range, kept) in [(5..5, true), (3..3, false), (10..10, false)] {
        let played = Played::start(Some(range.clone()));
        let (changelog, store) = changelog_and_store(0);
        let (directory, memory) = (played.directory.path().join("0_0"), SharedMemory::new(8 << 20).unwrap());
        let mut state = TaskState::open(&directory, &[store], &memory).unwrap().state;
        let mut stored = Position::default();
        stored.set(&changelog.to_string(), 5);
        state.put(0, b"k", Some(b"row")).unwrap();
        state.apply(&stored).unwrap();
        state.close().unwrap();
        played.open(1);
        let ControlEvent::Restored { state, .. } = played.event() else { panic!("not restored: {range:?}") };
        assert_eq!(state.get(0, b"k", &mut |_| ()).unwrap(), kept, "{range:?}");
        assert_eq!(state.position().get(&changelog.to_string()), kept.then_some(5), "{range:?}");
        played.stop();
    }
}
