//! Partition counts, tasks and internal topics.

use std::collections::BTreeMap;

use super::recorder::Materialized::{As, No};
use super::recorder::Recorder;
use crate::topology::{
    Blueprint, ExistingTopic, InternalTopic, InternalTopicKind, PartitionPlan, StoreDefinition, Topic, TopologyError,
    verify,
};

fn counts(counts: &[(&str, i32)]) -> BTreeMap<String, i32> {
    counts.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
}

fn plan(r: &Recorder, external: &[(&str, i32)]) -> Result<PartitionPlan, TopologyError> {
    r.build().partitions(&counts(external))
}

fn topics(plan: &PartitionPlan) -> Vec<(&str, i32)> {
    plan.internal_topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect()
}

fn tasks(plan: &PartitionPlan) -> Vec<String> {
    plan.tasks.iter().map(|task| task.id.to_string()).collect()
}

#[test]
fn a_task_owns_its_partition_of_every_topic_that_has_one() {
    let mut r = Recorder::default();
    let (a, b) = (r.stream(&["a"], None), r.stream(&["b"], None));
    let store = r.store("rows");
    let merged = r.merge(&a, &b);
    r.process(&merged, "KSTREAM-PROCESSVALUES-", None, &[store]);
    let plan = plan(&r, &[("a", 3), ("b", 2), ("unrelated", 9)]).unwrap();
    assert_eq!(tasks(&plan), ["0_0", "0_1", "0_2"]);
    let inputs = |task: usize| plan.tasks[task].inputs.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(inputs(1), ["a-1", "b-1"]);
    assert_eq!(inputs(2), ["a-2"]);
    let changelogs = &plan.tasks[2].changelogs;
    assert_eq!(changelogs.iter().flatten().map(ToString::to_string).collect::<Vec<_>>(), ["app-rows-changelog-2"]);
    assert_eq!(topics(&plan), [("app-rows-changelog", 3)]);
}

#[test]
fn a_repartition_topic_takes_the_largest_count_upstream() {
    let mut r = Recorder::default();
    let (a, b) = (r.stream(&["a"], None), r.stream(&["b"], None));
    let merged = r.merge(&a, &b);
    let mut grouped = r.group_by(&merged, Some("first"));
    let table = r.count(&mut grouped, As("one"));
    let s = r.table_stream(&table, None);
    let mut grouped = r.group_by(&s, Some("second"));
    r.count(&mut grouped, As("two"));
    let plan = plan(&r, &[("a", 4), ("b", 6)]).unwrap();
    assert_eq!(
        topics(&plan),
        [
            ("app-first-repartition", 6),
            ("app-second-repartition", 6),
            ("app-one-changelog", 6),
            ("app-two-changelog", 6)
        ]
    );
    assert_eq!(plan.tasks.len(), 18);
}

/// Kafka settles on the first count it happens to find here; ours does not depend on an order.
#[test]
fn a_larger_count_that_is_found_later_still_counts() {
    let mut r = Recorder::default();
    let (a, b) = (r.stream(&["a"], None), r.stream(&["b"], None));
    let b = r.repartition(&b, Some("upstream"), None);
    let merged = r.merge(&a, &b);
    r.repartition(&merged, Some("downstream"), None);
    let plan = plan(&r, &[("a", 2), ("b", 8)]).unwrap();
    assert_eq!(topics(&plan), [("app-upstream-repartition", 8), ("app-downstream-repartition", 8)]);
}

#[test]
fn an_enforced_count_holds_and_flows_downstream() {
    let mut r = Recorder::default();
    let s = r.stream(&["a"], None);
    let s = r.repartition(&s, Some("fixed"), Some(7));
    let mut grouped = r.group_by(&s, Some("free"));
    r.count(&mut grouped, As("rows"));
    let plan = plan(&r, &[("a", 40)]).unwrap();
    assert_eq!(topics(&plan), [("app-fixed-repartition", 7), ("app-free-repartition", 7), ("app-rows-changelog", 7)]);
}

