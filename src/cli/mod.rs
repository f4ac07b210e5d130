//! The command line and the configuration of every application.
