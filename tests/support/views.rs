//! The views and the progress of an application's instances, over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http;

const PAGE_ROWS: usize = 1_000;

/// A row of a view, as HTTP tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    /// Key text.
    pub key: String,
    /// Value.
    pub value: Value,
    /// Time of the row in ms.
    pub timestamp: i64,
    /// Partition of the key.
    pub partition: i32,
}

#[derive(Deserialize)]
struct Page {
    partitions: BTreeSet<i32>,
    partitions_total: i32,
    rows: Vec<Row>,
    cursor: Option<String>,
}

/// All rows of `view` by key, page by page from the instances at `urls`. An error means that they do not serve every
/// partition exactly once now.
pub fn rows(urls: &[&str], view: &str) -> Result<BTreeMap<String, Row>, String> {
    let (mut rows, mut covered, mut total) = (BTreeMap::new(), Vec::new(), 0);
    for url in urls {
        let mut cursor: Option<String> = None;
        loop {
            let resume = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = page(&format!("{url}/v1/views/{view}?limit={PAGE_ROWS}{resume}"))?;
            for row in page.rows {
                if let Some(row) = rows.insert(row.key.clone(), row) {
                    return Err(format!("{view} has {} twice", row.key));
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                covered.extend(page.partitions);
                total = page.partitions_total;
                break;
            }
        }
    }
    covered.sort_unstable();
    if covered == (0..total).collect::<Vec<_>>() { Ok(rows) } else { Err(format!("{view} covers {covered:?}")) }
}

fn page(url: &str) -> Result<Page, String> {
    let answer = http::get(url)?;
    if answer.status != 200 {
        return Err(format!("{url}: {} {}", answer.status, answer.body));
    }
    serde_json::from_str(&answer.body).map_err(|error| format!("{url}: {error}"))
}

/// The values of rows as a type of the application.
pub fn values<T: DeserializeOwned>(rows: BTreeMap<String, Row>) -> BTreeMap<String, T> {
    let value = |row: Row| serde_json::from_value(row.value).expect("a value of the view");
    rows.into_iter().map(|(key, row)| (key, value(row))).collect()
}

/// Tasks that run on the instance at `url`, by id.
pub fn tasks(url: &str) -> Result<BTreeMap<String, Value>, String> {
    let answer = http::get(&format!("{url}/v1/tasks"))?;
    let tasks = answer.json()["tasks"].as_array().cloned().ok_or("no tasks")?;
    Ok(tasks.into_iter().map(|task| (text(&task["id"]), task)).collect())
}

/// Sum of the next offsets of `topic` over the active tasks of the instances at `urls`: the records taken so far when
/// every partition began at offset 0.
pub fn taken(urls: &[&str], topic: &str) -> i64 {
    let tasks = urls.iter().filter_map(|url| tasks(url).ok()).flat_map(BTreeMap::into_values);
    let position = |task: Value| -> i64 {
        let inputs = task["inputs"].as_array().into_iter().flatten();
        inputs.filter(|input| input["topic"] == topic).filter_map(|input| input["position"].as_i64()).sum()
    };
    tasks.map(position).sum()
}

/// Sum of a metric of the instance at `url` over those of its series whose labels hold all of `labels`
/// (such as `topic="a"`).
pub fn metric(url: &str, name: &str, labels: &[&str]) -> f64 {
    let answer = http::get(&format!("{url}/metrics")).unwrap_or_else(|reason| panic!("GET {url}/metrics: {reason}"));
    let series = answer.body.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (tags, value) = rest.rsplit_once(' ')?;
        let named = tags.is_empty() || tags.starts_with('{');
        (named && labels.iter().all(|label| tags.contains(label))).then(|| value.parse::<f64>().ok())?
    });
    series.sum()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
