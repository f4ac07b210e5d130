//! A real Apache Kafka: one combined broker and controller, or three.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;
use thalweg::wire::{KafkaClients, Settings};

use crate::child::Child;
use crate::wait::wait_for;
use crate::{free_port, services};

const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(60);
const TOOL: Duration = Duration::from_secs(60);
const HEAP_MB: u32 = 512;
/// A broker that works hard for long: what makes a small service start fast is taken back.
const LARGE: [&str; 4] = ["-Xmx1g", "-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC"];
const CLUSTER_ID: &str = "dGhhbHdlZy10ZXN0cy0wMQ";
// `KafkaBroker.STARTED_MESSAGE`; it is printed after the controller has unfenced the broker.
const STARTED: &str = "Kafka Server started";

const LOGGING: &str = r#"<Configuration status="ERROR">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{HH:mm:ss,SSS} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
  </Loggers>
</Configuration>
"#;

/// A running cluster; stopped when dropped or when the process ends.
#[derive(Debug)]
pub struct Kafka {
    // Before the directory: fields are dropped in this order.
    brokers: Vec<Broker>,
    dir: TempDir,
    broker_options: &'static [&'static str],
}

#[derive(Debug)]
struct Broker {
    id: usize,
    port: u16,
    controller_port: u16,
    child: Option<Child>,
}

