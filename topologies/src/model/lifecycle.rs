//! The declared transitions of orders and payments.
//!
//! Rules:
//! 1. The order of the records in the partition decides, never `occurred_at`: producers' clocks disagree.
//! 2. The two lives are independent, so that the interleaving of the two topics cannot change a final state.
//! 3. An event of the present state is a repeat: no change and no anomaly.
//! 4. An event whose subject, state and `occurred_at` are among the transitions that the status keeps was applied
//!    before: it is a repeat too. A crash may leave a state that is ahead of the committed offsets; the events between
//!    them come again and meet it (at-least-once). So does what a producer sends again late.
//!
//! Rule 4 knows events that were applied. One that was refused is judged anew when it comes again: its anomaly is
//! repeated, unless the states that came since make it legal.

use super::{OrderState, PaymentState};

/// From which state (none: the order is not placed) an order may go where.
pub const ORDER_TRANSITIONS: [(Option<OrderState>, &[OrderState]); 9] = {
    use OrderState::{Accepted, Cancelled, Cooking, Delivered, PickedUp, Placed, Ready, Rejected};
    [
        (None, &[Placed]),
        (Some(Placed), &[Accepted, Rejected, Cancelled]),
        (Some(Accepted), &[Cooking, Cancelled]),
        (Some(Cooking), &[Ready, Cancelled]),
        (Some(Ready), &[PickedUp, Cancelled]),
        (Some(PickedUp), &[Delivered]),
        (Some(Rejected), &[]),
        (Some(Delivered), &[]),
        (Some(Cancelled), &[]),
    ]
};

/// From which state (none: no payment yet) a payment may go where.
///
/// A provider that answers at once has no callback, so a request may complete directly. After a failure or a
/// cancellation a new attempt may start.
pub const PAYMENT_TRANSITIONS: [(Option<PaymentState>, &[PaymentState]); 7] = {
    use PaymentState::{
        ApprovalCallbackCompleted, ApprovalCompleted, ApprovalFailed, ApprovalRequested, CancelRequested, Cancelled,
    };
    [
        (None, &[ApprovalRequested]),
        (Some(ApprovalRequested), &[ApprovalCallbackCompleted, ApprovalCompleted, ApprovalFailed, CancelRequested]),
        (Some(ApprovalCallbackCompleted), &[ApprovalCompleted, ApprovalFailed, CancelRequested]),
        (Some(ApprovalCompleted), &[CancelRequested]),
        (Some(ApprovalFailed), &[ApprovalRequested]),
        (Some(CancelRequested), &[Cancelled]),
        (Some(Cancelled), &[ApprovalRequested]),
    ]
};

/// Whether the table lets an order go from `from` to `to`.
pub fn order_may_go(from: Option<OrderState>, to: OrderState) -> bool {
    may_go(&ORDER_TRANSITIONS, from, to)
}

/// Whether the table lets a payment go from `from` to `to`.
pub fn payment_may_go(from: Option<PaymentState>, to: PaymentState) -> bool {
    may_go(&PAYMENT_TRANSITIONS, from, to)
}

fn may_go<S: Copy + PartialEq>(table: &[(Option<S>, &[S])], from: Option<S>, to: S) -> bool {
    table.iter().any(|(source, targets)| *source == from && targets.contains(&to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_exactly_one_row_and_no_row_leads_to_itself() {
        for state in OrderState::ALL {
            assert_eq!(ORDER_TRANSITIONS.iter().filter(|(from, _)| *from == Some(state)).count(), 1, "{state:?}");
            assert!(!order_may_go(Some(state), state), "{state:?}");
        }
        for state in PaymentState::ALL {
            assert_eq!(PAYMENT_TRANSITIONS.iter().filter(|(from, _)| *from == Some(state)).count(), 1, "{state:?}");
            assert!(!payment_may_go(Some(state), state), "{state:?}");
        }
    }

    #[test]
    fn every_state_can_be_reached_from_nothing() {
        fn reached<S: Copy + PartialEq>(table: &[(Option<S>, &[S])]) -> Vec<S> {
            let mut found: Vec<S> = Vec::new();
            let mut next = vec![None];
            while let Some(from) = next.pop() {
                for to in table.iter().filter(|(source, _)| *source == from).flat_map(|(_, targets)| targets.iter()) {
                    if !found.contains(to) {
                        found.push(*to);
                        next.push(Some(*to));
                    }
                }
            }
            found
        }
        assert_eq!(reached(&ORDER_TRANSITIONS).len(), OrderState::ALL.len());
        assert_eq!(reached(&PAYMENT_TRANSITIONS).len(), PaymentState::ALL.len());
    }
}
