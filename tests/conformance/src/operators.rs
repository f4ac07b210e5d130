//! The operators of a case as data: what each is called on, what it gives, which fields it has. The table of nodes in
//! `README.md`, for programs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::case::Case;
use crate::check::Kind;
use crate::node::{Id, Node};

/// One row of the table.
#[derive(Debug)]
pub struct Operator {
    /// What it is called on; `None`: the builder.
    pub on: Option<Kind>,
    /// The name in the case.
    pub op: &'static str,
    /// What it gives.
    pub gives: Kind,
    /// What its field `with` names, if it has one.
    pub with: Option<Kind>,
    /// Fields that name functions, with the family of the function.
    pub functions: &'static [(&'static str, &'static str)],
    /// Fields that may be absent.
    pub options: &'static [&'static str],
}

const NAMED: &[&str] = &["named"];
const KEPT: &[&str] = &["named", "materialized"];
const PREDICATE: &[(&str, &str)] = &[("predicate", "predicate")];
const MAPPER: &[(&str, &str)] = &[("mapper", "mapper")];
const KEY: &[(&str, &str)] = &[("key", "selector")];
const KEY_AND_VALUE: &[(&str, &str)] = &[("key", "selector"), ("value", "mapper")];
const KEY_AND_EXPAND: &[(&str, &str)] = &[("key", "selector"), ("expand", "expander")];
const REDUCER: &[(&str, &str)] = &[("reducer", "reducer")];
const AGGREGATOR: &[(&str, &str)] = &[("aggregator", "aggregator")];
const JOINER: &[(&str, &str)] = &[("joiner", "joiner")];
const PROCESSOR: &[(&str, &str)] = &[("processor", "processor")];

const fn source(op: &'static str, gives: Kind, options: &'static [&'static str]) -> Operator {
    Operator { on: None, op, gives, with: None, functions: &[], options }
}

const fn on(
    on: Kind,
    op: &'static str,
    gives: Kind,
    functions: &'static [(&'static str, &'static str)],
    options: &'static [&'static str],
) -> Operator {
    Operator { on: Some(on), op, gives, with: None, functions, options }
}

const fn with(other: Kind, operator: Operator) -> Operator {
    Operator { with: Some(other), ..operator }
}

/// Every operator.
pub static OPERATORS: &[Operator] = &{
    use Kind::{End, GroupedStream, GroupedTable, Split, Store, Stream, Table};
    [
        source("stream", Stream, NAMED),
        source("table", Table, KEPT),
        source("store", Store, &["in_memory", "logging"]),
        on(Stream, "filter", Stream, PREDICATE, NAMED),
        on(Stream, "filter_not", Stream, PREDICATE, NAMED),
        on(Stream, "map", Stream, KEY_AND_VALUE, NAMED),
        on(Stream, "map_values", Stream, MAPPER, NAMED),
        on(Stream, "flat_map", Stream, KEY_AND_EXPAND, NAMED),
        on(Stream, "flat_map_values", Stream, &[("expand", "expander")], NAMED),
        on(Stream, "select_key", Stream, &[("selector", "selector")], NAMED),
        on(Stream, "peek", Stream, &[], NAMED),
        on(Stream, "foreach", End, &[], NAMED),
        with(Stream, on(Stream, "merge", Stream, &[], NAMED)),
        on(Stream, "split", Split, &[], NAMED),
        on(Split, "branch", Stream, PREDICATE, NAMED),
        on(Split, "default_branch", Stream, &[], NAMED),
        on(Stream, "to", End, &[], NAMED),
        on(Stream, "repartition", Stream, &[], &["named", "partitions"]),
        on(Stream, "to_table", Table, &[], KEPT),
        on(Stream, "group_by_key", GroupedStream, &[], NAMED),
        on(Stream, "group_by", GroupedStream, KEY, NAMED),
        on(Table, "group_by", GroupedTable, KEY_AND_VALUE, NAMED),
        on(GroupedStream, "count", Table, &[], KEPT),
        on(GroupedStream, "reduce", Table, REDUCER, KEPT),
        on(GroupedStream, "aggregate", Table, AGGREGATOR, KEPT),
        on(GroupedTable, "count", Table, &[], KEPT),
        on(GroupedTable, "reduce", Table, REDUCER, KEPT),
        on(GroupedTable, "aggregate", Table, AGGREGATOR, KEPT),
        on(Stream, "process", Stream, PROCESSOR, NAMED),
        on(Stream, "process_values", Stream, PROCESSOR, NAMED),
        with(Table, on(Stream, "join", Stream, JOINER, NAMED)),
        with(Table, on(Stream, "left_join", Stream, JOINER, NAMED)),
        on(Table, "filter", Table, PREDICATE, KEPT),
        on(Table, "filter_not", Table, PREDICATE, KEPT),
        on(Table, "map_values", Table, MAPPER, KEPT),
        on(Table, "to_stream", Stream, &[], NAMED),
        with(Table, on(Table, "join", Table, JOINER, KEPT)),
        with(Table, on(Table, "left_join", Table, JOINER, KEPT)),
        with(Table, on(Table, "outer_join", Table, JOINER, KEPT)),
    ]
};

