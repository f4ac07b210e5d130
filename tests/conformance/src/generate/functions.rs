//! Which functions are drawn, how often, and into how many records each may turn one.

use super::draw::Draw;
use crate::node::Function;

/// Functions that do one kind of thing.
struct Family {
    name: &'static str,
    members: &'static [Member],
}

/// One function.
struct Member {
    name: &'static str,
    arguments: &'static [&'static str],
    /// How often among its family.
    weight: usize,
    /// Most records that one record becomes.
    factor: u32,
}

const fn member(name: &'static str) -> Member {
    Member { name, arguments: &[], weight: 4, factor: 1 }
}

const fn taking(name: &'static str, arguments: &'static [&'static str]) -> Member {
    Member { arguments, ..member(name) }
}

/// One that hides what follows it.
const fn rare(member: Member) -> Member {
    Member { weight: 1, ..member }
}

const fn times(factor: u32, member: Member) -> Member {
    Member { factor, ..member }
}

/// A punctuation forwards every row, of some keys.
const ROWS: u32 = 10;

static FAMILIES: &[Family] = &[
    Family {
        name: "predicate",
        members: &[
            rare(member("all")),
            rare(member("none")),
            member("even"),
            member("positive"),
            taking("less", &["1", "2", "4", "10"]),
            member("key_even"),
            member("not_null"),
        ],
    },
    Family {
        name: "mapper",
        members: &[
            member("same"),
            member("text"),
            member("upper"),
            taking("prefix", &["p", "x-", "A1"]),
            member("number"),
            taking("add", &["1", "2", "-3", "1000"]),
            taking("mod", &["1", "2", "3"]),
            member("negate"),
            member("record"),
            member("key_text"),
            rare(member("null")),
            member("null_if_even"),
        ],
    },
    Family {
        name: "selector",
        members: &[
            member("key"),
            member("text"),
            member("number"),
            taking("mod", &["1", "2", "3"]),
            taking("key_mod", &["1", "2", "3"]),
            member("key_text"),
            member("null_if_even"),
        ],
    },
    Family {
        name: "expander",
        members: &[
            rare(member("nothing")),
            times(3, taking("repeat", &["1", "2", "3"])),
            times(8, member("chars")),
            times(2, member("halves")),
            member("none_if_even"),
        ],
    },
    Family {
        name: "reducer",
        members: &[member("sum"), member("max"), member("first"), member("last"), member("sum_null_if_even")],
    },
    Family {
        name: "aggregator",
        members: &[
            member("count"),
            member("sum"),
            member("text"),
            member("last"),
            member("sum_null_if_even"),
            member("key_sum"),
        ],
    },
    Family {
        name: "joiner",
        members: &[member("pair"), member("sum"), member("record"), member("left"), member("right")],
    },
    Family {
        name: "processor",
        members: &[
            member("pass"),
            times(2, member("twice")),
            taking("shift", &["-50", "-7", "3", "40"]),
            member("key_from_value"),
            taking("header", &["h", "trace"]),
            member("metadata"),
            member("stream_time"),
            member("count"),
            member("dedup"),
            times(ROWS, taking("on_stream_time", &["5", "20", "60"])),
            times(ROWS, taking("on_wall_clock", &["10", "100", "1000"])),
        ],
    },
];

/// Every function that is drawn, as its family and its name without argument.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAMILIES.iter().flat_map(|family| family.members.iter().map(|member| (family.name, member.name)))
}

/// A function of a family, and into how many records it may turn one.
pub(super) fn function(draw: &mut Draw, family: &str) -> (Function, u32) {
    let Some(Family { members, .. }) = FAMILIES.iter().find(|known| known.name == family) else {
        unreachable!("an operator takes functions of family '{family}'")
    };
    let weights: Vec<usize> = members.iter().map(|member| member.weight).collect();
    let member = &members[draw.weighted(&weights)];
    let name = match member.arguments {
        [] => member.name.to_owned(),
        arguments => format!("{}:{}", member.name, draw.pick(arguments)),
    };
    (name, member.factor)
}
