//! The life of one generated order and its payments: planned when it is placed, told step by step.

use std::cmp::Ordering;
use std::collections::VecDeque;

use compact_str::format_compact;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Event;
use crate::model::{Input, Item, Millis, OrderEvent, OrderState, PaymentEvent, PaymentMethod, PaymentState, Phone};

const CUSTOMERS: u32 = 500;
const STORES: u32 = 20;
const CURRENCIES: [&str; 5] = ["USD", "EUR", "JPY", "KRW", "KWD"];
const PROVIDERS: [&str; 3] = ["acme", "globex", "initech"];
const PRODUCTS: [(&str, i64); 5] = [("espresso", 300), ("latte", 450), ("tea", 350), ("scone", 375), ("sandwich", 790)];
const METHODS: [PaymentMethod; 4] =
    [PaymentMethod::Card, PaymentMethod::QrCode, PaymentMethod::Wallet, PaymentMethod::BankTransfer];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Order(OrderState),
    /// The payment attempt, from 1, and what happens to it.
    Payment(u8, PaymentState),
}

/// One order under way.
#[derive(Debug)]
pub(super) struct Life {
    next_at: Millis,
    /// The step told last, and when it happened.
    told: Option<(Step, Millis)>,
    number: u64,
    steps: VecDeque<Step>,
    order: OrderEvent,
    method: PaymentMethod,
    provider: &'static str,
}

impl Life {
    /// Plans the life of order number `number`, which is placed at `at`.
    pub(super) fn begin(prefix: &str, number: u64, at: Millis, random: &mut StdRng) -> Self {
        // The lower of two draws: a few customers order often, so that their pages fill.
        let customer = random.random_range(1..=CUSTOMERS).min(random.random_range(1..=CUSTOMERS));
        let store = random.random_range(1..=STORES);
        let items: Vec<Item> = (0..random.random_range(1..=3)).map(|_| item(random)).collect();
        let order = OrderEvent {
            kind: OrderState::Placed,
            order_id: format_compact!("{prefix}-{number:06}"),
            customer_id: format_compact!("c-{customer:04}"),
            store_id: format_compact!("s-{store:02}"),
            amount_minor: items.iter().map(|item| i64::from(item.quantity) * item.unit_amount_minor).sum(),
            items,
            currency: CURRENCIES[store as usize % CURRENCIES.len()].into(),
            // 555-0100 to 555-0199 belong to nobody.
            phone: Some(Phone::new(format!("+120255501{:02}", customer % 100))),
            occurred_at: at,
            correlation_id: format_compact!("x-{prefix}-{number:06}"),
        };
        let method = METHODS[random.random_range(0..METHODS.len())];
        let provider = PROVIDERS[random.random_range(0..PROVIDERS.len())];
        Self { next_at: at, told: None, number, steps: plan(random), order, method, provider }
    }

    /// When the next step happens.
    pub(super) fn next_at(&self) -> Millis {
        self.next_at
    }

    /// Whether nothing more happens.
    pub(super) fn is_over(&self) -> bool {
        self.steps.is_empty()
    }

    /// Tells the next step and sets the time of the one after it. Must not be called when the life is over.
    pub(super) fn step(&mut self, random: &mut StdRng) -> Event {
        let step = self.steps.pop_front().unwrap_or(Step::Order(self.order.kind));
        let at = self.next_at;
        if let Some(next) = self.steps.front() {
            let delay_ms = if *next == step { 20..=21 } else { delay_ms(*next) };
            self.next_at += random.random_range(delay_ms);
        }
        // A repeat is the same event once more: it happened when it was told first.
        let occurred_at = self.told.filter(|(told, _)| *told == step).map_or(at, |(_, occurred_at)| occurred_at);
        self.told = Some((step, occurred_at));
        let input = match step {
            Step::Order(kind) => Input::Order(OrderEvent { kind, occurred_at, ..self.order.clone() }),
            Step::Payment(attempt, kind) => Input::Payment(self.payment(attempt, kind, occurred_at)),
        };
        Event { key: self.order.order_id.to_string(), input, timestamp: at }
    }