#[test]
fn a_repartition_that_feeds_its_own_sub_topology_has_a_count() {
    let mut r = Recorder::default();
    let mut s = r.stream(&["in"], None);
    let mut grouped = r.group_by(&s, Some("loop"));
    let table = r.count(&mut grouped, No);
    r.join_table(&mut s, &table, "KSTREAM-JOIN-", None);
    assert_eq!(topics(&plan(&r, &[("in", 5)]).unwrap())[0], ("app-loop-repartition", 5));
}

/// `a` re-keyed (or not) and joined with `table(b)`.
fn join(rekey: bool, partitions: Option<i32>) -> Recorder {
    let mut r = Recorder::default();
    let table = r.table("b", None, As("b"));
    let mut s = r.stream(&["a"], None);
    if rekey {
        s = r.repartition(&s, Some("side"), partitions);
    }
    r.join_table(&mut s, &table, "KSTREAM-JOIN-", None);
    r
}

#[test]
fn joined_topics_need_equal_counts() {
    let external = [("a", 4), ("b", 6)];
    assert_eq!(plan(&join(false, None), &external), Err(TopologyError::NotCopartitioned { counts: counts(&external) }));
    plan(&join(false, None), &[("a", 6), ("b", 6)]).unwrap();
}

#[test]
fn a_repartitioned_side_takes_the_count_of_the_other() {
    for b in [6, 2] {
        let plan = plan(&join(true, None), &[("a", 4), ("b", b)]).unwrap();
        assert_eq!(topics(&plan)[0], ("app-side-repartition", b));
    }
    assert_eq!(
        plan(&join(true, Some(3)), &[("a", 4), ("b", 6)]),
        Err(TopologyError::NotCopartitioned { counts: counts(&[("app-side-repartition", 3), ("b", 6)]) })
    );
    plan(&join(true, Some(6)), &[("a", 4), ("b", 6)]).unwrap();
}

/// Repartitions of `a` and `b` joined as tables.
fn join_of_repartitions(left: Option<i32>) -> Recorder {
    let mut r = Recorder::default();
    let [left, right] = [("a", left), ("b", None)].map(|(topic, partitions)| {
        let s = r.stream(&[topic], None);
        let s = r.repartition(&s, Some(&format!("by-{topic}")), partitions);
        r.stream_table(&s, None, No)
    });
    r.join_tables(&left, &right, None, No);
    r
}

#[test]
fn repartitions_joined_with_each_other_agree() {
    let joined = |left, external: &[(&str, i32)]| {
        let plan = plan(&join_of_repartitions(left), external).unwrap();
        [plan.internal_topics[0].partitions, plan.internal_topics[1].partitions]
    };
    assert_eq!(joined(None, &[("a", 2), ("b", 5)]), [5, 5]);
    assert_eq!(joined(Some(3), &[("a", 2), ("b", 5)]), [3, 3]);
}

#[test]
fn copartitioning_is_transitive() {
    let mut r = Recorder::default();
    let [a, b, c] = ["a", "b", "c"].map(|topic| r.table(topic, None, No));
    r.join_tables(&a, &b, None, No);
    r.join_tables(&c, &b, None, No);
    let external = [("a", 2), ("b", 2), ("c", 3)];
    assert_eq!(plan(&r, &external), Err(TopologyError::NotCopartitioned { counts: counts(&external) }));
}

#[test]
fn all_missing_topics_are_reported_at_once() {
    let mut r = Recorder::default();
    r.stream(&["b", "a", "c"], None);
    assert_eq!(
        plan(&r, &[("c", 1), ("a", 0)]),
        Err(TopologyError::MissingSourceTopics { topics: vec!["a".into(), "b".into()] })
    );
}

#[test]
fn a_repartition_topic_that_nobody_writes_has_no_count() {
    let mut blueprint = Blueprint::default();
    blueprint.add_repartition_topic("r", None).unwrap();
    blueprint.add_source("s", &[Topic::Internal("r".into())]).unwrap();
    let error = blueprint.build("app").unwrap().partitions(&BTreeMap::new());
    assert_eq!(error, Err(TopologyError::UnknownPartitionCount { topics: vec!["app-r".into()] }));
}

