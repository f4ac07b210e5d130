//! Named points of the commit at which a test stops its process.
//!
//! Built without the feature `fault-points`, [`reach`] is an empty function. Built with it, as the tests of the workspace
//! are, it does nothing until a test has called `stop_at` in the same process.

/// Notes that the calling thread is at the point `name`.
#[inline]
pub fn reach(name: &str) {
    #[cfg(feature = "fault-points")]
    armed::reach(name);
    #[cfg(not(feature = "fault-points"))]
    let _ = name;
}

#[cfg(feature = "fault-points")]
pub use armed::stop_at;

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        name: String,
        passes: AtomicU64,
        stop: fn(&str) -> !,
    }

    static ARMED: OnceLock<Armed> = OnceLock::new();

    /// Lets the point `name` be passed `passes` times and calls `stop` on the next. Only the first call of a process
    /// has an effect.
    pub fn stop_at(name: &str, passes: u64, stop: fn(&str) -> !) {
        let _ = ARMED.set(Armed { name: name.to_owned(), passes: AtomicU64::new(passes), stop });
    }

    pub(super) fn reach(name: &str) {
        let Some(armed) = ARMED.get().filter(|armed| armed.name == name) else { return };
        let left = armed.passes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |passes| passes.checked_sub(1));
        if left.is_err() {
            (armed.stop)(name);
        }
    }
}
