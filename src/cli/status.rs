//! `status`: what the instances of an application do, as two tables.

use std::fmt::Write as _;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long one instance may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// `/v1/instances`.
#[derive(Debug, Deserialize)]
struct Instances {
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    id: String,
    endpoint: Option<String>,
    /// Whether it is the one that was asked.
    this: bool,
    active: Vec<String>,
    standby: Vec<String>,
}

/// `/v1/tasks`.
#[derive(Debug, Deserialize)]
struct Tasks {
    membership: String,
    tasks: Vec<Task>,
}

#[derive(Debug, Deserialize)]
struct Task {
    id: String,
    role: String,
    state: String,
    last_commit_age_seconds: Option<f64>,
    inputs: Vec<Input>,
    restore: Option<Restore>,
    /// An instance of an older version does not tell it.
    #[serde(default)]
    waiting: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Input {
    lag: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Restore {
    percent: f64,
    records_per_second: f64,
    remaining_records: u64,
    estimate_seconds: Option<f64>,
}

impl Task {
    /// Records that it has not processed yet; `None`: not known.
    fn lag(&self) -> Option<i64> {
        (!self.inputs.is_empty()).then(|| self.inputs.iter().map(|input| input.lag).sum())?
    }

    fn restore(&self) -> String {
        let Some(restore) = &self.restore else { return String::new() };
        let Restore { percent, records_per_second, remaining_records, estimate_seconds } = restore;
        let mut text = format!("{percent:.1} %, {remaining_records} records left, {records_per_second:.0}/s");
        if let Some(seconds) = estimate_seconds {
            // Writing into a String cannot fail.
            let _ = write!(text, ", about {}", duration(*seconds));
        }
        text
    }
}

/// Asks the instance at `url`, then all others that it knows. An error says why that one gave no answer.
pub(super) fn status(url: &str) -> Result<String, String> {
    let url = url.trim_end_matches('/');
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(TIMEOUT).build();
    let client = client.map_err(|error| error.to_string())?;
    let instances: Instances = ask(&client, &format!("{url}/v1/instances"))
        .map_err(|reason| format!("no answer from {url}: {reason}; name a running instance with --url"))?;
    let mut answers = Vec::new();
    std::thread::scope(|scope| {
        let ask_tasks = |instance: &Instance| {
            // Under the address that the caller knows to work.
            let base = match (&instance.endpoint, instance.this) {
                (_, true) => url.to_owned(),
                (Some(endpoint), false) => format!("http://{endpoint}"),
                (None, false) => return Err("serves no HTTP".to_owned()),
            };
            ask::<Tasks>(&client, &format!("{base}/v1/tasks"))
        };
        let asked: Vec<_> = instances.instances.iter().map(|one| scope.spawn(move || ask_tasks(one))).collect();
        answers.extend(asked.into_iter().map(|asked| asked.join().unwrap_or_else(|_| Err("panicked".to_owned()))));
    });
    Ok(render(&instances.instances.into_iter().zip(answers).collect::<Vec<_>>()))
}

fn ask<T: DeserializeOwned>(client: &reqwest::blocking::Client, url: &str) -> Result<T, String> {
    let answer = client.get(url).send().map_err(|error| cause(&error))?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    answer.json().map_err(|error| format!("its answer is not understood: {}", cause(&error)))
}

/// The innermost reason of an error: the outer ones repeat the URL.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn render(instances: &[(Instance, Result<Tasks, String>)]) -> String {
    let mut text = table(
        ["INSTANCE", "MEMBERSHIP", "ACTIVE", "STANDBY", "RESTORING", "LAG"],
        &[2, 3, 4, 5],
        instances.iter().map(|(instance, tasks)| instance_row(instance, tasks)),
    );
    let mut tasks: Vec<(&Task, &Instance)> = Vec::new();
    for (instance, answer) in instances {
        tasks.extend(answer.iter().flat_map(|answer| &answer.tasks).map(|task| (task, instance)));
    }
    tasks.sort_by_key(|(task, instance)| (numbers(&task.id), &instance.id));
    text.push('\n');
    text += &table(
        ["TASK", "INSTANCE", "ROLE", "STATE", "LAG", "COMMITTED", "RESTORE"],
        &[4, 5],
        tasks.iter().map(|(task, instance)| task_row(task, instance)),
    );
    // Whole sentences, below: a column for them would be wider than a terminal.
    let waiting: Vec<&str> = tasks.iter().flat_map(|(task, _)| &task.waiting).map(String::as_str).collect();
    if !waiting.is_empty() {
        text += &format!("\n{}\n", waiting.join("\n"));
    }
    text
}

fn instance_row(instance: &Instance, answer: &Result<Tasks, String>) -> [String; 6] {
    let counts = |restoring: String, lag: String| {
        [instance.active.len().to_string(), instance.standby.len().to_string(), restoring, lag]
    };
    let (membership, [active, standby, restoring, lag]) = match answer {
        Ok(tasks) => {
            let restoring = tasks.tasks.iter().filter(|task| task.role == "restoring").count();
            let lag = tasks.tasks.iter().filter(|task| task.role == "active").map(Task::lag).sum::<Option<i64>>();
            (tasks.membership.clone(), counts(restoring.to_string(), known(lag)))
        }
        Err(reason) => (format!("no answer: {reason}"), counts(known::<i64>(None), known::<i64>(None))),
    };
    [instance.id.clone(), membership, active, standby, restoring, lag]
}

fn task_row(task: &Task, instance: &Instance) -> [String; 7] {
    let committed = task.last_commit_age_seconds.map(|age| format!("{} ago", duration(age)));
    [
        task.id.clone(),
        instance.id.clone(),
        task.role.clone(),
        task.state.clone(),
        known(task.lag()),
        known(committed),
        task.restore(),
    ]
}

fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Task ids sort by their numbers: `0_2` comes before `0_10`.
fn numbers(id: &str) -> Vec<u64> {
    id.split('_').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0 => "0 s".to_owned(),
        1..120 => format!("{whole} s"),
        120..7_200 => format!("{} min", whole / 60),
        _ => format!("{} h", whole / 3_600),
    }
}