#[test]
fn a_store_without_changelog_makes_no_topic() {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &[Topic::External("in".into())]).unwrap();
    let processor = blueprint.add_processor("p", &[source]).unwrap();
    let store = StoreDefinition { changelog: None, ..StoreDefinition::in_memory("cache") };
    blueprint.materialize(processor, store).unwrap();
    let plan = blueprint.build("app").unwrap().partitions(&counts(&[("in", 2)])).unwrap();
    assert_eq!(topics(&plan), []);
    assert_eq!(plan.tasks[1].changelogs, [None]);
}

fn config(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// One changelog with a config of its own, one repartition topic; both with 2 partitions.
fn internal_topics() -> (InternalTopic, InternalTopic) {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &[Topic::External("in".into())]).unwrap();
    let names = blueprint.repartition_names("r");
    let repartition = blueprint.add_repartition(source, &names, None).unwrap();
    let processor = blueprint.add_processor("p", &[repartition.source]).unwrap();
    let changelog =
        Some(config(&[("segment.ms", "1000"), ("message.timestamp.type", "LogAppendTime")]).into_iter().collect());
    blueprint.materialize(processor, StoreDefinition { changelog, ..StoreDefinition::persistent("rows") }).unwrap();
    let plan = blueprint.build("app").unwrap().partitions(&counts(&[("in", 2)])).unwrap();
    let [repartition, changelog] = <[InternalTopic; 2]>::try_from(plan.internal_topics).unwrap();
    (repartition, changelog)
}

#[test]
fn internal_topics_have_kafka_streams_configs() {
    let (repartition, changelog) = internal_topics();
    assert_eq!(
        repartition,
        InternalTopic {
            name: "app-r-repartition".into(),
            partitions: 2,
            config: config(&[
                ("cleanup.policy", "delete"),
                ("message.timestamp.type", "CreateTime"),
                ("retention.ms", "-1"),
                ("segment.bytes", "52428800"),
            ]),
            kind: InternalTopicKind::Repartition,
        }
    );
    assert_eq!(
        changelog,
        InternalTopic {
            name: "app-rows-changelog".into(),
            partitions: 2,
            config: config(&[
                ("cleanup.policy", "compact"),
                ("message.timestamp.type", "LogAppendTime"),
                ("segment.ms", "1000"),
            ]),
            kind: InternalTopicKind::Changelog,
        }
    );
}

#[test]
fn existing_internal_topics_are_verified_by_kafkas_rules() {
    let (repartition, changelog) = internal_topics();
    let problems = |expected: &InternalTopic, partitions: i32, pairs: &[(&str, &str)]| {
        let existing = ExistingTopic { partitions, config: config(pairs).into_iter().collect() };
        match verify(&existing, expected) {
            Ok(()) => 0,
            Err(TopologyError::MisconfiguredTopic { topic, problems }) => {
                assert_eq!(topic, expected.name);
                problems.len()
            }
            Err(other) => panic!("{other}"),
        }
    };
    let compact = [("cleanup.policy", "compact"), ("retention.ms", "604800000")];
    let delete = [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")];
    assert_eq!(problems(&changelog, 2, &compact), 0);
    assert_eq!(problems(&changelog, 3, &compact), 1);
    assert_eq!(problems(&changelog, 2, &[("cleanup.policy", "compact,delete")]), 1);
    assert_eq!(problems(&changelog, 2, &[]), 1);
    assert_eq!(problems(&repartition, 2, &delete), 0);
    assert_eq!(problems(&repartition, 1, &compact), 2);
    assert_eq!(problems(&repartition, 2, &[("cleanup.policy", "delete")]), 1);
    assert_eq!(
        problems(&repartition, 2, &[("cleanup.policy", "delete"), ("retention.ms", "1"), ("retention.bytes", "1")]),
        2
    );
}