    fn payment(&self, attempt: u8, kind: PaymentState, occurred_at: Millis) -> PaymentEvent {
        PaymentEvent {
            kind,
            order_id: self.order.order_id.clone(),
            payment_id: format_compact!("p-{}-{attempt}", self.order.order_id),
            method: self.method,
            provider: self.provider.into(),
            amount_minor: self.order.amount_minor,
            currency: self.order.currency.clone(),
            failure_code: (kind == PaymentState::ApprovalFailed).then(|| "DECLINED".into()),
            occurred_at,
            correlation_id: self.order.correlation_id.clone(),
        }
    }
}

impl Ord for Life {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.next_at, self.number).cmp(&(other.next_at, other.number))
    }
}

impl PartialOrd for Life {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Life {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Life {}

fn item(random: &mut StdRng) -> Item {
    let (product, unit_amount_minor) = PRODUCTS[random.random_range(0..PRODUCTS.len())];
    Item { product_id: product.into(), quantity: random.random_range(1..=3), unit_amount_minor }
}

/// How long before a step, in milliseconds; a full life takes about half a minute.
fn delay_ms(step: Step) -> std::ops::RangeInclusive<Millis> {
    match step {
        Step::Payment(_, PaymentState::ApprovalRequested) => 200..=1_500,
        Step::Payment(..) => 300..=2_000,
        Step::Order(OrderState::Placed) => 0..=0,
        Step::Order(OrderState::Accepted | OrderState::Rejected | OrderState::Cancelled) => 500..=3_000,
        Step::Order(OrderState::Cooking) => 1_000..=3_000,
        Step::Order(OrderState::PickedUp) => 1_000..=5_000,
        Step::Order(OrderState::Ready | OrderState::Delivered) => 3_000..=10_000,
    }
}

/// The steps of a life. About 1 payment in 100 never finishes, and its order waits for ever.
fn plan(random: &mut StdRng) -> VecDeque<Step> {
    use OrderState::{Accepted, Cancelled, Cooking, Delivered, PickedUp, Placed, Ready, Rejected};
    use PaymentState::{ApprovalCallbackCompleted, ApprovalCompleted, ApprovalFailed, ApprovalRequested};
    let refund = [Step::Payment(1, PaymentState::CancelRequested), Step::Payment(1, PaymentState::Cancelled)];
    let approve = |attempt| {
        [ApprovalRequested, ApprovalCallbackCompleted, ApprovalCompleted].map(|kind| Step::Payment(attempt, kind))
    };
    let serve = [Accepted, Cooking, Ready, PickedUp, Delivered].map(Step::Order);
    let mut steps = VecDeque::from([Step::Order(Placed)]);
    match random.random_range(0..100) {
        0 => steps.extend(approve(1).into_iter().take(random.random_range(1..=2))),
        1..=2 => steps.extend([
            Step::Payment(1, ApprovalRequested),
            Step::Payment(1, ApprovalFailed),
            Step::Order(Cancelled),
        ]),
        3..=5 => {
            steps.extend([Step::Payment(1, ApprovalRequested), Step::Payment(1, ApprovalFailed)]);
            steps.extend(approve(2).into_iter().chain(serve));
        }
        6..=8 => steps.extend(approve(1).into_iter().chain([Step::Order(Rejected)]).chain(refund)),
        9..=11 => {
            steps.extend(approve(1).into_iter().chain([Step::Order(Accepted), Step::Order(Cancelled)]).chain(refund));
        }
        _ => steps.extend(approve(1).into_iter().chain(serve)),
    }
    spoil(&mut steps, random);
    steps
}

/// Producers are not perfect: 1 life in 100 repeats an event, 1 in 200 is told cooking after its end.
fn spoil(steps: &mut VecDeque<Step>, random: &mut StdRng) {
    if random.random_ratio(1, 100) {
        let place = random.random_range(0..steps.len());
        steps.insert(place, steps[place]);
    }
    if random.random_ratio(1, 200) {
        steps.push_back(Step::Order(OrderState::Cooking));
    }
}
