//! Decide: sans-IO machines for membership, assignment, task lifecycle and commit.
