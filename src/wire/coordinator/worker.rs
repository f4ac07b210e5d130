//! A thread with one connection to the coordinator, fed by a bounded queue.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};

use super::responses::CommittedOffset;
use super::{CoordinatorConnection, CoordinatorSettings, Said, retriable};
use crate::group::ErrorCode;
use crate::group::commit::OffsetToCommit;
use crate::group::member::{Answer, Attempt, Coordinator, Event, Identity, MemberConfig, Refusal, Request};
use crate::types::TopicPartition;
use crate::wire::Error;

/// Requests that may wait for a connection. The member has one of each kind in flight, every stream thread one commit.
const JOBS_MAX: usize = 256;

/// What a fetch of offsets returns.
pub type Fetched = Result<Said<std::collections::BTreeMap<TopicPartition, CommittedOffset>>, Error>;

/// Work for the connection.
pub enum Job {
    /// Look whether the handle closes.
    Close,
    /// Use this coordinator from now on.
    Connect(Coordinator),
    /// Ask, and answer to the control thread.
    Group { attempt: Attempt, request: Request },
    /// Commit, and answer to the one who asked.
    Commit { identity: Identity, offsets: Vec<OffsetToCommit>, answer: Sender<Result<Said<()>, Error>> },
    /// Fetch, and answer to the one who asked.
    Fetch { partitions: Vec<TopicPartition>, answer: Sender<Fetched> },
}

/// The handle of the thread. Dropping it ends the thread, also out of a request that waits.
#[derive(Debug)]
pub struct Worker {
    jobs: Sender<Job>,
    interrupter: Interrupter,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread called `name` that answers on `events`.
    pub fn start(
        name: &str,
        settings: CoordinatorSettings,
        config: MemberConfig,
        events: Sender<Event>,
    ) -> std::io::Result<Self> {
        let (sender, jobs) = bounded(JOBS_MAX);
        let interrupter = Interrupter::default();
        let state = State {
            settings,
            config,
            coordinator: None,
            connection: None,
            bootstrap: 0,
            interrupter: interrupter.clone(),
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(state, &jobs, &events))?;
        Ok(Self { jobs: sender, interrupter, thread: Some(thread) })
    }

    /// Queues a job; gives it back when the queue is full.
    pub fn queue(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
        })
    }

    /// The queue, for those who bring their own answer channel.
    pub fn jobs(&self) -> Sender<Job> {
        self.jobs.clone()
    }

    /// Ends the request in flight, if there is one, and the connection with it.
    pub fn interrupt(&self) {
        self.interrupter.interrupt(false);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.interrupter.interrupt(true);
        // Wakes the thread; when the queue is full, the next job does.
        let _ = self.jobs.try_send(Job::Close);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a coordinator connection thread panicked");
        }
    }
}

/// Lets other threads shut the socket that the worker waits on.
#[derive(Debug, Clone, Default)]
struct Interrupter(Arc<Mutex<Interruption>>);

#[derive(Debug, Default)]
struct Interruption {
    closing: bool,
    /// Counts interruptions, so that one during the opening of a connection is not missed.
    count: u64,
    stream: Option<TcpStream>,
}

