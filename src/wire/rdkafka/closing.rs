//! Ending a client that may hang, without hanging with it.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Drops `client` on a thread of its own and waits for it at most `deadline`.
///
/// librdkafka's destroy waits for its threads, and some of its bugs make that wait endless (reliability notes 1.4);
/// a client that misses the deadline keeps its thread until the process ends.
pub(super) fn close_within<T: Send + 'static>(client: T, deadline: Duration, name: &str) {
    let (done, closed) = mpsc::channel();
    let thread = thread::Builder::new().name(format!("close-{name}"));
    let spawned = thread.spawn(move || {
        drop(client);
        // Nobody listens any more after the deadline.
        let _ = done.send(());
    });
    if let Err(error) = spawned {
        tracing::warn!(client = name, %error, "closed without a deadline, no thread could be started");
    } else if closed.recv_timeout(deadline).is_err() {
        tracing::warn!(client = name, ?deadline, "did not close in time and was left behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender};

    /// Its drop tells that it began and ends when told to.
    struct Slow(Sender<()>, Receiver<()>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.send(());
            let _ = self.1.recv();
        }
    }

    #[test]
    fn a_client_that_hangs_is_left_behind() {
        let (began_tx, began) = mpsc::channel();
        let (finish, finish_rx) = mpsc::channel();
        close_within(Slow(began_tx, finish_rx), Duration::from_millis(1), "slow");
        assert_eq!(began.recv(), Ok(()));
        // The drop runs on and sees this, so it really was left behind and not finished.
        assert!(finish.send(()).is_ok());
    }
}