impl Operator {
    /// The operator of this name on that kind of node.
    pub fn find(on: Option<Kind>, op: &str) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.on == on && operator.op == op)
    }

    /// Those that can be called on such a node.
    pub fn all_on(kind: Kind) -> impl Iterator<Item = &'static Self> {
        OPERATORS.iter().filter(move |operator| operator.on == Some(kind))
    }

    /// Its name among all operators, such as `filter of a table`.
    pub fn name(&self) -> String {
        match self.on {
            None => self.op.to_owned(),
            Some(kind) => format!("{} of a {kind}", self.op),
        }
    }
}

/// The fields of a node as its JSON has them; options with their default value are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a new node.
    pub fn new(op: &str) -> Self {
        Self(Map::from_iter([("op".to_owned(), op.into())]))
    }

    /// Takes a node apart.
    pub fn of(node: &Node) -> Self {
        match serde_json::to_value(node) {
            Ok(Value::Object(fields)) => Self(fields),
            other => unreachable!("a node is a JSON object: {other:?}"),
        }
    }

    /// The node; `None` when it lacks a field or has one too many.
    pub fn node(&self) -> Option<Node> {
        serde_json::from_value(Value::Object(self.0.clone())).ok()
    }

    /// A field's text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).and_then(Value::as_str)
    }

    /// A field as it is.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Sets a field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.0.insert(field.to_owned(), value.into());
    }

    /// Makes a field absent; returns what it was.
    pub fn remove(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field)
    }

    /// The nodes it names: the field and the id.
    pub fn parents(&self) -> Vec<(&'static str, Id)> {
        let mut parents = Vec::new();
        for field in ["of", "with"] {
            parents.extend(self.text(field).map(|id| (field, id.to_owned())));
        }
        let stores = self.get("stores").and_then(Value::as_array).into_iter().flatten();
        parents.extend(stores.filter_map(Value::as_str).map(|id| ("stores", id.to_owned())));
        parents
    }
}

/// The operator of each node, by position; `None` where a node names one that is not there or is of another kind.
pub fn operators(case: &Case) -> Option<Vec<&'static Operator>> {
    let mut kinds: BTreeMap<Id, Kind> = BTreeMap::new();
    let mut all = Vec::with_capacity(case.nodes.len());
    for node in &case.nodes {
        let fields = Fields::of(node);
        let on =
            fields.text("of").map(|parent| kinds.get(parent).copied()).map_or(Some(None), |kind| kind.map(Some))?;
        let operator = Operator::find(on, fields.text("op")?)?;
        kinds.extend(fields.text("id").map(|id| (id.to_owned(), operator.gives)));
        all.push(operator);
    }
    Some(all)
}
