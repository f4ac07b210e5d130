//! Clients that mean harm: the server's memory stays flat, and a good reader gets right answers all the while.
//!
//! The library's own server over a store in memory. One abuse at a time: memory is the heap of the whole process, the
//! attacking side included. Bytes in use are counted, because how much more the system's allocator keeps for later is a
//! matter of timing.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg::query::{
    Catalog, Config, Health, Instance, Limits, LocalTask, Metrics, Published, Role, Server, Topology, ViewSpec, router,
};
use thalweg::serde::{JsonSerde, SerdeViewCodec, StringSerde};
use thalweg::types::TaskId;
use thalweg_state::layout::encode_timestamped;
use thalweg_state::{Backend, Position, SharedMemory, StoreSpec, TaskState};
use thalweg_tests::heap::Heap;
use thalweg_tests::{http, wait_until};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(60);
const ROWS: usize = 2_000;
/// A page of a thousand rows has 1 MiB, the largest there is.
const VALUE_BYTES: usize = 1_100;
/// Slowest answer that the good reader may get, on a machine that does much else.
const GOOD_ANSWER_MAX: Duration = Duration::from_secs(5);
const MIB: usize = 1 << 20;

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Held during an abuse: its memory must not be that of another.
static ALONE: Mutex<()> = Mutex::new(());

/// A server over one view, `rows`, whose keys are `k0` to `k1999`.
struct Target {
    runtime: Runtime,
    server: Option<Server>,
    address: SocketAddr,
    _state: TaskState,
    _directory: tempfile::TempDir,
}

fn value(row: usize) -> Value {
    json!({"row": row, "text": "x".repeat(VALUE_BYTES)})
}

impl Target {
    fn start(limits: Limits, config: Config) -> Self {
        thalweg::cli::raise_open_files();
        let directory = tempfile::tempdir().unwrap();
        let spec = StoreSpec { name: "rows".to_owned(), backend: Backend::Memory, changelog: None };
        let mut state = TaskState::open(directory.path(), &[spec], &SharedMemory::new(8 << 20).unwrap()).unwrap().state;
        for row in 0..ROWS {
            let mut stored = Vec::new();
            encode_timestamped(row as i64, value(row).to_string().as_bytes(), &mut stored);
            state.put(0, format!("k{row}").as_bytes(), Some(&stored)).unwrap();
        }
        state.apply(&Position::default()).unwrap();
        let published = Arc::new(published(&state));

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let metrics = Metrics::new().unwrap();
        let router = {
            let _entered = runtime.enter();
            router(published, Arc::clone(&metrics), config)
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::start(runtime.handle(), listener, router, limits, metrics).unwrap();
        let address = server.address();
        Self { runtime, server: Some(server), address, _state: state, _directory: directory }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn get(&self, path: &str) -> http::Answer {
        http::get(&format!("http://{}{path}", self.address)).unwrap()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop(Duration::ZERO));
        }
    }
}

fn published(state: &TaskState) -> Published {
    let task = TaskId::new(0, 0);
    let view = ViewSpec {
        name: "rows".to_owned(),
        store: "rows".to_owned(),
        subtopology: 0,
        store_index: 0,
        partitions: 1,
        key_type: "String".to_owned(),
        value_type: "Value".to_owned(),
        codec: Arc::new(SerdeViewCodec::<String, Value, _, _>::new("rows", StringSerde, JsonSerde::<Value>::new())),
    };
    let views = BTreeMap::from([("rows".to_owned(), Arc::new(view))]);
    let topology = Topology { application_id: "app".to_owned(), views, ..Topology::default() };
    let this = Instance { id: "a".to_owned(), endpoint: None };
    let published = Published::starting(topology, this, Health::default());
    published.routing.rcu(|table| {
        let mut table = (**table).clone();
        table.version = 1;
        table.active.insert(task, 0);
        table
    });
    let local = LocalTask {
        role: Role::Active,
        state: "running".to_owned(),
        reader: Some(state.reader()),
        progress: Arc::default(),
    };
    published.catalog.store(Arc::new(Catalog { tasks: BTreeMap::from([(task, local)]) }));
    published
}

/// A client that asks one key after the other and checks every answer.
struct GoodReader {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    thread: JoinHandle<Duration>,
}

impl GoodReader {
    fn start(address: SocketAddr) -> Self {
        let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let thread = {
            let (stop, answers) = (Arc::clone(&stop), Arc::clone(&answers));
            std::thread::spawn(move || {
                let mut slowest = Duration::ZERO;
                for row in (0..ROWS).cycle().step_by(7) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let started = Instant::now();
                    let answer = http::get(&format!("http://{address}/v1/views/rows/k{row}")).unwrap();
                    slowest = slowest.max(started.elapsed());
                    assert_eq!((answer.status, &answer.json()["value"]), (200, &value(row)), "k{row}");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                slowest
            })
        };
        Self { stop, answers, thread }
    }

