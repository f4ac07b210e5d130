//! The untyped blueprint: graph, sub-topologies, co-partitioning, names, `describe()`.
