#![allow(clippy::unwrap_used)]

//! The control thread with its threads and the coordinator played by hand: nothing is sent anywhere.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use tempfile::TempDir;
use thalweg_state::SharedMemory;

use super::super::events::{EVENTS_MAX, commands_max};
use super::super::publisher::instance;
use super::super::restorer::OpenTask;
use super::super::state_directory::StateDirectory;
use super::super::workers::Worker;
use super::*;
use crate::dsl::{Consumed, Grouped, Materialized, StreamsBuilder};
use crate::group::ErrorCode;
use crate::group::codec::{AssignmentInfo, ConsumerAssignment, LATEST_VERSION, NO_REBALANCE, ProcessId};
use crate::group::leader::TaskInputs;
use crate::group::member::{Answer, Attempt, Coordinator, MemberConfig};
use crate::query::{Health, Metrics, Published, Topology};
use crate::serde::StringSerde;
use crate::task::Recipes;
use crate::types::TopicPartition;
use crate::wire::coordinator::CoordinatorSettings;

const PATIENCE: Duration = Duration::from_secs(20);

fn task(number: i32) -> TaskId {
    TaskId::new(0, number)
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("in", number)
}

fn recipes() -> Recipes {
    let builder = StreamsBuilder::new();
    let records = builder.stream::<String, String, _, _>("in", Consumed::with(StringSerde, StringSerde));
    let grouped = records.group_by_key(Grouped::with(StringSerde, StringSerde));
    grouped.count(Materialized::named("counts").in_memory());
    builder.build("app").unwrap()
}

/// A control thread in a test's hands.
struct Desk {
    control: Control,
    thread: Receiver<ThreadCommand>,
    restorer: Receiver<RestorerCommand>,
    events: Sender<ControlEvent>,
    memory: SharedMemory,
    /// Of the last request that is answered.
    attempt: Attempt,
    generation: i32,
    _directory: TempDir,
}

impl Desk {
    /// A member of a plan of `tasks` tasks that has none yet; channels hold `room` commands.
    fn new(tasks: i32, room: usize) -> Self {
        let (thread, thread_commands) = bounded(room);
        Self::with_thread(tasks, room, Worker::played(thread, None), thread_commands)
    }

    fn with_thread(tasks: i32, room: usize, worker: Worker, thread: Receiver<ThreadCommand>) -> Self {
        let directory = TempDir::new().unwrap();
        let (restorer, restorer_commands) = bounded(room);
        let (events, received) = bounded(EVENTS_MAX);
        let workers = Workers {
            recipes: Arc::new(recipes()),
            directory: Arc::new(StateDirectory::open(directory.path(), "app").unwrap()),
            threads: vec![worker],
            restorer,
            restorer_join: None,
        };
        let control = control(tasks, workers, received);
        let (attempt, generation) = (Attempt(0), 0);
        let memory = SharedMemory::new(1 << 20).unwrap();
        let restorer = restorer_commands;
        let mut desk = Self { control, thread, restorer, events, memory, attempt, generation, _directory: directory };
        assert_eq!(desk.control.drain_group(), None);
        desk.answer(Answer::Coordinator(Coordinator { host: "127.0.0.1".to_owned(), port: 1 }));
        desk
    }

    /// Answers the last request of the member.
    fn answer(&mut self, answer: Answer) {
        self.attempt.0 += 1;
        self.control.tell_group(Event::Reply { attempt: self.attempt, result: Ok(answer) });
        assert_eq!(self.control.drain_group(), None);
    }

    /// A whole rebalance that gives the member these tasks.
    fn assign(&mut self, numbers: &[i32]) {
        self.control.tell_group(Event::RejoinRequested);
        assert_eq!(self.control.drain_group(), None);
        self.generation += 1;
        self.answer(Answer::Joined { member_id: "m1".to_owned(), generation: self.generation, lead: None });
        let info = AssignmentInfo {
            commonly_supported_version: LATEST_VERSION,
            active: numbers.iter().copied().map(task).collect(),
            next_rebalance_ms: NO_REBALANCE,
            ..AssignmentInfo::default()
        };
        let partitions = numbers.iter().copied().map(partition).collect();
        self.answer(Answer::Synced(ConsumerAssignment { partitions, user_data: info.encode() }.encode()));
    }

    /// The next command of the restorer, which must be an opening.
    fn opened(&self) -> OpenTask {
        match self.restorer.try_recv() {
            Ok(RestorerCommand::Open(open)) => open,
            Ok(_) => panic!("another command"),
            Err(_) => panic!("no command"),
        }
    }

    fn state(&self, open: &OpenTask) -> TaskState {
        TaskState::open(Path::new(""), &open.stores, &self.memory).unwrap().state
    }

    /// The restorer is done with an opening.
    fn restored(&mut self, open: &OpenTask) {
        let state = self.state(open);
        self.control.handle(ControlEvent::Restored { task: open.task, opening: open.opening, state });
    }

    /// The thread is given the task that was assigned.
    fn run(&mut self, number: i32) -> TaskState {
        self.assign(&[number]);
        let open = self.opened();
        self.restored(&open);
        self.started()
    }

