//! HTTP: routing, reads, forwarding, health and metrics over published snapshots.
