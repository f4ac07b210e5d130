//! The topology test driver: the real task without a broker.