    /// The state of the task that the thread is told to start.
    fn started(&self) -> TaskState {
        match self.thread.try_recv() {
            Ok(ThreadCommand::Start(start)) => start.state,
            _ => panic!("no start"),
        }
    }

    fn released(&mut self, number: i32, state: TaskState, cause: ReleaseCause) {
        self.control.handle(ControlEvent::Released(Released { tasks: vec![(task(number), state)], cause }));
        assert_eq!(self.control.drain_group(), None);
    }

    /// Subscriptions written so far.
    fn described(&self) -> i8 {
        self.control.subscription.unique
    }
}

fn control(tasks: i32, workers: Workers, events: Receiver<ControlEvent>) -> Control {
    let clock = Clock::start(std::time::SystemTime::now);
    let settings = CoordinatorSettings::from_client([("bootstrap.servers", "127.0.0.1:1")]).unwrap();
    let hour = 3_600_000;
    let config = MemberConfig { session_timeout_ms: hour, heartbeat_interval_ms: hour, ..MemberConfig::new("app") };
    let this_instance = instance("127.0.0.1:80".to_owned());
    let published = Published::starting(Topology::default(), this_instance.clone(), Health::default());
    let inputs = |number| TaskInputs { stateful: true, partitions: vec![partition(number)] };
    Control {
        clock,
        group: Group::start(clock.tick(), &settings, config).unwrap(),
        subscription: SubscriptionInfo {
            latest_supported_version: LATEST_VERSION,
            process_id: ProcessId([1; 16]),
            endpoint: None,
            offset_sums: BTreeMap::new(),
            unique: 0,
            error_code: 0,
            client_tags: BTreeMap::new(),
        },
        tasks: (0..tasks).map(|number| (task(number), inputs(number))).collect(),
        workers,
        publisher: Publisher::new(Arc::new(published), Metrics::new().unwrap(), this_instance),
        heartbeat: Heartbeat::new("control", PATIENCE, Instant::now()),
        events,
        placements: BTreeMap::new(),
        releasing: Vec::new(),
        last_opening: 0,
        retries: Retries::new(1),
        failure: None,
    }
}

#[test]
fn an_answer_to_an_older_opening_starts_nothing() {
    let mut desk = Desk::new(1, 100);
    desk.assign(&[0]);
    let first = desk.opened();
    desk.assign(&[]);
    assert!(matches!(desk.restorer.try_recv(), Ok(RestorerCommand::Abandon(_))));
    desk.assign(&[0]);
    let second = desk.opened();
    desk.restored(&first);
    assert!(desk.thread.is_empty(), "the state of the first opening is not started");
    assert!(matches!(desk.restorer.try_recv(), Ok(RestorerCommand::Close { wipe: false, .. })), "it is closed");
    let error = thalweg_state::Error {
        kind: thalweg_state::ErrorKind::Io,
        context: "opening".to_owned(),
        reason: "late news".to_owned(),
    };
    desk.control.handle(ControlEvent::RestoreFailed { task: task(0), opening: first.opening, error });
    assert!(desk.control.failure.is_none());
    desk.restored(&second);
    assert!(matches!(desk.thread.try_recv(), Ok(ThreadCommand::Start(start)) if start.task == task(0)));
}

#[test]
fn after_a_fenced_commit_the_member_rejoins_at_once() {
    let mut desk = Desk::new(1, 100);
    let state = desk.run(0);
    let described = desk.described();
    desk.released(0, state, ReleaseCause::Fenced);
    assert_eq!(desk.described(), described + 1, "a new subscription, before any heartbeat");
    assert!(desk.control.placements.is_empty());
    assert!(matches!(desk.restorer.try_recv(), Ok(RestorerCommand::Close { .. })));
    // Already rejoining: the request in `assign` is one too many and ignored.
    desk.assign(&[0]);
    assert_eq!(desk.opened().task, task(0), "what is given back is opened again");
}

#[test]
fn the_member_hears_of_a_refused_commit_before_its_tasks_are_given_up() {
    let mut desk = Desk::new(1, 100);
    let state = desk.run(0);
    let described = desk.described();
    let (generation, code) = (desk.generation, ErrorCode::UNKNOWN_MEMBER_ID);
    let tasks = vec![(task(0), state)];
    // Whatever is read first, the refusal is not: another answer, which nobody waits for, is before it.
    desk.control.group.answer(Event::Reply { attempt: Attempt(0), result: Ok(Answer::Alive) });
    desk.control.group.answer(Event::CommitRefused { generation, code });
    desk.events.send(ControlEvent::Released(Released { tasks, cause: ReleaseCause::Fenced })).unwrap();
    while desk.control.placements.contains_key(&task(0)) {
        assert_eq!(desk.control.turn(), None);
    }
    assert_eq!(desk.control.group.member().identity(), None, "the identity is void");
    assert_eq!(desk.described(), described + 1, "it rejoins once, as a new member");
    assert!(desk.control.releasing.is_empty());
}

