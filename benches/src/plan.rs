//! Which runs make up a benchmark, and in which order.

use crate::topology::{Side, Topology};

/// One process over one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// What it runs; never `restore`, which follows a run of another topology.
    pub topology: Topology,
    /// Whether its processing is reported; else it only fills stores for a restore.
    pub is_reported: bool,
    /// Whether its state is wiped and restored afterwards.
    pub restores: bool,
    /// Size of the record cache in bytes.
    pub cache_max_bytes: u64,
    /// From 0.
    pub round: u32,
    /// Who runs.
    pub side: Side,
}

/// The runs of `topologies`, each asked for once or more: the sides take turns within a round, so that both meet the
/// same weather. A topology without a store runs under the first cache setting only.
pub fn plan(topologies: &[Topology], caches: &[u64], rounds: u32, sides: &[Side]) -> Vec<Run> {
    let asked = |topology| topologies.contains(&topology);
    let mut runs = Vec::new();
    for topology in Topology::ALL.into_iter().filter(|topology| *topology != Topology::Restore) {
        let restores = matches!(topology, Topology::Count | Topology::Aggregate) && asked(Topology::Restore);
        if !asked(topology) && !restores {
            continue;
        }
        let caches = if topology.is_stateful() { caches } else { &caches[..caches.len().min(1)] };
        for &cache_max_bytes in caches {
            for round in 0..rounds {
                for &side in sides.iter().filter(|side| topology != Topology::Orders || **side == Side::Ours) {
                    let is_reported = asked(topology);
                    runs.push(Run { topology, is_reported, restores, cache_max_bytes, round, side });
                }
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Side; 2] = [Side::Ours, Side::Theirs];

    fn told(runs: &[Run]) -> Vec<String> {
        let tell = |run: &Run| {
            let side = if run.side == Side::Ours { "A" } else { "B" };
            let restores = if run.restores { "+restore" } else { "" };
            let silent = if run.is_reported { "" } else { "(silent)" };
            format!("{}{restores}{silent}/{}/{}{side}", run.topology.name(), run.cache_max_bytes, run.round)
        };
        runs.iter().map(tell).collect()
    }

    #[test]
    fn the_sides_take_turns() {
        let runs = plan(&[Topology::Count], &[10, 0], 2, &BOTH);
        let expected = [
            "count/10/0A",
            "count/10/0B",
            "count/10/1A",
            "count/10/1B",
            "count/0/0A",
            "count/0/0B",
            "count/0/1A",
            "count/0/1B",
        ];
        assert_eq!(told(&runs), expected);
    }

    #[test]
    fn a_topology_without_a_store_has_no_cache() {
        assert_eq!(
            told(&plan(&[Topology::Passthrough], &[10, 0], 1, &BOTH)),
            ["passthrough/10/0A", "passthrough/10/0B"]
        );
    }

    #[test]
    fn orders_are_ours_alone() {
        assert_eq!(told(&plan(&[Topology::Orders], &[10], 2, &BOTH)), ["orders/10/0A", "orders/10/1A"]);
    }

    #[test]
    fn a_restore_follows_count_and_aggregate() {
        let alone = plan(&[Topology::Restore], &[10], 1, &[Side::Ours]);
        assert_eq!(told(&alone), ["count+restore(silent)/10/0A", "aggregate+restore(silent)/10/0A"]);
        let with_count = plan(&[Topology::Restore, Topology::Count], &[10], 1, &[Side::Ours]);
        assert_eq!(told(&with_count), ["count+restore/10/0A", "aggregate+restore(silent)/10/0A"]);
    }

    #[test]
    fn asking_twice_changes_nothing() {
        assert_eq!(plan(&[Topology::Join; 2], &[1], 1, &BOTH).len(), 2);
    }
}
