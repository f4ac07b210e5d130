//! A DSL without types or functions: it makes the calls that the typed DSL has to make, in Kafka's order.

use crate::topology::{Blueprint, NodeId, Repartition, StoreDefinition, StoreId, Topic, Topology};

/// An optional name given by the user.
pub type Name<'a> = Option<&'a str>;

/// `Materialized`: not given, given without a name, given with one.
#[derive(Clone, Copy, PartialEq)]
pub enum Materialized<'a> {
    No,
    Unnamed,
    As(&'a str),
}

use Materialized::{As, No, Unnamed};

#[derive(Default)]
pub struct Recorder(pub Blueprint);

#[derive(Clone)]
pub struct Stream {
    pub node: NodeId,
    pub sources: Vec<NodeId>,
    rekeyed: bool,
    join_repartition: Option<Repartition>,
}

#[derive(Clone)]
pub struct Table {
    pub node: NodeId,
    pub sources: Vec<NodeId>,
    getter: Getter,
}

/// Which stores answer a lookup.
#[derive(Clone)]
enum Getter {
    Lazy(NodeId, String),
    Own(StoreId),
    Of(Box<Table>),
    Join(Box<Table>, Box<Table>),
}

pub struct Grouped {
    stream: Stream,
    name: Option<String>,
    repartition: Option<Repartition>,
}

pub struct GroupedTable {
    select: NodeId,
    name: Option<String>,
    repartition: Option<Repartition>,
}

fn external(topics: &[&str]) -> Vec<Topic> {
    topics.iter().map(|topic| Topic::External((*topic).to_owned())).collect()
}

impl Recorder {
    pub fn build(&self) -> Topology {
        self.0.build("app").unwrap()
    }

    fn name(&mut self, prefix: &str, name: Name) -> String {
        let generated = self.0.new_processor_name(prefix);
        name.map_or(generated, str::to_owned)
    }

    fn suffixed(&mut self, prefix: &str, name: Name, suffix: &str) -> String {
        let generated = self.0.new_processor_name(prefix);
        name.map_or(generated, |name| format!("{name}{suffix}"))
    }

    fn store_name(&mut self, prefix: &str, materialized: Materialized) -> String {
        match materialized {
            As(name) => name.to_owned(),
            No | Unnamed => self.0.new_store_name(prefix),
        }
    }

    pub fn store(&mut self, name: &str) -> StoreId {
        self.0.add_store(StoreDefinition::persistent(name)).unwrap()
    }

    fn own_store(&mut self, node: NodeId, name: &str) -> StoreId {
        let store = self.store(name);
        self.0.connect(node, store).unwrap();
        store
    }

    pub fn stream(&mut self, topics: &[&str], name: Name) -> Stream {
        let name = self.name("KSTREAM-SOURCE-", name);
        let node = self.0.stream_source(&name, &external(topics)).unwrap();
        Stream { node, sources: vec![node], rekeyed: false, join_repartition: None }
    }

    pub fn table(&mut self, topic: &str, name: Name, materialized: Materialized) -> Table {
        let store = self.store_name(&format!("{topic}-"), materialized);
        let source = self.suffixed("KSTREAM-SOURCE-", name, "-source");
        let table = self.name("KTABLE-SOURCE-", name);
        let source = self.0.add_source(&source, &external(&[topic])).unwrap();
        let node = self.0.add_processor(&table, &[source]).unwrap();
        self.table_source(node, vec![source], store, materialized)
    }

    fn table_source(&mut self, node: NodeId, sources: Vec<NodeId>, store: String, materialized: Materialized) -> Table {
        let table = Table { node, sources, getter: Getter::Lazy(node, store) };
        if matches!(materialized, As(_)) {
            self.getter(&table);
        }
        table
    }

    /// The stores of a lookup in `table`; materialises table sources on the way. `force`d old values do the same.
    fn getter(&mut self, table: &Table) -> Vec<StoreId> {
        match &table.getter {
            Getter::Lazy(node, store) => vec![self.0.materialize(*node, StoreDefinition::persistent(store)).unwrap()],
            Getter::Own(store) => vec![*store],
            Getter::Of(parent) => self.getter(parent),
            Getter::Join(left, right) => {
                let mut stores = self.getter(left);
                let right = self.getter(right);
                stores.extend(right.into_iter().filter(|store| !stores.contains(store)).collect::<Vec<_>>());
                stores
            }
        }
    }

    /// Any operator with one new node: `KSTREAM-FILTER-`, `KSTREAM-MAP-`, ...
    pub fn then(&mut self, stream: &Stream, prefix: &str, name: Name) -> Stream {
        let name = self.name(prefix, name);
        let node = self.0.add_processor(&name, &[stream.node]).unwrap();
        let rekeys = ["KSTREAM-MAP-", "KSTREAM-FLATMAP-", "KSTREAM-KEY-SELECT-"].contains(&prefix);
        Stream { node, rekeyed: stream.rekeyed || rekeys, join_repartition: None, ..stream.clone() }
    }

