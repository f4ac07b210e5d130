//! One deployment of the application: its topics, its events, its places, what its views must say.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use thalweg::types::{Headers, partition_of};
use thalweg::wire::KafkaClients;
use thalweg_tests::child::Program;
use thalweg_tests::records::{self, Record};
use thalweg_tests::wait::wait_for;
use thalweg_tests::{Instance, Kafka, free_port, http, unique, views};

use crate::topology::{EVENTS, GROUPS, Group, SEEN, SHAPE, Seen, group_of};
use crate::{CONFIG, POINT};

/// Stands for the port in the configuration.
const PORT: &str = "<port>";
/// Of the topic of events.
pub const PARTITIONS: i32 = 4;
pub const READY: Duration = Duration::from_secs(60);
pub const PROCESSED: Duration = Duration::from_secs(60);
pub const STOP: Duration = Duration::from_secs(30);

/// An application and the events it was told so far.
pub struct Application {
    pub id: String,
    /// Topic of the events.
    pub events: String,
    pub clients: KafkaClients,
    pub port: u16,
    partitions: i32,
    shape: String,
    config: String,
    dir: TempDir,
    /// Number of the last event of each key.
    told: BTreeMap<String, u64>,
    events_told: usize,
}

impl Application {
    /// Creates the topic of events, `settings` are further lines of TOML.
    pub fn prepare(kafka: &Kafka, settings: &str) -> Self {
        Self::shaped(kafka, "", PARTITIONS, settings)
    }

    /// As [`Application::prepare`], with one of the other shapes of the topology.
    pub fn shaped(kafka: &Kafka, shape: &str, partitions: i32, settings: &str) -> Self {
        let (id, port) = (unique("faults"), free_port());
        let events = format!("{id}-events");
        let clients = kafka.clients();
        records::create_topic(&clients, &events, partitions, &[]);
        // Goes with the broker's files, however the test binary ends.
        let dir = tempfile::tempdir_in(kafka.directory()).expect("a temporary directory");
        // The identity survives a kill: nobody waits for the session to end.
        let config = format!(
            "\
application.id = \"{id}\"
application.state_dir = \"{state}\"
application.commit_interval_ms = 100
kafka.bootstrap_servers = \"{servers}\"
kafka.group.instance_id = \"only\"
kafka.group.session_timeout_ms = 6000
kafka.group.heartbeat_interval_ms = 500
http.bind = \"127.0.0.1:{PORT}\"
{settings}
",
            state = dir.path().join("state").display(),
            servers = kafka.bootstrap_servers(),
        );
        let told = BTreeMap::new();
        Self { id, events, clients, port, partitions, shape: shape.to_owned(), config, dir, told, events_told: 0 }
    }

