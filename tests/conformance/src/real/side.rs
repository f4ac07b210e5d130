//! Our side on a broker: a case as an application of ours, in this process, each time it is asked.
//!
//! Questions and answers are lines of JSON. The original's side (`java/RealSide.java`) speaks the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, Write as _};
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thalweg::cli::{self, Instance};
use thalweg::query::Published;
use thalweg::wire::{Consumer, Kafka as _, KafkaClients};
use thalweg_state::layout::split_timestamped;
use thalweg_tests::readers::{all_run, are_settled};
use thalweg_tests::wait::wait_for;

use super::{Dump, Error};
use crate::case::Case;
use crate::ours;
use crate::outcome::{Row, hex};

/// How long joining, restoring, and the last commit on its way to readers may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a side is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// To run an application; answered when its tasks run.
    Start(SideOptions),
    /// For the stores as of now.
    Dump,
    /// To commit, leave the group and end the application.
    Stop,
}

/// What a side answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// All tasks run.
    Running,
    /// The stores of the case's `dump`.
    Stores(Dump),
    /// The application has ended.
    Stopped,
}

/// An application to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideOptions {
    /// Brokers.
    pub bootstrap_servers: String,
    /// Group id and prefix of internal topics.
    pub application_id: String,
    /// Directory of the stores.
    pub state_dir: PathBuf,
    /// File of the case, with the names of its topics on the broker.
    pub case: PathBuf,
    /// Longest time between commits, in ms.
    pub commit_interval_ms: u64,
}

impl SideOptions {
    /// The same as settings of the product.
    fn settings(&self, case: &Case) -> cli::Options {
        let keys = [
            ("application.id", self.application_id.clone()),
            ("application.state_dir", self.state_dir.display().to_string()),
            ("application.commit_interval_ms", self.commit_interval_ms.to_string()),
            ("application.statestore_cache_max_bytes", case.config.cache_max_bytes.to_string()),
            ("application.deserialization_policy", "fail".to_owned()),
            ("kafka.bootstrap_servers", self.bootstrap_servers.clone()),
            ("http.bind", "127.0.0.1:0".to_owned()),
            ("log.filter", "warn".to_owned()),
        ];
        let flags = keys.into_iter().map(|(path, value)| (format!("--set {path}"), path.to_owned(), value)).collect();
        cli::Options { file: None, flags }
    }
}

/// A running application of ours.
struct Application {
    instance: Instance,
    asker: Box<dyn Consumer>,
    dump: Vec<String>,
}

/// Answers until the standard input ends.
pub fn side() -> Result<(), Error> {
    let mut application = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::unable("reading questions", error))?;
        let ask = serde_json::from_str(&line).map_err(|error| Error::unable("reading questions", error))?;
        let said = match (ask, application.take()) {
            (Ask::Start(options), None) => {
                application = Some(Application::start(&options)?);
                Said::Running
            }
            (Ask::Dump, Some(running)) => Said::Stores(application.insert(running).stores()?),
            (Ask::Stop, Some(running)) => {
                running.stop()?;
                Said::Stopped
            }
            (ask, _) => return Err(Error::unable("reading questions", format!("{ask:?} has no place here"))),
        };
        let answer = serde_json::to_string(&said).map_err(|error| Error::unable("answering", error))?;
        writeln!(std::io::stdout(), "{answer}").map_err(|error| Error::unable("answering", error))?;
    }
    Ok(())
}

impl Application {
    fn start(options: &SideOptions) -> Result<Self, Error> {
        let text = fs::read_to_string(&options.case).map_err(|error| Error::unable("reading the case", error))?;
        let case: Case = serde_json::from_str(&text).map_err(|error| Error::unable("reading the case", error))?;
        let loaded = cli::configuration(&options.settings(&case));
        let settings = loaded.map_err(|problems| Error::unable("configuration", cli::report(&problems)))?.settings;
        cli::log(&settings.log);
        let recipes = ours::recipes(&case, &options.application_id);
        let (recipes, _) = recipes.map_err(|error| Error::unable("building the topology", error))?;
        let kafka: KafkaClients = cli::kafka_clients(&settings).map_err(|error| Error::unable("connecting", error))?;
        let asker = kafka.consumer("conformance-ends").map_err(|error| Error::unable("connecting", error))?;
        let instance = Instance::start(&settings, Arc::new(kafka), recipes);
        let instance = instance.map_err(|error| Error::unable("starting", error))?;
        let running = || (instance.is_finished() || all_run(instance.published())).then_some(());
        let waited = wait_for(DEADLINE, "all tasks to run", running);
        let application = Self { instance, asker, dump: case.dump };
        match waited {
            Ok(()) if !application.instance.is_finished() => Ok(application),
            Ok(()) => Err(application.stop().err().unwrap_or_else(|| Error::unable("starting", "it ended by itself"))),
            Err(late) => Err(Error::unable("starting", late)),
        }
    }

