#![allow(clippy::unwrap_used)]

//! A whole instance on the embedded broker that refuses something for good.

use std::sync::Arc;
use std::time::SystemTime;

use tempfile::TempDir;

use super::clock_steps::{options, recipes, wait_until};
use super::*;
use crate::group::ErrorCode;
use crate::query::{Health, Instance, Metrics, Published};
use crate::types::TaskId;
use crate::wire::EmbeddedBroker;

#[test]
fn a_task_that_may_not_be_told_its_offsets_ends_the_run_with_what_to_do() {
    let broker = EmbeddedBroker::start(1).unwrap();
    ["in", "out"].into_iter().for_each(|topic| broker.create_topic(topic, 1).unwrap());
    broker.refuse_offset_fetch();
    let directory = TempDir::new().unwrap();
    let options = Options { wall_clock: SystemTime::now, ..options(&broker, &directory) };
    let (recipes, metrics) = (recipes(), Metrics::new().unwrap());
    let this_instance = Instance { id: "127.0.0.1:1".to_owned(), endpoint: None };
    let published = Arc::new(Published::starting(describe_for_readers(&recipes), this_instance, Health::default()));
    let runtime = Runtime::start(Arc::new(broker), recipes, options, published, metrics).unwrap();
    wait_until("the end of the run", || runtime.is_finished());
    let error = runtime.join().unwrap_err();
    let (refused, first) = (ErrorCode::GROUP_AUTHORIZATION_FAILED, TaskId::new(0, 0));
    assert!(matches!(error, RunError::Offsets { task, code } if (task, code) == (first, refused)), "{error}");
    assert_eq!(
        error.to_string(),
        "task 0_0: the group coordinator refused to tell offsets: GROUP_AUTHORIZATION_FAILED (30); \
         let this client read the group and the task's input topics, then start again"
    );
}
