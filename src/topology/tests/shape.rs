//! What a built topology holds besides its text.

use super::recorder::Materialized::{As, No};
use super::recorder::Recorder;
use crate::topology::{Blueprint, NodeKind, StoreDefinition, Topic, TopicKind, Topology};

fn external(name: &str) -> Topic {
    Topic::External(name.to_owned())
}

/// `table(users)` joined by re-keyed `orders`, and the result counted in memory.
fn enriched_orders() -> Topology {
    let mut r = Recorder::default();
    let users = r.table("users", None, As("users"));
    let orders = r.stream(&["orders"], None);
    let mut orders = r.select_key(&orders);
    let joined = r.join_table(&mut orders, &users, "KSTREAM-JOIN-", Some("enrich"));
    r.to(&joined, "enriched");
    let mut cache = StoreDefinition::in_memory("seen");
    cache.changelog = None;
    let cache = r.0.add_store(cache).unwrap();
    r.process(&joined, "KSTREAM-PROCESSVALUES-", None, &[cache]);
    r.build()
}

#[test]
fn a_sub_topology_lists_its_topics_and_stores() {
    let topology = enriched_orders();
    let [users, orders] = topology.sub_topologies() else { panic!("two sub-topologies") };

    let topics: Vec<&str> = users.sources.iter().map(|source| source.topic.name.as_str()).collect();
    assert_eq!(topics, ["users", "app-enrich-repartition"]);
    assert_eq!(users.sources[1].topic.kind, TopicKind::Repartition);
    assert_eq!(topology.node(users.sources[1].node).name, "enrich-repartition-source");
    assert_eq!(users.sinks[0].topic.name, "enriched");
    assert_eq!(users.repartition_sinks().count(), 0);
    let stores: Vec<_> =
        users.stores.iter().map(|store| (store.definition.name.as_str(), store.changelog_topic.as_deref())).collect();
    assert_eq!(stores, [("users", Some("app-users-changelog")), ("seen", None)]);

    assert_eq!((orders.id, orders.stores.len()), (1, 0));
    let written: Vec<&str> = orders.repartition_sinks().map(|sink| sink.topic.name.as_str()).collect();
    assert_eq!(written, ["app-enrich-repartition"]);
}

#[test]
fn a_store_is_found_by_name_and_by_id() {
    let topology = enriched_orders();
    let (sub_topology, index) = topology.store("seen").unwrap();
    assert_eq!((sub_topology.id, index), (0, 1));
    assert_eq!(sub_topology.store_index(sub_topology.stores[1].id), Some(1));
    assert_eq!(topology.sub_topologies()[1].store_index(sub_topology.stores[1].id), None);
    assert!(topology.store("nowhere").is_none());
}

#[test]
fn children_are_in_the_order_of_recording() {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &[external("in")]).unwrap();
    let children = ["z", "a", "m"].map(|name| blueprint.add_processor(name, &[source]).unwrap());
    let topology = blueprint.build("app").unwrap();
    assert_eq!(topology.node(source).children, children);
    assert_eq!(topology.node(children[0]).parents, [source]);
    assert_eq!(topology.nodes()[children[2].index()].name, "m");
}

#[test]
fn a_shared_store_joins_sub_topologies() {
    let mut blueprint = Blueprint::default();
    let nodes = ["a", "b", "c"].map(|name| {
        let source = blueprint.add_source(name, &[external(name)]).unwrap();
        blueprint.add_processor(&format!("{name}-p"), &[source]).unwrap()
    });
    let store = blueprint.add_store(StoreDefinition::persistent("shared")).unwrap();
    blueprint.connect(nodes[2], store).unwrap();
    blueprint.connect(nodes[0], store).unwrap();
    let topology = blueprint.build("app").unwrap();
    assert_eq!(nodes.map(|node| topology.node(node).sub_topology), [0, 1, 0]);
    assert_eq!(topology.sub_topologies().len(), 2);
}

#[test]
fn late_materialisation_keeps_names_and_is_done_once() {
    let mut r = Recorder::default();
    let table = r.table("users", None, No);
    let filtered = r.table_then(&table, "KTABLE-FILTER-", No);
    r.group_table(&filtered, None);
    let mut s = r.stream(&["orders"], None);
    r.join_table(&mut s, &filtered, "KSTREAM-JOIN-", None);
    let topology = r.build();
    let names: Vec<&str> = topology.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "KSTREAM-SOURCE-0000000001",
            "KTABLE-SOURCE-0000000002",
            "KTABLE-FILTER-0000000003",
            "KTABLE-SELECT-0000000004",
            "KSTREAM-SOURCE-0000000005",
            "KSTREAM-JOIN-0000000006",
        ]
    );
    assert_eq!(topology.sub_topologies()[0].stores.len(), 1);
    assert_eq!(topology.store("users-STATE-STORE-0000000000").map(|(_, index)| index), Some(0));
}

#[test]
fn the_same_calls_build_the_same_topology() {
    assert_eq!(enriched_orders(), enriched_orders());
}

#[test]
fn a_topology_crosses_threads() {
    fn check<T: Send + Sync + 'static>(_: &T) {}
    check(&enriched_orders());
}

#[test]
fn a_topology_reads_as_json() {
    let mut blueprint = Blueprint::default();
    let source = blueprint.add_source("s", &[external("in")]).unwrap();
    let processor = blueprint.add_processor("p", &[source]).unwrap();
    let mut definition = StoreDefinition::in_memory("rows");
    definition.changelog = Some([("segment.ms".to_owned(), "1000".to_owned())].into());
    let store = blueprint.add_store(definition).unwrap();
    blueprint.connect(processor, store).unwrap();
    let names = blueprint.repartition_names("again");
    blueprint.add_repartition(processor, &names, None).unwrap();
    let json = serde_json::to_value(blueprint.build("app").unwrap()).unwrap();

    assert_eq!(json["application_id"], "app");
    assert_eq!(
        json["nodes"][0],
        serde_json::json!({
            "id": 0, "name": "s", "kind": "source", "topics": [{"name": "in", "kind": "external"}],
            "parents": [], "children": [1], "stores": [], "sub_topology": 0
        })
    );
    assert_eq!(json["nodes"][3]["topic"], serde_json::json!({"name": "app-again-repartition", "kind": "repartition"}));
    assert_eq!(
        json["sub_topologies"][0]["stores"],
        serde_json::json!([{
            "id": 0, "name": "rows", "backend": "memory", "cached": false, "changelog": {"segment.ms": "1000"},
            "changelog_topic": "app-rows-changelog"
        }])
    );
    assert_eq!(json["sub_topologies"][1]["sources"][0]["node"], 4);
}

#[test]
fn a_repartition_topic_is_written_before_it_is_read() {
    let topology = enriched_orders();
    let NodeKind::Sink { topic } = &topology.node(topology.sub_topologies()[1].sinks[0].node).kind else {
        panic!("a sink")
    };
    assert_eq!(topic.name, "app-enrich-repartition");
}