    pub fn filter(&mut self, stream: &Stream) -> Stream {
        self.then(stream, "KSTREAM-FILTER-", None)
    }

    pub fn map_values(&mut self, stream: &Stream) -> Stream {
        self.then(stream, "KSTREAM-MAPVALUES-", None)
    }

    pub fn peek(&mut self, stream: &Stream) -> Stream {
        self.then(stream, "KSTREAM-PEEK-", None)
    }

    pub fn select_key(&mut self, stream: &Stream) -> Stream {
        self.then(stream, "KSTREAM-KEY-SELECT-", None)
    }

    pub fn process(&mut self, stream: &Stream, prefix: &str, name: Name, stores: &[StoreId]) -> Stream {
        let name = name.map_or_else(|| self.0.new_processor_name(prefix), str::to_owned);
        let node = self.0.add_processor(&name, &[stream.node]).unwrap();
        for store in stores {
            self.0.connect(node, *store).unwrap();
        }
        let rekeyed = stream.rekeyed || prefix == "KSTREAM-PROCESSOR-";
        Stream { node, rekeyed, join_repartition: None, ..stream.clone() }
    }

    pub fn merge(&mut self, left: &Stream, right: &Stream) -> Stream {
        let name = self.name("KSTREAM-MERGE-", None);
        let node = self.0.add_processor(&name, &[left.node, right.node]).unwrap();
        let sources = [left.sources.clone(), right.sources.clone()].concat();
        Stream { node, sources, rekeyed: left.rekeyed || right.rekeyed, join_repartition: None }
    }

    pub fn branch(&mut self, splitter: &Stream, suffix: &str) -> Stream {
        let name = format!("{}{suffix}", self.0.node_name(splitter.node));
        self.then(splitter, &name, Some(&name))
    }

    pub fn to(&mut self, stream: &Stream, topic: &str) {
        let name = self.name("KSTREAM-SINK-", None);
        self.0.add_sink(&name, &[stream.node], Topic::External(topic.to_owned())).unwrap();
    }

    pub fn repartition(&mut self, stream: &Stream, name: Name, partitions: Option<i32>) -> Stream {
        let prefix = name.map_or_else(|| self.0.new_processor_name("KSTREAM-REPARTITION-"), str::to_owned);
        let names = self.0.repartition_names(&prefix);
        let made = self.0.add_repartition(stream.node, &names, partitions).unwrap();
        Stream::after(made)
    }

    pub fn group_by_key(&mut self, stream: &Stream, name: Name) -> Grouped {
        Grouped { stream: stream.clone(), name: name.map(str::to_owned), repartition: None }
    }

    pub fn group_by(&mut self, stream: &Stream, name: Name) -> Grouped {
        let selected = self.then(stream, "KSTREAM-KEY-SELECT-", name);
        self.group_by_key(&selected, name)
    }

    pub fn count(&mut self, grouped: &mut Grouped, materialized: Materialized) -> Table {
        if materialized == Unnamed {
            self.0.new_store_name("KSTREAM-AGGREGATE-");
        }
        self.aggregate(grouped, "KSTREAM-AGGREGATE-", materialized)
    }

    pub fn reduce(&mut self, grouped: &mut Grouped) -> Table {
        self.aggregate(grouped, "KSTREAM-REDUCE-", No)
    }

    pub fn aggregate(&mut self, grouped: &mut Grouped, prefix: &str, materialized: Materialized) -> Table {
        let store = self.store_name(prefix, materialized);
        let name = self.name(prefix, None);
        let mut parent = grouped.stream.clone();
        if parent.rekeyed {
            let names = self.0.repartition_names(grouped.name.as_deref().unwrap_or(&store));
            let made = match grouped.repartition {
                Some(made) if grouped.name.is_some() => {
                    self.0.reuse_repartition(made);
                    made
                }
                _ => self.0.add_repartition(parent.node, &names, None).unwrap(),
            };
            grouped.repartition = Some(made);
            parent = Stream::after(made);
        }
        let node = self.0.add_processor(&name, &[parent.node]).unwrap();
        Table { node, sources: parent.sources, getter: Getter::Own(self.own_store(node, &store)) }
    }

    pub fn stream_table(&mut self, stream: &Stream, name: Name, materialized: Materialized) -> Table {
        let name = self.name("KSTREAM-TOTABLE-", name);
        let store = self.store_name("KSTREAM-TOTABLE-", materialized);
        let mut parent = stream.clone();
        if stream.rekeyed {
            let names = self.0.repartition_names(&name);
            parent = Stream::after(self.0.add_repartition(stream.node, &names, None).unwrap());
        }
        let node = self.0.add_processor(&name, &[parent.node]).unwrap();
        self.table_source(node, parent.sources, store, materialized)
    }