    /// Waits for `count` more answers, so that some fall into what happens now.
    fn wait_for_more(&self, count: usize) {
        let before = self.answers.load(Ordering::Relaxed);
        let enough = || self.answers.load(Ordering::Relaxed) >= before + count || self.thread.is_finished();
        wait_until(PATIENCE, "the good reader's answers", enough);
        assert!(!self.thread.is_finished(), "the good reader got a wrong answer");
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let slowest = self.thread.join().unwrap();
        let answers = self.answers.load(Ordering::Relaxed);
        println!("good reader: {answers} answers, the slowest in {slowest:?}");
        assert!(slowest < GOOD_ANSWER_MAX, "{slowest:?}");
    }
}

/// Runs `abuse` beside a good reader; memory may grow by `bytes` meanwhile.
fn under(limits: Limits, config: Config, bytes: usize, abuse: impl FnOnce(&Target, &GoodReader)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Target::start(limits, config);
    let reader = GoodReader::start(target.address);
    // What the first requests and the largest answer need once is not the abuse's.
    for _ in 0..20 {
        assert_eq!(target.get("/v1/views/rows?limit=1000").status, 200);
    }
    reader.wait_for_more(50);
    let before = HEAP.watch();
    abuse(&target, &reader);
    reader.wait_for_more(20);
    let grown = HEAP.most() - before;
    println!("memory: {} KiB at first, at most {} KiB more", before / 1024, grown / 1024);
    assert!(grown <= bytes, "grew by {} KiB, may by {} KiB", grown / 1024, bytes / 1024);
    reader.end();
}

/// Connections that fit into the limit of open files with both their ends, at most `wanted`.
fn connections(wanted: usize) -> usize {
    let files = thalweg::cli::raise_open_files().and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    let possible = wanted.min(files.saturating_sub(200) / 2);
    println!("{possible} connections");
    possible
}

/// Reads until the server has closed or reset; what it sent before.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
        Err(error) => panic!("the server did not close: {error}"),
    }
    bytes
}

fn limits() -> Limits {
    Limits { header_read_timeout: Duration::from_secs(1), write_timeout: Duration::from_secs(1), connections_max: 8192 }
}

const READ: &str = "GET /v1/views/rows/k1 HTTP/1.1\r\nHost: x\r\n\r\n";
const PAGE: &str = "GET /v1/views/rows?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn idle_connections_cost_little_and_are_closed() {
    let count = connections(5_000);
    let limits = Limits { header_read_timeout: Duration::from_secs(5), ..limits() };
    // Read buffer, timer and task of a connection: 19 KiB. The rest is headroom.
    under(limits, Config::default(), 24 * 1024 * count, |target, reader| {
        let mut idle: Vec<TcpStream> = Vec::new();
        for number in 1..=count {
            let mut stream = target.connect();
            // Some ask once and stay; their answers say that all before them are connected too.
            if number % 50 == 0 {
                let mut answer = [0; 15];
                stream.write_all(READ.as_bytes()).unwrap();
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"HTTP/1.1 200 OK");
            }
            idle.push(stream);
        }
        reader.wait_for_more(20);
        idle[0].set_nonblocking(true).unwrap();
        let open = idle[0].peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        assert!(open, "the first is open when the last is: all are there at once");
        idle[0].set_nonblocking(false).unwrap();
        for mut stream in idle {
            read_all(&mut stream);
        }
    });
}

