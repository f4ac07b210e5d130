//! Plays orders and payments through their lives, deterministically.
//!
//! Pure: the clock is an argument, the random numbers come from a seed. Equal seeds give equal events. Events come
//! out in the order of their timestamps; those of one order in the order of its life.

mod life;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::SeedableRng;
use rand::rngs::StdRng;

use self::life::Life;
use crate::model::{Input, Millis};
use crate::topics;

/// Most orders that are under way at a time; at the bound new ones wait.
const OPEN_ORDERS_MAX: usize = 100_000;

/// About how many events an order and its payment make.
const EVENTS_PER_ORDER: u64 = 10;

/// One record of a source topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Record key: the order id.
    pub key: String,
    /// Record value.
    pub input: Input,
    /// Record time.
    pub timestamp: Millis,
}

impl Event {
    /// The topic that the event belongs to.
    pub fn topic(&self) -> &'static str {
        match self.input {
            Input::Order(_) => topics::ORDER_EVENTS,
            Input::Payment(_) => topics::PAYMENT_ORDER,
        }
    }
}

/// A source of orders; an iterator for those who need no clock.
#[derive(Debug)]
pub struct Generator {
    random: StdRng,
    prefix: String,
    /// Lives by the time of their next step; the number of the order breaks ties.
    open: BinaryHeap<Reverse<Life>>,
    placed: u64,
    orders_max: u64,
    next_order_us: i64,
    order_interval_us: i64,
    /// Time of the newest event: an order that had to wait for room must not be placed in the past.
    now: Millis,
}

impl Generator {
    /// A generator whose first order is placed at `started_at`, at 100 events per second and without an end.
    pub fn new(seed: u64, started_at: Millis) -> Self {
        let mut generator = Self {
            random: StdRng::seed_from_u64(seed),
            prefix: "o".to_owned(),
            open: BinaryHeap::new(),
            placed: 0,
            orders_max: u64::MAX,
            next_order_us: started_at.saturating_mul(1000),
            order_interval_us: 0,
            now: started_at,
        };
        generator.set_rate(100);
        generator
    }

    /// Order ids become `<prefix>-000001` and so on; another prefix per run keeps runs on one broker apart.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Ends when `orders` orders have lived their lives.
    pub fn with_orders(mut self, orders: u64) -> Self {
        self.orders_max = orders;
        self
    }

    /// Places new orders so that about `events_per_s` events per second come out once lives overlap.
    pub fn set_rate(&mut self, events_per_s: u32) {
        let interval = EVENTS_PER_ORDER * 1_000_000 / u64::from(events_per_s.max(1));
        self.order_interval_us = interval.max(1).cast_signed();
    }

    /// When the next event is due; `None` when there are no more.
    pub fn next_at(&self) -> Option<Millis> {
        let step = self.open.peek().map(|Reverse(life)| life.next_at());
        let order = self.may_place().then_some(self.next_order_at());
        step.into_iter().chain(order).min()
    }

    /// The next event if it is due at `now`.
    pub fn next_due(&mut self, now: Millis) -> Option<Event> {
        self.now = self.next_at().filter(|at| *at <= now)?;
        if self.may_place() && self.next_order_at() == self.now {
            self.place();
        }
        let Reverse(mut life) = self.open.pop()?;
        let event = life.step(&mut self.random);
        if !life.is_over() {
            self.open.push(Reverse(life));
        }
        Some(event)
    }

    fn may_place(&self) -> bool {
        self.placed < self.orders_max && self.open.len() < OPEN_ORDERS_MAX
    }

    fn next_order_at(&self) -> Millis {
        (self.next_order_us / 1000).max(self.now)
    }

    fn place(&mut self) {
        self.placed += 1;
        self.open.push(Reverse(Life::begin(&self.prefix, self.placed, self.now, &mut self.random)));
        self.next_order_us += self.order_interval_us;
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.next_due(Millis::MAX)
    }
}

#[cfg(test)]
mod tests;
