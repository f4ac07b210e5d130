//! The connection against a server that misbehaves, and the whole membership against the embedded broker.

mod broken;
mod embedded;