#[test]
fn headers_that_never_end_are_cut() {
    let count = connections(500);
    under(limits(), Config::default(), 72 * 1024 * count, |target, reader| {
        let mut slow: Vec<TcpStream> = (0..count).map(|_| target.connect()).collect();
        let start = format!("GET / HTTP/1.1\r\nHost: x\r\nx: {}", "y".repeat(30_000));
        for stream in &mut slow {
            // An error: it took so long to get here that the limit has passed already.
            let _ = stream.write_all(start.as_bytes());
        }
        // A byte now and then until the limit of each has passed.
        let started = Instant::now();
        while started.elapsed() < 2 * limits().header_read_timeout {
            for stream in &mut slow {
                // An error is the end that is wanted.
                let _ = stream.write_all(b"y");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        reader.wait_for_more(20);
        for mut stream in slow {
            assert_eq!(read_all(&mut stream), b"", "closed without an answer");
        }
    });
}

#[test]
fn floods_of_headers_and_bodies_are_not_taken() {
    under(limits(), Config::default(), 2 * MIB, |target, reader| {
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65_536], b"\r\n"].concat();
        let floods: [(&str, &[u8]); 4] = [
            ("GET /v1/views HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", &chunk),
            ("POST /v1/views HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", &[b'x'; 65_536]),
            ("GET / HTTP/1.1\r\nHost: x\r\n", &b"x: y\r\n".repeat(10_000)),
            ("GET /", &[b'k'; 65_536]),
        ];
        for (start, part) in floods.iter().cycle().take(40) {
            let mut stream = target.connect();
            stream.write_all(start.as_bytes()).unwrap();
            let taken = (0..2_000).take_while(|_| stream.write_all(part).is_ok()).count();
            assert!(taken < 500, "{taken} parts of 64 KiB were taken after {start:?}");
            let answer = String::from_utf8_lossy(&read_all(&mut stream)).into_owned();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        reader.wait_for_more(20);
    });
}

/// Clients that ask for more pages than the kernel holds for a connection, and read nothing.
fn stalled(target: &Target) -> Vec<TcpStream> {
    let ask = |_| {
        let mut stream = target.connect();
        stream.write_all(PAGE.repeat(30).as_bytes()).unwrap();
        stream
    };
    (0..40).map(ask).collect()
}

#[test]
fn readers_that_stop_reading_are_cut() {
    // A page for each of them, and eight being read.
    under(limits(), Config::default(), (40 + 3 * 8) * MIB, |target, reader| {
        for stream in stalled(target) {
            let cut = || stream.take_error().unwrap().is_some();
            wait_until(PATIENCE, "a reset of a client that does not read", cut);
        }
        reader.wait_for_more(20);
    });
}

#[test]
fn answers_that_nobody_takes_leave_room_for_small_ones() {
    const OUTGOING_MIB: usize = 8;
    let config = Config { outgoing_bytes_max: OUTGOING_MIB * MIB, ..Config::default() };
    let limits = Limits { write_timeout: PATIENCE, ..limits() };
    // What waits, and eight pages being read.
    under(limits, config, (OUTGOING_MIB + 3 * 8) * MIB, |target, reader| {
        let stalled = stalled(target);
        let refused = || target.get("/v1/views/rows?limit=1000").status == 503;
        wait_until(PATIENCE, "waiting answers to fill their room", refused);
        reader.wait_for_more(20);
        assert_eq!(target.get("/v1/views/rows/k5").status, 200, "small answers go on");
        drop(stalled);
        let answered = || target.get("/v1/views/rows?limit=1000").status == 200;
        wait_until(PATIENCE, "the room to be free again", answered);
    });
}

#[test]
fn half_closed_connections_get_their_answer_or_nothing() {
    // As much as idle ones may cost.
    under(limits(), Config::default(), 12 * MIB, |target, reader| {
        let sides = |request: &str| -> Vec<TcpStream> {
            let streams = (0..connections(500)).map(|_| {
                let mut stream = target.connect();
                stream.write_all(request.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                stream
            });
            streams.collect()
        };
        for mut stream in sides(READ) {
            let answer = String::from_utf8(read_all(&mut stream)).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
            assert_eq!(serde_json::from_str::<Value>(body).unwrap()["value"], value(1));
        }
        for mut stream in sides(&READ[..READ.len() - 2]) {
            assert_eq!(read_all(&mut stream), b"", "half a request is none");
        }
        reader.wait_for_more(20);
    });
}

#[test]
fn hundreds_of_reads_at_once_are_all_answered() {
    let count = connections(500);
    let limits = Limits { header_read_timeout: Duration::from_secs(20), ..limits() };
    under(limits, Config::default(), 32 * 1024 * count, |target, reader| {
        let mut streams: Vec<TcpStream> = (0..count).map(|_| target.connect()).collect();
        for stream in &mut streams {
            stream.write_all(READ.as_bytes()).unwrap();
        }
        reader.wait_for_more(5);
        let mut head = [0; 15];
        for stream in &mut streams {
            stream.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200 OK");
        }
    });
}

#[test]
fn pipelined_garbage_and_vanishing_clients_cost_nothing() {
    // As much as idle ones may cost.
    under(limits(), Config::default(), 12 * MIB, |target, reader| {
        let garbage = [READ.as_bytes(), b"\0\xff\x16\x03 nonsense\r\n\r\n", PAGE.as_bytes()].concat();
        for round in 0..500 {
            let mut stream = target.connect();
            stream.write_all(&garbage).unwrap();
            match round % 3 {
                0 => {
                    let answers = String::from_utf8_lossy(&read_all(&mut stream)).into_owned();
                    assert!(answers.starts_with("HTTP/1.1 200 OK") && answers.contains("HTTP/1.1 400 "), "{answers}");
                }
                // Gone in the middle of an answer, with bytes unread: a reset.
                1 => drop(stream.read(&mut [0; 10]).unwrap()),
                _ => {}
            }
        }
        reader.wait_for_more(20);
    });
}