impl Interrupter {
    fn lock(&self) -> MutexGuard<'_, Interruption> {
        // The state is valid after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> u64 {
        self.lock().count
    }

    /// Names the socket to shut; false when an interruption came since `count`.
    fn watch(&self, stream: Option<TcpStream>, count: u64) -> bool {
        let mut state = self.lock();
        let in_time = state.count == count && !state.closing;
        state.stream = stream.filter(|_| in_time);
        in_time
    }

    fn forget(&self) {
        self.lock().stream = None;
    }

    fn closing(&self) -> bool {
        self.lock().closing
    }

    fn interrupt(&self, closing: bool) {
        let mut state = self.lock();
        state.closing |= closing;
        state.count += 1;
        if let Some(stream) = state.stream.take() {
            // A socket that is closed already needs no interruption.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

struct State {
    settings: CoordinatorSettings,
    config: MemberConfig,
    coordinator: Option<Coordinator>,
    connection: Option<CoordinatorConnection>,
    /// Which bootstrap server to ask first.
    bootstrap: usize,
    interrupter: Interrupter,
}

/// Serves jobs until every sender is gone or the handle closes. An answer that nobody waits for is dropped.
fn run(mut state: State, jobs: &Receiver<Job>, events: &Sender<Event>) {
    for job in jobs {
        if state.interrupter.closing() {
            return;
        }
        match job {
            Job::Close => {}
            Job::Connect(coordinator) => {
                state.coordinator = Some(coordinator);
                state.connection = None;
            }
            Job::Group { attempt, request } => {
                let result = state.group(request);
                state.answer(events, Event::Reply { attempt, result });
            }
            Job::Commit { identity, offsets, answer } => {
                let result =
                    state.on(|connection, config| connection.offset_commit(&config.group_id, &identity, &offsets));
                if let Ok(Err(code)) = &result {
                    let (generation, code) = (identity.generation, *code);
                    state.answer(events, Event::CommitRefused { generation, code });
                }
                let _ = answer.send(result);
            }
            Job::Fetch { partitions, answer } => {
                let _ =
                    answer.send(state.on(|connection, config| connection.offset_fetch(&config.group_id, &partitions)));
            }
        }
    }
}

impl State {
    /// Waits for room on the control thread's channel, unless the handle closes.
    fn answer(&self, events: &Sender<Event>, mut event: Event) {
        while let Err(SendTimeoutError::Timeout(unsent)) = events.send_timeout(event, Duration::from_millis(100)) {
            if self.interrupter.closing() {
                return;
            }
            event = unsent;
        }
    }

    fn group(&mut self, request: Request) -> Result<Answer, Refusal> {
        let said = match request {
            Request::FindCoordinator => self.find_coordinator().map(|said| said.map(Answer::Coordinator)),
            Request::JoinGroup { member_id, subscription, reason } => self
                .on(|connection, config| connection.join_group(config, &member_id, &subscription, reason))
                .map(joined),
            Request::SyncGroup { identity, assignments } => {
                let said = self.on(|connection, config| connection.sync_group(config, &identity, &assignments));
                said.map(|said| said.map(Answer::Synced))
            }
            Request::Heartbeat(identity) => {
                let said = self.on(|connection, config| connection.heartbeat(&config.group_id, &identity));
                said.map(|said| said.map(|()| Answer::Alive))
            }
            Request::LeaveGroup { member_id } => {
                let said = self.on(|connection, config| connection.leave_group(&config.group_id, &member_id));
                said.map(|said| said.map(|()| Answer::Left))
            }
        };
        said.map_err(|error| Refusal::Disconnected(error.to_string()))?.map_err(Refusal::Code)
    }

    /// Asks the bootstrap servers in turn, each a connection of its own, until one answers.
    fn find_coordinator(&mut self) -> Result<Said<Coordinator>, Error> {
        let servers = &self.settings.bootstrap_servers;
        let mut last = retriable("find the group coordinator", "no bootstrap server");
        for _ in 0..servers.len() {
            let server = &servers[self.bootstrap % servers.len()];
            let asked = ask_bootstrap(&self.settings, server, &self.config.group_id);
            match asked {
                Ok(said) => return Ok(said),
                Err(error) => last = error,
            }
            self.bootstrap = (self.bootstrap + 1) % servers.len();
        }
        Err(last)
    }

    /// Runs one request on the connection to the coordinator, opening it when needed and dropping it after an error.
    fn on<T>(
        &mut self,
        call: impl FnOnce(&mut CoordinatorConnection, &MemberConfig) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.connection.is_none() {
            let known = self.coordinator.as_ref();
            let coordinator = known.ok_or_else(|| retriable("group coordinator", "not known yet"))?;
            let count = self.interrupter.count();
            let connection = CoordinatorConnection::open(&self.settings, &coordinator.host, coordinator.port)?;
            if !self.interrupter.watch(connection.interrupter().ok(), count) {
                return Err(retriable("group coordinator", "given up for another coordinator"));
            }
            self.connection = Some(connection);
        }
        let connection = self.connection.as_mut().ok_or_else(|| retriable("group coordinator", "not connected"))?;
        let result = call(connection, &self.config);
        if result.is_err() {
            self.connection = None;
            self.interrupter.forget();
        }
        result
    }
}

fn ask_bootstrap(settings: &CoordinatorSettings, server: &str, group_id: &str) -> Result<Said<Coordinator>, Error> {
    let address = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = address.ok_or_else(|| retriable(server, "a bootstrap server is written host:port"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    CoordinatorConnection::open(settings, host, port)?.find_coordinator(group_id)
}

fn joined(result: Result<super::Joined, super::JoinError>) -> Said<Answer> {
    match result {
        Ok(joined) => {
            Ok(Answer::Joined { member_id: joined.member_id, generation: joined.generation, lead: joined.lead })
        }
        Err(error) if error.code == ErrorCode::MEMBER_ID_REQUIRED && !error.member_id.is_empty() => {
            Ok(Answer::MemberId(error.member_id))
        }
        Err(error) => Err(error.code),
    }
}
