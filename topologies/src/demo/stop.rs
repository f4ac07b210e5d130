//! When the demo stops: at Ctrl-C, when it is told to terminate, or when its time is over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Pause between looks.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// Exit code of a process that an interrupt ended (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// The demo's clock, and whether it is time to stop.
#[derive(Debug)]
pub(super) struct Stop {
    started: Instant,
    after: Option<Duration>,
    told: Arc<AtomicBool>,
}

impl Stop {
    /// Listens to signals from now on. Whoever tells twice does not want to wait: the process ends at once.
    pub(super) fn listen(tokio: &Runtime, after: Option<Duration>) -> io::Result<Self> {
        let _entered = tokio.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let told = Arc::new(AtomicBool::new(false));
        let stop = Self { started: Instant::now(), after, told: Arc::clone(&told) };
        tokio.spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if told.swap(true, Ordering::Relaxed) {
                    std::process::exit(INTERRUPTED);
                }
            }
        });
        Ok(stop)
    }

    /// Time since the demo started.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether it is time to stop.
    pub(super) fn is_due(&self) -> bool {
        self.told.load(Ordering::Relaxed) || self.after.is_some_and(|after| self.elapsed() >= after)
    }

    /// Does `work`, which may wait long for the network, on a thread of its own. `None`: it is time to stop, and the
    /// thread is left to the end of the process.
    pub(super) fn unless_due<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        let (done, result) = sync_channel(1);
        let work = move || {
            // Nobody may wait any more.
            let _ = done.send(work());
        };
        std::thread::Builder::new().name("demo-setup".to_owned()).spawn(work)?;
        while !self.is_due() {
            match result.recv_timeout(LOOK) {
                Ok(result) => return Ok(Some(result)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("the set-up panicked")),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn stop(after: Option<Duration>) -> Stop {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Stop::listen(&tokio, after).unwrap()
    }

    #[test]
    fn it_is_due_when_the_time_is_over_or_a_signal_told_so() {
        assert!(stop(Some(Duration::ZERO)).is_due());
        let stop = stop(None);
        assert!(!stop.is_due());
        stop.told.store(true, Ordering::Relaxed);
        assert!(stop.is_due());
    }

    #[test]
    fn work_is_waited_for_unless_it_is_time_to_stop() {
        assert_eq!(stop(None).unless_due(|| 7).unwrap(), Some(7));
        let (never, waits) = sync_channel::<()>(1);
        assert_eq!(stop(Some(Duration::ZERO)).unless_due(move || waits.recv()).unwrap(), None);
        drop(never);
    }
}
