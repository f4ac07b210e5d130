//! Makes a failing case small: takes things away for as long as it fails.

mod repair;
mod values;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::case::{Case, Config, Input};
use crate::check::check;
use crate::node::{Id, Node};
use crate::operators::Fields;

/// Most cases that are tried.
const TRIES_MAX: usize = 4000;

/// The smallest case that still fails and was found by taking things away: inputs, nodes, options, headers; and by
/// putting simpler functions, values and times in the place of others. `still_fails` is asked about right cases only.
pub fn shrink(case: Case, still_fails: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut search = Search { best: case, still_fails, tries: TRIES_MAX };
    loop {
        let before = search.best.clone();
        search.without_inputs();
        search.without_nodes();
        search.nearer_to_sources();
        search.without_options();
        search.with_simpler_functions();
        search.with_simpler_inputs();
        if search.best == before || search.tries == 0 {
            return search.best;
        }
    }
}

struct Search<'a> {
    best: Case,
    still_fails: &'a mut dyn FnMut(&Case) -> bool,
    tries: usize,
}

impl Search<'_> {
    /// Takes `candidate` when it is another right case and fails.
    fn takes(&mut self, candidate: Case) -> bool {
        let candidate = repair::repaired(candidate);
        if self.tries == 0 || candidate == self.best || check(&candidate).is_err() {
            return false;
        }
        self.tries -= 1;
        let fails = (self.still_fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    fn takes_change(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        self.takes(candidate)
    }

    /// The node at a place; a store that nobody needs any more goes at once, so that there may be fewer than before.
    fn fields(&self, at: usize) -> Option<Fields> {
        self.best.nodes.get(at).map(Fields::of)
    }

    /// Halves first, then smaller and smaller parts.
    fn without_inputs(&mut self) {
        let mut length = self.best.inputs.len().div_ceil(2);
        while length > 0 {
            let mut at = self.best.inputs.len();
            while at > 0 {
                let from = at.saturating_sub(length);
                self.takes_change(|case| drop(case.inputs.drain(from..at)));
                at = from;
            }
            length /= 2;
        }
    }

    /// The last node first: fewest others need it.
    fn without_nodes(&mut self) {
        for at in (0..self.best.nodes.len()).rev() {
            // Taking a node may have taken others with it.
            if at < self.best.nodes.len() && !self.takes_change(|case| remove(case, at)) {
                self.bypass(at);
            }
        }
    }

    /// Lets what follows a node continue what the node continues.
    fn bypass(&mut self, at: usize) {
        let parents = self.fields(at).map_or_else(Vec::new, |fields| fields.parents());
        for (_, parent) in parents.iter().filter(|(field, _)| *field != "stores") {
            let taken = self.takes_change(|case| {
                let id = case.nodes.remove(at).id().cloned();
                case.nodes.iter_mut().for_each(|node| rename_parent(node, id.as_ref(), parent));
            });
            if taken {
                return;
            }
        }
    }

    /// Lets nodes continue earlier ones than they do; what was between them may go then.
    fn nearer_to_sources(&mut self) {
        for at in 0..self.best.nodes.len() {
            for (field, parent) in self.fields(at).iter().flat_map(Fields::parents) {
                let before = self.best.nodes.iter().take_while(|node| node.id() != Some(&parent));
                for id in before.filter_map(|node| node.id().cloned()).collect::<Vec<_>>() {
                    if field != "stores" && self.takes_change(|case| edit(case, at, |fields| fields.set(field, id))) {
                        break;
                    }
                }
            }
        }
    }

    /// Without each optional field of the nodes and of the configuration.
    fn without_options(&mut self) {
        self.takes_change(|case| case.config = Config::default());
        self.takes_change(|case| case.config.guarantee = Config::default().guarantee);
        self.takes_change(|case| case.config.optimization = Config::default().optimization);
        self.takes_change(|case| case.config.cache_max_bytes = Config::default().cache_max_bytes);
        self.takes_change(|case| case.topics.values_mut().for_each(|topic| topic.partitions = 1));
        self.takes_change(|case| case.dump.clear());
        for at in 0..self.best.nodes.len() {
            for option in ["named", "materialized", "partitions", "in_memory", "logging"] {
                self.takes_change(|case| edit(case, at, |fields| drop(fields.remove(option))));
            }
            for part in ["changelog_config", "caching", "logging", "in_memory", "name"] {
                self.takes_change(|case| edit(case, at, |fields| without_part(fields, part)));
            }
            self.takes_change(|case| edit(case, at, with_one_topic));
        }
    }

    /// Functions that do less, where the types allow them.
    fn with_simpler_functions(&mut self) {
        for at in 0..self.best.nodes.len() {
            for (field, simple) in SIMPLE {
                let fields = self.fields(at);
                let Some(is) = fields.as_ref().and_then(|fields| fields.text(field)) else { continue };
                // Only simpler ones: two that replaced each other would do so for ever.
                for name in simple.iter().take_while(|name| **name != is) {
                    if self.takes_change(|case| edit(case, at, |fields| fields.set(field, *name))) {
                        break;
                    }
                }
            }
        }
    }

    /// Fewer headers, times near 0, plain keys and values.
    fn with_simpler_inputs(&mut self) {
        for at in 0..self.best.inputs.len() {
            let candidates: Vec<Input> = values::simpler(&self.best.inputs[at]);
            for candidate in candidates {
                if self.takes_change(|case| case.inputs[at] = candidate) {
                    break;
                }
            }
        }
        self.takes_change(values::with_small_steps);
    }
}

/// Functions by field, the simplest first.
const SIMPLE: &[(&str, &[&str])] = &[
    ("predicate", &["all", "none", "not_null"]),
    ("mapper", &["same", "number", "text"]),
    ("value", &["same", "number", "text"]),
    ("key", &["key", "number", "text"]),
    ("selector", &["key", "number", "text"]),
    ("expand", &["repeat:1", "nothing", "repeat:2"]),
    ("reducer", &["last", "first", "sum"]),
    ("aggregator", &["count", "sum", "text", "last"]),
    ("joiner", &["left", "sum", "pair"]),
    ("processor", &["pass", "twice"]),
];

/// Removes a node and all that needs it.
fn remove(case: &mut Case, at: usize) {
    let mut gone: BTreeSet<Id> = case.nodes.remove(at).id().cloned().into_iter().collect();
    case.nodes.retain(|node| {
        let needs = Fields::of(node).parents().iter().any(|(_, parent)| gone.contains(parent));
        if needs {
            gone.extend(node.id().cloned());
        }
        !needs
    });
}

fn rename_parent(node: &mut Node, from: Option<&Id>, to: &Id) {
    let mut fields = Fields::of(node);
    for field in ["of", "with"] {
        if from.is_some_and(|from| fields.text(field) == Some(from)) {
            fields.set(field, to.clone());
        }
    }
    replace(node, &fields);
}

fn edit(case: &mut Case, at: usize, change: impl FnOnce(&mut Fields)) {
    let Some(node) = case.nodes.get_mut(at) else { return };
    let mut fields = Fields::of(node);
    change(&mut fields);
    // A processor that needs no store names none.
    if fields.text("processor").is_some_and(|name| ["pass", "twice"].contains(&name)) {
        fields.remove("stores");
    }
    replace(node, &fields);
}

fn replace(node: &mut Node, fields: &Fields) {
    if let Some(changed) = fields.node() {
        *node = changed;
    }
}

fn without_part(fields: &mut Fields, part: &str) {
    if let Some(Value::Object(mut parts)) = fields.remove("materialized") {
        parts.remove(part);
        fields.set("materialized", parts);
    }
}

fn with_one_topic(fields: &mut Fields) {
    let first = fields.get("topics").and_then(Value::as_array).and_then(|topics| topics.first().cloned());
    if let Some(first) = first {
        fields.set("topics", json!([first]));
    }
}

#[cfg(test)]
mod tests;