impl Kafka {
    /// The broker that all tests of this binary share; started by the first caller. Nobody stops it: a test that wants
    /// to uses a cluster of its own. Topics and application ids must be [`unique`](crate::unique).
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<Kafka, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::try_start(1, &[])).as_ref().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts one broker of one's own and waits until it serves.
    pub fn start() -> Self {
        Self::try_start(1, &[]).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts one broker for benchmarks: 1 GB of heap, an optimising compiler.
    pub fn start_large() -> Self {
        Self::try_start(1, &LARGE).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts three brokers, each also a controller; internal topics have three copies, two must be in sync.
    pub fn start_three() -> Self {
        Self::try_start(3, &[]).unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn try_start(count: usize, broker_options: &'static [&'static str]) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
        let brokers =
            (1..=count).map(|id| Broker { id, port: free_port(), controller_port: free_port(), child: None }).collect();
        let mut kafka = Self { brokers, dir, broker_options };
        kafka.write_files().map_err(|error| format!("writing the brokers' settings: {error}"))?;
        kafka.format()?;
        for index in 0..count {
            kafka.spawn(index)?;
        }
        for index in 0..count {
            kafka.wait_for_start(index)?;
        }
        Ok(kafka)
    }

    /// `host:port` of every broker, separated by commas.
    pub fn bootstrap_servers(&self) -> String {
        let all: Vec<String> = self.brokers.iter().map(|broker| format!("127.0.0.1:{}", broker.port)).collect();
        all.join(",")
    }

    /// The library's own clients of this cluster, for the test to write and read with.
    pub fn clients(&self) -> KafkaClients {
        let settings = Settings { bootstrap_servers: self.bootstrap_servers(), ..Settings::default() };
        KafkaClients::new(settings).expect("the settings are right")
    }

    /// Port of broker `index`, from 0.
    pub fn port(&self, index: usize) -> u16 {
        self.brokers[index].port
    }

    /// Where settings, data and logs of the brokers are: `broker-1/broker.log` and so on.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Stops broker `index` in order (SIGTERM); its data and its port stay for [`Kafka::start_again`].
    pub fn stop(&mut self, index: usize) {
        if let Some(mut child) = self.brokers[index].child.take()
            && let Err(late) = child.terminate(STOP)
        {
            panic!("{late}\n{}", child.log_tail());
        }
    }

    /// Kills broker `index` (SIGKILL); its data and its port stay for [`Kafka::start_again`].
    pub fn kill(&mut self, index: usize) {
        self.brokers[index].child = None;
    }

    /// Starts broker `index` again on its data and its port, and waits until it serves.
    pub fn start_again(&mut self, index: usize) {
        assert!(self.brokers[index].child.is_none(), "broker {index} is running");
        self.spawn(index).and_then(|()| self.wait_for_start(index)).unwrap_or_else(|reason| panic!("{reason}"));
    }

    /// Stops broker `index` in order and starts it again.
    pub fn restart(&mut self, index: usize) {
        self.stop(index);
        self.start_again(index);
    }

    /// Runs one of Kafka's own tools, such as `org.apache.kafka.tools.TopicCommand`, and returns what it printed.
    /// It takes about 2 s. Panics when the tool fails.
    pub fn tool(&self, class: &str, args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let dir = tempfile::tempdir_in(self.dir.path()).expect("a temporary directory");
        let program = services::java("tool", 256, dir.path(), &services::kafka_class(class, &self.logging(), &args));
        let mut child = Child::spawn(program).expect("java starts");
        match child.wait(TOOL) {
            Ok(status) if status.success() => child.log(),
            Ok(status) => panic!("{class}: {status}\n{}", child.log_tail()),
            Err(late) => panic!("{class}: {late}\n{}", child.log_tail()),
        }
    }

    fn folder(&self, index: usize) -> PathBuf {
        self.dir.path().join(format!("broker-{}", self.brokers[index].id))
    }

    fn logging(&self) -> [String; 1] {
        [format!("-Dlog4j2.configurationFile={}", self.dir.path().join("log4j2.xml").display())]
    }

    fn settings_file(&self, index: usize) -> String {
        self.folder(index).join("server.properties").display().to_string()
    }

    fn write_files(&self) -> std::io::Result<()> {
        fs::write(self.dir.path().join("log4j2.xml"), LOGGING)?;
        for index in 0..self.brokers.len() {
            fs::create_dir_all(self.folder(index))?;
            fs::write(self.settings_file(index), self.settings(index))?;
        }
        Ok(())
    }

    fn settings(&self, index: usize) -> String {
        let Broker { id, port, controller_port, .. } = &self.brokers[index];
        let voters: Vec<String> =
            self.brokers.iter().map(|broker| format!("{}@127.0.0.1:{}", broker.id, broker.controller_port)).collect();
        let data = self.folder(index).join("data");
        let copies = self.brokers.len();
        let in_sync = copies.div_ceil(2);
        format!(
            "\
process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={data}
# Records carry event times of any age; retention counts those.
log.retention.ms=-1
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=8
group.initial.rebalance.delay.ms=0
# Tests that kill a member do not want to wait six seconds for the group to notice.
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
",
            voters = voters.join(","),
            data = data.display(),
        )
    }

    fn format(&self) -> Result<(), String> {
        let mut tools = Vec::new();
        for index in 0..self.brokers.len() {
            let args = ["format", "-t", CLUSTER_ID, "-c", &self.settings_file(index)].map(str::to_owned);
            let class = services::kafka_class("kafka.tools.StorageTool", &self.logging(), &args);
            let tool = services::java("format", 256, &self.folder(index), &class);
            tools.push(Child::spawn(tool).map_err(|error| format!("starting java: {error}"))?);
        }
        for mut tool in tools {
            match tool.wait(START) {
                Ok(status) if status.success() => {}
                Ok(status) => return Err(format!("formatting failed: {status}\n{}", tool.log_tail())),
                Err(late) => return Err(format!("{late}\n{}", tool.log_tail())),
            }
        }
        Ok(())
    }

    fn spawn(&mut self, index: usize) -> Result<(), String> {
        let folder = self.folder(index);
        let mut options = self.logging().to_vec();
        options.extend(self.broker_options.iter().map(ToString::to_string));
        let class = services::kafka_class("kafka.Kafka", &options, &[self.settings_file(index)]);
        let mut program = services::java("broker", HEAP_MB, &folder, &class);
        program.scratch = Some(self.dir.path().to_owned());
        // The log of an earlier run would look like a finished start.
        let _ = fs::rename(&program.log, folder.join("broker.before.log"));
        let child = Child::spawn(program).map_err(|error| format!("starting java: {error}"))?;
        self.brokers[index].child = Some(child);
        Ok(())
    }

    fn wait_for_start(&mut self, index: usize) -> Result<(), String> {
        let broker = &mut self.brokers[index];
        let Some(child) = &mut broker.child else { return Err(format!("broker {} was not started", broker.id)) };
        let what = format!("broker {} to start", broker.id);
        let started = wait_for(START, &what, || {
            let started = child.log().contains(STARTED);
            (started || child.exited().is_some()).then_some(started)
        });
        match started {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("broker {} ended at once\n{}", broker.id, child.log_tail())),
            Err(late) => Err(format!("{late}\n{}", child.log_tail())),
        }
    }
}