fn table<const N: usize>(header: [&str; N], right: &[usize], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    format!("{}\n", table.trim_fmt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tables_show_who_runs_what_and_how_far_it_is() {
        let instances: Instances = serde_json::from_value(json!({"version": 3, "instances": [
            {"id": "a:8080", "endpoint": "a:8080", "this": true, "active": ["0_0", "0_10"], "standby": []},
            {"id": "b:8080", "endpoint": "b:8080", "this": false, "active": ["0_2"], "standby": ["0_0"]},
            {"id": "c:8080", "endpoint": "c:8080", "this": false, "active": ["0_1"], "standby": []},
        ]}))
        .unwrap();
        let task = |id: &str, role: &str, lag: Option<i64>, restore: serde_json::Value| {
            json!({"id": id, "role": role, "state": if role == "active" { "running" } else { role }, "thread": null,
                "last_commit_age_seconds": lag.map(|_| 0.4), "inputs": [{"lag": lag}, {"lag": lag}], "restore": restore})
        };
        let restore = json!({"percent": 43.25, "records_per_second": 120_000.0, "remaining_records": 1_500_000, "estimate_seconds": 12.5});
        let tasks = |tasks: Vec<serde_json::Value>| {
            serde_json::from_value(json!({"instance": "x", "membership": "stable", "tasks": tasks})).unwrap()
        };
        let mut waits = task("0_10", "active", Some(1), json!(null));
        waits["waiting"] =
            json!(["in-10 has been waiting for 12 s: schema id 7", "in-11 has been waiting for 3 s: no"]);
        let answers: Vec<Result<Tasks, String>> = vec![
            Ok(tasks(vec![task("0_0", "active", Some(5), json!(null)), waits])),
            Ok(tasks(vec![task("0_2", "restoring", None, restore)])),
            Err("Connection refused".to_owned()),
        ];
        let text = render(&instances.instances.into_iter().zip(answers).collect::<Vec<_>>());
        let expected = "\
INSTANCE  MEMBERSHIP                     ACTIVE  STANDBY  RESTORING  LAG
a:8080    stable                              2        0          0   12
b:8080    stable                              1        1          1    0
c:8080    no answer: Connection refused       1        0          -    -

TASK  INSTANCE  ROLE       STATE      LAG  COMMITTED  RESTORE
0_0   a:8080    active     running     10    0 s ago
0_2   b:8080    restoring  restoring    -          -  43.2 %, 1500000 records left, 120000/s, about 13 s
0_10  a:8080    active     running      2    0 s ago

in-10 has been waiting for 12 s: schema id 7
in-11 has been waiting for 3 s: no
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_instance_that_does_not_answer_is_told_with_its_url() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let reason = status(&url).unwrap_err();
        assert!(reason.starts_with(&format!("no answer from {}: ", url.trim_end_matches('/'))), "{reason}");
        assert!(reason.ends_with("name a running instance with --url"), "{reason}");
    }
}
