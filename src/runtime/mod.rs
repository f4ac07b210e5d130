//! Do: control thread, stream threads, restorer, commit execution, internal topics.
