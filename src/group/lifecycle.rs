//! The life of one task replica: which state may follow which.
//!
//! The runtime does what a state means (open, restore, process, commit, close) and reports what happened; this
//! table says what comes next. An event that a state cannot meet is a programming error and asserts.

/// Where a task replica is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its store is being opened.
    Opening,
    /// Active, reading its changelog up to the end.
    Restoring,
    /// Follows the changelog.
    Standby {
        /// Prepared to become active.
        warm_up: bool,
    },
    /// Active, processing.
    Running,
    /// Active, committing for the last time.
    Suspending,
    /// Its store is being closed.
    Closing,
    /// Gone.
    Closed,
    /// Something broke; the overlay is dropped.
    Failed {
        /// The store cannot be trusted and must be wiped before the next opening.
        wipe: bool,
    },
}

/// What happened to a task replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The store is open, the task is to process.
    OpenedActive,
    /// The store is open, the task is to follow.
    OpenedStandby {
        /// To become active soon.
        warm_up: bool,
    },
    /// The position reached the changelog's end; at once for a task without a store.
    CaughtUp,
    /// An active task became a standby before it ran.
    Demoted,
    /// A standby became active.
    Promoted,
    /// The assignment took the task away, or the process shuts down: finish in order.
    Revoked,
    /// The task is already another's: no commit.
    Lost,
    /// The last commit succeeded.
    Committed {
        /// The store stays open as a standby.
        recycle: bool,
    },
    /// The store is closed.
    Closed,
    /// Anything failed.
    Fault {
        /// The store cannot be trusted.
        wipe: bool,
    },
    /// The wait after a failure is over.
    Retry,
    /// The failure is final.
    GiveUp,
}

impl State {
    /// The state after `event`. Panics when the event cannot happen in this state.
    #[must_use]
    pub fn next(self, event: Event) -> Self {
        match self.step(event) {
            Some(next) => next,
            None => panic!("a task in state {self:?} cannot meet {event:?}"),
        }
    }

    /// The transition table.
    const fn step(self, event: Event) -> Option<Self> {
        use Event as E;
        use State as S;
        Some(match (self, event) {
            (S::Closed, _) => return None,
            (_, E::Fault { wipe }) => S::Failed { wipe },

            (S::Opening, E::OpenedActive) => S::Restoring,
            (S::Opening, E::OpenedStandby { warm_up }) => S::Standby { warm_up },
            (S::Opening, E::Revoked | E::Lost) => S::Closing,

            (S::Restoring, E::CaughtUp) => S::Running,
            (S::Restoring, E::Demoted) => S::Standby { warm_up: false },
            (S::Restoring, E::Revoked | E::Lost) => S::Closing,

            (S::Standby { .. }, E::Promoted) => S::Restoring,
            (S::Standby { .. }, E::Revoked | E::Lost) => S::Closing,

            (S::Running, E::Revoked) => S::Suspending,
            (S::Running, E::Lost) => S::Closing,

            (S::Suspending, E::Committed { recycle: true }) => S::Standby { warm_up: false },
            (S::Suspending, E::Committed { recycle: false }) => S::Closing,
            (S::Suspending, E::Lost) => S::Closing,

            (S::Closing, E::Closed) => S::Closed,
            // Losing everything may meet a task that is on its way out.
            (S::Closing, E::Lost) => S::Closing,

            (S::Failed { .. }, E::Retry) => S::Opening,
            (S::Failed { .. }, E::GiveUp | E::Revoked | E::Lost) => S::Closed,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 8] = [
        State::Opening,
        State::Restoring,
        State::Standby { warm_up: false },
        State::Running,
        State::Suspending,
        State::Closing,
        State::Closed,
        State::Failed { wipe: true },
    ];
    const EVENTS: [Event; 12] = [
        Event::OpenedActive,
        Event::OpenedStandby { warm_up: false },
        Event::CaughtUp,
        Event::Demoted,
        Event::Promoted,
        Event::Revoked,
        Event::Lost,
        Event::Committed { recycle: true },
        Event::Committed { recycle: false },
        Event::Closed,
        Event::Retry,
        Event::GiveUp,
    ];

    /// The table of the architecture's section 6, written down a second time as text; `fail` goes to Failed from all but Closed.
    #[test]
    fn the_table_is_complete() {
        let letter = |state: Option<State>| match state {
            None => '-',
            Some(State::Opening) => 'O',
            Some(State::Restoring) => 'R',
            Some(State::Standby { .. }) => 'B',
            Some(State::Running) => 'U',
            Some(State::Suspending) => 'S',
            Some(State::Closing) => 'C',
            Some(State::Closed) => 'X',
            Some(State::Failed { .. }) => 'F',
        };
        let expected = [
            "RB---CC-----",
            "--UB-CC-----",
            "----RCC-----",
            "-----SC-----",
            "------CBC---",
            "------C--X--",
            "------------",
            "-----XX---OX",
        ];
        for (state, row) in STATES.into_iter().zip(expected) {
            let actual: String = EVENTS.iter().map(|event| letter(state.step(*event))).collect();
            assert_eq!(actual, row, "{state:?}");
            let fault = state.step(Event::Fault { wipe: true });
            assert_eq!(fault, (state != State::Closed).then_some(State::Failed { wipe: true }));
        }
    }

    #[test]
    #[should_panic(expected = "cannot meet")]
    fn an_illegal_transition_asserts() {
        let _ = State::Closed.next(Event::Retry);
    }

    #[test]
    fn a_task_that_moves_in_order_runs_suspends_and_closes() {
        use Event as E;
        let events = [E::OpenedActive, E::CaughtUp, E::Revoked, E::Committed { recycle: false }, E::Closed];
        let states = events.iter().scan(State::Opening, |state, event| {
            *state = state.next(*event);
            Some(*state)
        });
        let expected = [State::Restoring, State::Running, State::Suspending, State::Closing, State::Closed];
        assert_eq!(states.collect::<Vec<_>>(), expected);
    }
}
