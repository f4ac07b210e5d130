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

/// A cluster that tells these offsets or none, and never has a record.
struct Quiet {
    range: Option<Range<Offset>>,
    asked: Sender<Instant>,
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
        _: &TopicPartition,
        _: usize,
        _: &mut SourceBatch,
    ) -> Result<Option<PartitionEvent>, wire::Error> {
        Ok(None)
    }

    fn wait(&mut self, timeout: Duration) -> bool {
        std::thread::park_timeout(timeout);
        false
    }

    fn offsets(&mut self, at: &TopicPartition, _: Duration) -> Result<Range<Offset>, wire::Error> {
        let _ = self.asked.send(Instant::now());
        let away = || wire::Error { kind: WireError::Retriable, context: at.to_string(), reason: "away".to_owned() };
        self.range.clone().ok_or_else(away)
    }

    fn close(self: Box<Self>, _: Duration) {}
}

fn changelog_and_store() -> (TopicPartition, StoreSpec) {
    let changelog = TopicPartition::new("app-counts-changelog", 0);
    let store =
        StoreSpec { name: "counts".to_owned(), backend: Backend::RocksDb, changelog: Some(changelog.to_string()) };
    (changelog, store)
}

struct Played {
    commands: Sender<RestorerCommand>,
    events: Receiver<ControlEvent>,
    asked: Receiver<Instant>,
    heartbeat: Heartbeat,
    started: Instant,
    join: JoinHandle<()>,
    directory: TempDir,
}

impl Played {
    fn start(range: Option<Range<Offset>>) -> Self {
        let (commands, received) = unbounded();
        let (tell, events) = bounded(100);
        let (ask, asked) = unbounded();
        let started = Instant::now();
        let heartbeat = Heartbeat::new("restorer", Duration::ZERO, started);
        let memory = Arc::new(SharedMemory::new(8 << 20).unwrap());
        let quiet = Box::new(Quiet { range, asked: ask });
        let clock = Clock::start(std::time::SystemTime::now);
        let metrics = Metrics::new().unwrap();
        let restorer = Restorer::new(quiet, memory, clock, heartbeat.clone(), received, tell, metrics);
        let join = std::thread::spawn(move || restorer.run());
        let directory = TempDir::new().unwrap();
        Self { commands, events, asked, heartbeat, started, join, directory }
    }

    fn open(&self, opening: Opening) {
        let (changelog, store) = changelog_and_store();
        self.tell(RestorerCommand::Open(OpenTask {
            task: TASK,
            opening,
            backoff: Backoff::new(opening),
            directory: self.directory.path().join("0_0"),
            stores: vec![store],
            changelogs: vec![(0, changelog)],
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
    // The silence as it looks an hour after the start shows when the last beat was.
    let hour = Duration::from_secs(3_600);
    let last_beat = hour - played.heartbeat.stuck_for(played.started + hour).unwrap();
    assert!(last_beat >= Duration::from_millis(500), "the last beat was {last_beat:?} after the start");
    played.tell(RestorerCommand::Abandon(TASK));
    assert!(matches!(played.event(), ControlEvent::Closed(TASK)));
    played.stop();
}

#[test]
fn a_store_whose_position_is_not_in_its_changelog_is_rebuilt() {
    // The position is 5: at the end, beyond the end, before the start.
    for (range, kept) in [(5..5, true), (3..3, false), (10..10, false)] {
        let played = Played::start(Some(range.clone()));
        let (changelog, store) = changelog_and_store();
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