#[test]
fn a_task_that_is_lost_while_it_is_revoked_ends_the_commit_that_is_repeated() {
    let mut desk = Desk::new(1, 100);
    let state = desk.run(0);
    desk.assign(&[]);
    assert!(matches!(desk.thread.try_recv(), Ok(ThreadCommand::Release { commit: true, .. })));
    assert!(!desk.control.workers.threads[0].is_lost());
    let (generation, code) = (desk.generation, ErrorCode::UNKNOWN_MEMBER_ID);
    desk.control.tell_group(Event::CommitRefused { generation, code });
    assert_eq!(desk.control.drain_group(), None);
    assert!(matches!(desk.thread.try_recv(), Ok(ThreadCommand::Release { commit: false, .. })));
    assert!(desk.control.workers.threads[0].is_lost(), "told before the command is read");
    let described = desk.described();
    desk.released(0, state, ReleaseCause::Fenced);
    assert_eq!(desk.described(), described + 1, "both orders are answered");
}

#[test]
fn a_failed_task_is_opened_again_after_a_wait_that_grows() {
    let mut desk = Desk::new(1, 100);
    let mut state = desk.run(0);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let failed_at = desk.control.clock.tick();
        desk.released(0, state, ReleaseCause::Reopen { reason: "a test".to_owned() });
        waits.push(desk.control.retries.deadline().since(failed_at));
        assert!(matches!(desk.restorer.try_recv(), Ok(RestorerCommand::Close { .. })));
        while desk.restorer.is_empty() {
            assert_eq!(desk.control.turn(), None);
        }
        let open = desk.opened();
        desk.restored(&open);
        state = desk.started();
    }
    assert!(waits[0] < 150 && waits[2] >= 320, "{waits:?} ms");
}

#[test]
fn the_channels_have_room_for_a_whole_life_of_every_task_of_the_plan() {
    let count = 1_500;
    let room = commands_max(usize::try_from(count).unwrap());
    let mut desk = Desk::new(count, room);
    let all: Vec<i32> = (0..count).collect();
    desk.assign(&all);
    let openings: Vec<OpenTask> = all.iter().map(|_| desk.opened()).collect();
    openings.iter().for_each(|open| desk.restored(open));
    // Nobody takes a command from here on.
    desk.assign(&[]);
    let (generation, code) = (desk.generation, ErrorCode::ILLEGAL_GENERATION);
    desk.control.tell_group(Event::CommitRefused { generation, code });
    assert_eq!(desk.control.drain_group(), None);
    let tasks = openings.iter().map(|open| (open.task, desk.state(open))).collect();
    desk.control.handle(ControlEvent::Released(Released { tasks, cause: ReleaseCause::Told }));
    assert!(desk.control.failure.is_none(), "{:?}", desk.control.failure);
    assert_eq!((desk.thread.len(), desk.restorer.len()), (1_502, 1_500));
}

/// Does `work` on a thread of its own: a control thread that waits for room would wait for ever.
fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = bounded(1);
    let worker = std::thread::spawn(move || done.send(work()));
    let result = ended.recv_timeout(PATIENCE);
    result.unwrap_or_else(|error| panic!("{error}; the work has panicked: {}", worker.is_finished()))
}

#[test]
fn a_thread_that_takes_no_commands_ends_the_run_with_its_name() {
    let (failure, placements, end) = within_patience(|| {
        let mut desk = Desk::new(1, 1);
        desk.assign(&[0]);
        let open = desk.opened();
        desk.restored(&open);
        desk.assign(&[]);
        let failure = desk.control.failure.as_ref().map(ToString::to_string);
        (failure, desk.control.placements.len(), desk.control.run())
    });
    let stuck = Stuck { thread: "stream thread 1".to_owned(), waiting: 1 };
    assert_eq!(failure, Some(RunError::Stuck(stuck.clone()).to_string()));
    assert_eq!(placements, 0, "nobody is sent to its tasks");
    assert!(matches!(end, Err(RunError::Stuck(found)) if found == stuck));
}

#[test]
fn a_restorer_that_takes_no_commands_ends_the_run_with_its_name() {
    let end = within_patience(|| {
        let mut desk = Desk::new(2, 1);
        desk.assign(&[0, 1]);
        desk.control.run()
    });
    let stuck = Stuck { thread: "the restorer".to_owned(), waiting: 1 };
    assert!(matches!(end, Err(RunError::Stuck(found)) if found == stuck));
}

#[test]
fn a_thread_that_tells_more_than_fits_at_the_end_does_not_hold_up_the_stop() {
    let (thread, commands) = bounded(10);
    let (sender, senders) = bounded::<Sender<ControlEvent>>(1);
    let told = commands.clone();
    let join = std::thread::spawn(move || {
        let events = senders.recv().unwrap();
        while !matches!(told.recv(), Ok(ThreadCommand::Stop)) {}
        while events.send(ControlEvent::Closed(task(0))).is_ok() {}
    });
    let desk = Desk::with_thread(1, 10, Worker::played(thread, Some(join)), commands);
    sender.send(desk.events.clone()).unwrap();
    desk.events.send(ControlEvent::Stop).unwrap();
    let (done, ended) = bounded(1);
    let control = desk.control;
    std::thread::spawn(move || done.send(control.run().is_ok()));
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(true));
}