    /// Table filter (`KTABLE-FILTER-`) and map_values (`KTABLE-MAPVALUES-`).
    pub fn table_then(&mut self, table: &Table, prefix: &str, materialized: Materialized) -> Table {
        if materialized == Unnamed {
            self.0.new_store_name(prefix);
        }
        let name = self.name(prefix, None);
        let node = self.0.add_processor(&name, &[table.node]).unwrap();
        let getter = match materialized {
            As(store) => Getter::Own(self.own_store(node, store)),
            No | Unnamed => Getter::Of(Box::new(table.clone())),
        };
        Table { node, sources: table.sources.clone(), getter }
    }

    pub fn table_stream(&mut self, table: &Table, name: Name) -> Stream {
        let name = self.name("KTABLE-TOSTREAM-", name);
        let node = self.0.add_processor(&name, &[table.node]).unwrap();
        Stream { node, sources: table.sources.clone(), rekeyed: false, join_repartition: None }
    }

    pub fn group_table(&mut self, table: &Table, name: Name) -> GroupedTable {
        let select = self.name("KTABLE-SELECT-", name);
        let select = self.0.add_processor(&select, &[table.node]).unwrap();
        self.getter(table);
        GroupedTable { select, name: name.map(str::to_owned), repartition: None }
    }

    pub fn aggregate_table(
        &mut self,
        grouped: &mut GroupedTable,
        prefix: &str,
        name: Name,
        as_: Materialized,
    ) -> Table {
        let store = self.store_name("KTABLE-AGGREGATE-", as_);
        let names = self.0.table_repartition_names(grouped.name.as_deref().unwrap_or(&store), name);
        let name = self.name(prefix, name);
        let made = match grouped.repartition {
            Some(made) if grouped.name.is_some() => {
                self.0.reuse_repartition(made);
                made
            }
            _ => self.0.add_repartition(grouped.select, &names, None).unwrap(),
        };
        grouped.repartition = Some(made);
        let node = self.0.add_processor(&name, &[made.source]).unwrap();
        Table { node, sources: vec![made.source], getter: Getter::Own(self.own_store(node, &store)) }
    }

    pub fn join_table(&mut self, stream: &mut Stream, table: &Table, prefix: &str, name: Name) -> Stream {
        let mut left = stream.clone();
        if stream.rekeyed {
            let own = self.0.node_name(stream.node).to_owned();
            let repartition = name.unwrap_or(&own);
            let names = self.0.repartition_names(repartition);
            let made = match stream.join_repartition {
                Some(made) if repartition == own => made,
                _ => self.0.add_repartition(stream.node, &names, None).unwrap(),
            };
            stream.join_repartition = Some(made);
            left = Stream::after(made);
        }
        let sources = [left.sources, table.sources.clone()].concat();
        self.0.copartition(&sources);
        let name = self.name(prefix, name);
        let stores = self.getter(table);
        let node = self.0.add_processor(&name, &[left.node]).unwrap();
        for store in stores {
            self.0.connect(node, store).unwrap();
        }
        Stream { node, sources, rekeyed: false, join_repartition: None }
    }

    /// Inner, left and outer join differ only in old values, and the getters materialise what those force.
    pub fn join_tables(&mut self, left: &Table, right: &Table, name: Name, materialized: Materialized) -> Table {
        let store = (materialized != No).then(|| self.store_name("KTABLE-MERGE-", materialized));
        let merge = self.name("KTABLE-MERGE-", name);
        let sources = [left.sources.clone(), right.sources.clone()].concat();
        self.0.copartition(&sources);
        let this = self.suffixed("KTABLE-JOINTHIS-", name, "-join-this");
        let other = self.suffixed("KTABLE-JOINOTHER-", name, "-join-other");
        let (left_stores, right_stores) = (self.getter(left), self.getter(right));
        let this = self.0.add_processor(&this, &[left.node]).unwrap();
        let other = self.0.add_processor(&other, &[right.node]).unwrap();
        let node = self.0.add_processor(&merge, &[this, other]).unwrap();
        let getter = match store {
            Some(store) => Getter::Own(self.own_store(node, &store)),
            None => Getter::Join(Box::new(left.clone()), Box::new(right.clone())),
        };
        for (processor, stores) in [(this, right_stores), (other, left_stores)] {
            for store in stores {
                self.0.connect(processor, store).unwrap();
            }
        }
        Table { node, sources, getter }
    }
}

impl Stream {
    fn after(made: Repartition) -> Self {
        Self { node: made.source, sources: vec![made.source], rekeyed: false, join_repartition: None }
    }
}
