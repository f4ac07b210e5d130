//! Every mistake has its own error, and the error says what to do.

use crate::topology::{Blueprint, StoreDefinition, Topic, TopologyError, validate_name};

fn external(names: &[&str]) -> Vec<Topic> {
    names.iter().map(|name| Topic::External((*name).to_owned())).collect()
}

fn internal(name: &str) -> Topic {
    Topic::Internal(name.to_owned())
}

fn named(name: &str) -> String {
    name.to_owned()
}

#[test]
fn nodes_are_checked_when_they_are_added() {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &external(&["in"])).unwrap();
    let sink = blueprint.add_sink("out", &[source], Topic::External("out".into())).unwrap();
    assert_eq!(blueprint.add_processor("s", &[source]), Err(TopologyError::DuplicateNode { name: named("s") }));
    assert_eq!(blueprint.add_processor("p", &[]), Err(TopologyError::NoParent { name: named("p") }));
    assert_eq!(
        blueprint.add_processor("p", &[sink]),
        Err(TopologyError::SinkAsParent { name: named("p"), sink: named("out") })
    );
    assert!(matches!(blueprint.add_processor("a b", &[source]), Err(TopologyError::InvalidName { .. })));
    assert_eq!(blueprint.add_source("t", &[]), Err(TopologyError::NoTopic { name: named("t") }));

    let foreign = blueprint.add_processor("p", &[source]).unwrap();
    assert_eq!(
        Blueprint::default().add_processor("q", &[foreign]),
        Err(TopologyError::UnknownParent { name: named("q") })
    );
}

#[test]
fn a_topic_has_one_source() {
    let taken = |topic: &str, source: &str| TopologyError::TopicAlreadyRegistered {
        topic: topic.to_owned(),
        source_name: source.to_owned(),
    };
    let mut blueprint = Blueprint::default();
    blueprint.add_source("table", &external(&["a"])).unwrap();
    assert_eq!(blueprint.add_source("again", &external(&["b", "a"])), Err(taken("a", "table")));

    let mut blueprint = Blueprint::default();
    blueprint.add_source("table", &external(&["a"])).unwrap();
    assert_eq!(blueprint.stream_source("stream", &external(&["a"])), Err(taken("a", "table")));

    let mut blueprint = Blueprint::default();
    assert_eq!(blueprint.add_source("twice", &external(&["a", "a"])), Err(taken("a", "twice")));
}

#[test]
fn streams_of_equal_topics_share_a_source_and_others_must_not_overlap() {
    let mut blueprint = Blueprint::default();
    let first = blueprint.stream_source("first", &external(&["a", "b"])).unwrap();
    assert_eq!(blueprint.stream_source("second", &external(&["b", "a"])), Ok(first));
    assert_eq!(
        blueprint.stream_source("third", &external(&["c", "b"])),
        Err(TopologyError::OverlappingSources { topic: named("b") })
    );
    assert_eq!(blueprint.build("app").unwrap().nodes().len(), 1);
}

#[test]
fn stores_are_checked_when_they_are_added_and_connected() {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &external(&["in"])).unwrap();
    let processor = blueprint.add_processor("p", &[source]).unwrap();
    let store = blueprint.add_store(StoreDefinition::persistent("rows")).unwrap();
    let duplicate = Err(TopologyError::DuplicateStore { name: named("rows") });
    assert_eq!(blueprint.add_store(StoreDefinition::in_memory("rows")), duplicate);
    assert_eq!(blueprint.materialize(processor, StoreDefinition::persistent("rows")), duplicate);
    assert_eq!(blueprint.connect(source, store), Err(TopologyError::NotAProcessor { node: named("s") }));
    assert_eq!(blueprint.connect(processor, store), Ok(()));

    let mut other = Blueprint::default();
    let source = other.add_source("s", &external(&["in"])).unwrap();
    let processor = other.add_processor("p", &[source]).unwrap();
    assert_eq!(other.connect(processor, store), Err(TopologyError::UnknownStore { node: named("p"), index: 0 }));
    assert!(matches!(other.add_store(StoreDefinition::persistent("a/b")), Err(TopologyError::InvalidName { .. })));
}

#[test]
fn repartition_topics_are_declared_once_with_a_positive_count() {
    let mut blueprint = Blueprint::default();
    assert_eq!(
        blueprint.add_repartition_topic("r", Some(0)),
        Err(TopologyError::InvalidPartitionCount { topic: named("r"), partitions: 0 })
    );
    blueprint.add_repartition_topic("r", Some(1)).unwrap();
    assert_eq!(
        blueprint.add_repartition_topic("r", None),
        Err(TopologyError::DuplicateRepartitionTopic { name: named("r") })
    );
}

#[test]
fn build_checks_the_whole() {
    assert_eq!(Blueprint::default().build("app"), Err(TopologyError::NoSource));

    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &external(&["in"])).unwrap();
    assert!(matches!(blueprint.build("my app"), Err(TopologyError::InvalidName { .. })));
    blueprint.add_sink("k", &[source], internal("r")).unwrap();
    assert_eq!(
        blueprint.build("app"),
        Err(TopologyError::UnknownRepartitionTopic { name: named("r"), node: named("k") })
    );
    blueprint.add_repartition_topic("r", None).unwrap();
    blueprint.build("app").unwrap();
    assert!(matches!(blueprint.build(&"x".repeat(248)), Err(TopologyError::InvalidName { .. })));
}

#[test]
fn enforced_counts_that_differ_are_found_at_build() {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &external(&["in"])).unwrap();
    let sides = [("l", Some(2)), ("r", Some(3))].map(|(prefix, partitions)| {
        let names = blueprint.repartition_names(prefix);
        blueprint.add_repartition(source, &names, partitions).unwrap().source
    });
    blueprint.build("app").unwrap();
    blueprint.copartition(&sides);
    let counts = [("app-l-repartition".to_owned(), 2), ("app-r-repartition".to_owned(), 3)].into();
    assert_eq!(blueprint.build("app"), Err(TopologyError::NotCopartitioned { counts }));
}

#[test]
fn errors_say_what_is_wrong_and_what_to_do() {
    let texts = [
        (
            validate_name("a b").unwrap_err(),
            "name 'a b' is illegal: it has other characters; use 1 to 249 ASCII letters, digits, '.', '_' and '-'",
        ),
        (
            TopologyError::NotCopartitioned { counts: [("a".to_owned(), 3), ("b".to_owned(), 4)].into() },
            "topics are not co-partitioned: a=3, b=4; give them equal partition counts, or repartition one side",
        ),
        (
            TopologyError::MissingSourceTopics { topics: vec![named("a"), named("b")] },
            "source topics are missing: a, b; create them, then start again",
        ),
        (
            TopologyError::MisconfiguredTopic { topic: named("t"), problems: vec![named("one"), named("two")] },
            "internal topic 't' does not fit: one; two; alter it, or delete it and reset the application",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}