    /// Directory of the application's state.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state").join(&self.id)
    }

    /// Its files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it is ready.
    pub fn start(&self) -> Instance {
        let mut instance = self.spawn("");
        instance.wait_until_ready(READY);
        instance
    }

    /// Starts it; it stops at the fault point `point` (`<name>=<passes>`), if there is one.
    pub fn spawn(&self, point: &str) -> Instance {
        self.spawn_with(self.port, point, &[])
    }

    /// Starts it on `port` behind a command line that executes the rest of its arguments.
    pub fn spawn_with(&self, port: u16, point: &str, wrapper: &[OsString]) -> Instance {
        let config = self.config.replace(PORT, &port.to_string());
        let file = self.dir.path().join(format!("{port}.toml"));
        fs::write(&file, config).expect("the configuration can be written");
        let mut command: Vec<OsString> = wrapper.to_vec();
        command.push("env".into());
        for (name, value) in [(EVENTS, self.events.as_str()), (SHAPE, &self.shape), (POINT, point)] {
            command.push(format!("{name}={value}").into());
        }
        command.push(format!("{CONFIG}={}", file.display()).into());
        command.push(std::env::current_exe().expect("a test knows its executable").into());
        command.extend(["--exact", "child", "--nocapture", "--test-threads=1"].map(OsString::from));
        let program = Program::new("faults", &command[0], &command[1..], &self.dir.path().join("faults.log"));
        Instance::run(program, port)
    }

    /// Writes `count` more events, one key after the other of `keys`, each with `padding` bytes.
    pub fn tell(&mut self, keys: usize, count: usize, padding: usize) {
        self.tell_of(|event| format!("k-{}", event % keys), count, padding);
    }

    /// As [`Application::tell`]; every 20th event is the only one of its key: when what follows from it is lost, no later
    /// event makes up for it.
    pub fn tell_some_once(&mut self, keys: usize, count: usize, padding: usize) {
        let key = |event: usize| {
            if event.is_multiple_of(20) { format!("once-{event}") } else { format!("k-{}", event % keys) }
        };
        self.tell_of(key, count, padding);
    }

    /// Writes `count` more events; the number of events before one gives its key.
    fn tell_of(&mut self, key: impl Fn(usize) -> String, count: usize, padding: usize) {
        let mut written = Vec::with_capacity(count);
        for _ in 0..count {
            let key = key(self.events_told);
            self.events_told += 1;
            let number = self.told.entry(key.clone()).or_default();
            *number += 1;
            let value = event(*number, self.events_told, padding);
            let partition = partition_of(key.as_bytes(), self.partitions);
            let timestamp = 1_700_000_000_000;
            let record = Record { timestamp, key: Some(key.into_bytes()), value: Some(value), headers: Headers::new() };
            written.push((partition, record));
        }
        records::write(&self.clients, &self.events, written.iter().map(|(partition, record)| (*partition, record)));
    }

    /// Forgets what was told: the topic of events is a new one.
    pub fn forget(&mut self) {
        self.told.clear();
        self.events_told = 0;
    }

    /// Number of different keys told.
    pub fn keys(&self) -> usize {
        self.told.len()
    }

    /// Number of events told.
    pub fn told(&self) -> usize {
        self.events_told
    }

    /// Rows of `seen`; every one must be whole, whenever it is read.
    pub fn seen(&self) -> Result<BTreeMap<String, u64>, String> {
        let rows = views::values::<Seen>(views::rows(&[&self.url()], SEEN)?);
        for (key, seen) in &rows {
            assert!(seen.is_whole(), "{key}: {seen:?}");
        }
        Ok(rows.into_iter().map(|(key, seen)| (key, seen.last)).collect())
    }

    /// Reads some rows of `seen`, if it is served now; every one must be whole.
    pub fn sample(&self) {
        let page = http::get(&format!("{}/v1/views/{SEEN}?limit=20", self.url()));
        let rows = page.ok().filter(|page| page.status == 200).map(|page| page.json()["rows"].take());
        let rows: Vec<views::Row> = rows.map(|rows| serde_json::from_value(rows).unwrap()).unwrap_or_default();
        for row in rows {
            let seen: Seen = serde_json::from_value(row.value).unwrap();
            assert!(seen.is_whole(), "{}: {seen:?}", row.key);
        }
    }

    /// Waits until both views have everything that was told.
    pub fn wait_until_told(&self, instance: &mut Instance) {
        self.wait_until_seen(instance);
        let mut expected: BTreeMap<String, Group> = BTreeMap::new();
        for (key, number) in &self.told {
            expected.entry(group_of(key)).or_default().insert(key.clone(), *number);
        }
        let read = || views::rows(&[&self.url()], GROUPS).map(views::values::<Group>);
        wait_until_equal(instance, GROUPS, &expected, read);
    }

    /// Waits until `seen` has everything that was told.
    pub fn wait_until_seen(&self, instance: &mut Instance) {
        wait_until_equal(instance, SEEN, &self.told, || self.seen());
    }
}

/// The event `number` with `padding` bytes that do not compress; `seed` is another one for each event.
fn event(number: u64, seed: usize, padding: usize) -> Vec<u8> {
    let mut value = format!("{number}:").into_bytes();
    let mut mixed = seed as u64 + 1;
    value.extend((0..padding).map(|_| {
        mixed ^= mixed << 13;
        mixed ^= mixed >> 7;
        mixed ^= mixed << 17;
        b'a' + (mixed >> 40) as u8 % 26
    }));
    value
}

fn wait_until_equal<V: PartialEq + std::fmt::Debug>(
    instance: &mut Instance,
    what: &str,
    expected: &BTreeMap<String, V>,
    read: impl Fn() -> Result<BTreeMap<String, V>, String>,
) {
    let mut last = Err("not read".to_owned());
    let equal = wait_for(PROCESSED, what, || {
        last = read();
        (last.as_ref().is_ok_and(|found| found == expected) || instance.exited().is_some()).then_some(())
    });
    if let (Ok(()), Ok(found)) = (&equal, &last)
        && found == expected
    {
        return;
    }
    let difference = last.map(|found| {
        let differing = expected.iter().filter(|(key, value)| found.get(*key) != Some(value));
        let shown: Vec<_> = differing.map(|(key, value)| (key, found.get(key), value)).take(3).collect();
        format!("{} rows of {}, such as {shown:?}", found.len(), expected.len())
    });
    panic!("{what} does not become what was told: {difference:?}\n{}", instance.log());
}

/// Exit code and output of an instance that ends by itself.
pub fn end(mut instance: Instance, deadline: Duration) -> (Option<i32>, String) {
    let status = wait_for(deadline, "the instance to end", || instance.exited());
    let status = status.unwrap_or_else(|late| panic!("{late}\n{}", instance.log()));
    (status.code(), instance.log())
}
