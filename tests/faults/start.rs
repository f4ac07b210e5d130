//! What keeps an application from starting: topics that do not fit, a directory that another process holds. A named
//! error that says what to do, an exit code, and nothing is processed.

use std::time::{Duration, Instant};

use thalweg::wire::Kafka as _;
use thalweg_tests::wait::wait_for;
use thalweg_tests::{Kafka, free_port, http, records};

use crate::application::{Application, PARTITIONS, STOP, end};
use crate::topology::{GROUPS, JOIN, SEEN};

const ENDS: Duration = Duration::from_secs(20);

/// It ends with 65 and these words, and has written nothing to `topic`.
#[track_caller]
fn check_refused(app: &Application, words: &[&str], topic: Option<&str>) {
    let (code, log) = end(app.spawn(""), ENDS);
    assert_eq!(code, Some(65), "{log}");
    let last = log.lines().last().unwrap();
    for word in words {
        assert!(last.contains(word), "`{word}` is not in: {last}");
    }
    if let Some(topic) = topic {
        assert_eq!(records::ends(&app.clients, topic, 1), [0], "{topic} was written");
    }
}

#[test]
fn a_missing_source_topic_is_named() {
    let app = Application::shaped(Kafka::shared(), JOIN, PARTITIONS, "");
    let table = format!("{}-table", app.events);
    check_refused(&app, &["source topics are missing", &table, "create them, then start again"], None);
}

#[test]
fn joined_topics_with_different_partition_counts_are_named_with_their_counts() {
    let mut app = Application::shaped(Kafka::shared(), JOIN, PARTITIONS, "");
    let table = format!("{}-table", app.events);
    records::create_topic(&app.clients, &table, PARTITIONS + 2, &[]);
    app.tell(10, 100, 10);
    let counts = [format!("{}=4", app.events), format!("{table}=6")];
    check_refused(&app, &["not co-partitioned", &counts[0], &counts[1], "repartition one side"], None);
    let described = app.clients.admin().unwrap().describe(&[format!("{}-joined-changelog", app.id)]).unwrap();
    assert!(described.is_empty(), "nothing was created: {described:?}");
}

#[test]
fn an_internal_topic_that_does_not_fit_is_named_with_all_that_differs() {
    let mut app = Application::prepare(Kafka::shared(), "");
    app.tell(10, 100, 10);
    let changelog = format!("{}-{SEEN}-changelog", app.id);
    records::create_topic(&app.clients, &changelog, 1, &[("cleanup.policy", "compact,delete")]);
    let words =
        [&changelog, "it has 1 partitions but needs 4", "cleanup.policy=compact,delete", "alter it, or delete it"];
    check_refused(&app, &words, Some(&changelog));

    let mut app = Application::prepare(Kafka::shared(), "");
    app.tell(10, 100, 10);
    let repartition = format!("{}-{GROUPS}-repartition", app.id);
    records::create_topic(&app.clients, &repartition, PARTITIONS, &[("cleanup.policy", "compact")]);
    check_refused(&app, &[&repartition, "cleanup.policy=compact must not contain compact"], Some(&repartition));
}

#[test]
fn the_second_process_on_a_state_directory_names_the_holder_within_a_second() {
    let app = Application::prepare(Kafka::shared(), "");
    let mut first = app.start();
    let holder = std::fs::read_to_string(app.state().join(".lock")).unwrap();
    // The machine may be busy with other things: the quickest of three counts.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let mut second = app.spawn_with(free_port(), "", &[]);
        let status = wait_for(ENDS, "the second process to end", || second.exited()).unwrap();
        quickest = quickest.min(started.elapsed());
        assert_eq!(status.code(), Some(75), "{}", second.log());
    }
    assert!(quickest < Duration::from_secs(1), "it took {quickest:?}");
    let log = first.log();
    let named = format!("state directory {} is in use by {}", app.state().display(), holder.trim());
    assert_eq!(log.matches(&named).count(), 3, "{named}:\n{log}");
    assert_eq!(http::get(&format!("{}/readyz", app.url())).unwrap().status, 200, "the first goes on");

    // The lock ends with its holder, however that ends.
    first.kill();
    let mut next = app.start();
    assert_eq!(next.stop(STOP).code(), Some(0));
}