    fn stores(&mut self) -> Result<Dump, Error> {
        dump(self.instance.published(), self.asker.as_mut(), &self.dump)
    }

    fn stop(self) -> Result<(), Error> {
        self.asker.close(DEADLINE);
        self.instance.stop().map_err(|error| Error::unable("running", error))
    }
}

/// The rows of the stores over all tasks, once readers see the last commit.
fn dump(published: &Published, asker: &mut dyn Consumer, stores: &[String]) -> Result<Dump, Error> {
    let settled = || are_settled(published, asker, DEADLINE).then_some(());
    wait_for(DEADLINE, "the last commit to be readable", settled)
        .map_err(|late| Error::unable("reading the stores", late))?;
    let mut rows: BTreeMap<&str, BTreeMap<Vec<u8>, Row>> =
        stores.iter().map(|name| (&**name, BTreeMap::new())).collect();
    for task in published.catalog.load().tasks.values() {
        let Some(reader) = &task.reader else { continue };
        let snapshot = reader.snapshot().map_err(|error| Error::unable("reading the stores", error))?;
        for (index, store) in task.progress.load().stores.iter().enumerate() {
            let Some(rows) = rows.get_mut(store.store.as_str()) else { continue };
            let mut wrong = false;
            let mut add = |key: &[u8], row: &[u8]| {
                match split_timestamped(row) {
                    Ok((timestamp, value)) => {
                        let row = Row { key: hex(key), value: hex(value), timestamp };
                        wrong |= rows.insert(key.to_vec(), row).is_some();
                    }
                    Err(_) => wrong = true,
                }
                ControlFlow::Continue(())
            };
            let scanned = snapshot.scan(index, (Bound::Unbounded, Bound::Unbounded), &mut add);
            scanned.map_err(|error| Error::unable("reading the stores", error))?;
            if wrong {
                return Err(Error::unable(
                    "reading the stores",
                    format!("a key or a row of '{}' is wrong", store.store),
                ));
            }
        }
    }
    Ok(rows.into_iter().map(|(name, rows)| (name.to_owned(), rows.into_values().collect())).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn options() -> SideOptions {
        SideOptions {
            bootstrap_servers: "h:1".into(),
            application_id: "ours-1".into(),
            state_dir: "state".into(),
            case: "case.json".into(),
            commit_interval_ms: 100,
        }
    }

    #[test]
    fn questions_and_answers_are_the_lines_that_the_original_knows() {
        let start = json!({"start": {
            "bootstrap_servers": "h:1", "application_id": "ours-1", "state_dir": "state", "case": "case.json",
            "commit_interval_ms": 100,
        }});
        let asked = [(Ask::Start(options()), start), (Ask::Dump, json!("dump")), (Ask::Stop, json!("stop"))];
        for (ask, line) in asked {
            assert_eq!(serde_json::to_value(&ask).unwrap(), line);
            assert_eq!(serde_json::from_value::<Ask>(line).unwrap(), ask);
        }
        let row = Row { key: "6b".into(), value: "31".into(), timestamp: 7 };
        let stores = json!({"stores": {"s": [{"key": "6b", "value": "31", "timestamp": 7}]}});
        let said = [
            (Said::Running, json!("running")),
            (Said::Stores(BTreeMap::from([("s".to_owned(), vec![row])])), stores),
            (Said::Stopped, json!("stopped")),
        ];
        for (said, line) in said {
            assert_eq!(serde_json::from_value::<Said>(line).unwrap(), said);
        }
    }

    #[test]
    fn the_product_accepts_the_settings() {
        let case = serde_json::from_value(json!({
            "name": "c", "topics": {}, "nodes": [], "inputs": [], "config": {"cache_max_bytes": 7},
        }));
        let loaded = cli::configuration(&options().settings(&case.unwrap()));
        let settings = loaded.unwrap_or_else(|problems| panic!("{}", cli::report(&problems))).settings;
        let application = settings.application;
        assert_eq!((application.id.as_str(), application.statestore_cache_max_bytes), ("ours-1", 7));
        assert_eq!(application.commit_interval, Duration::from_millis(100));
    }
}
