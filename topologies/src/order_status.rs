//! View `order-status` and topic `order.anomalies`: order and payment joined by order id.
//!
//! Both topics go through one step with one store, in the order of their timestamps. A change is stored and passed
//! on; an event that the declared table refuses leaves the store alone and goes to `order.anomalies`; a repeat does
//! nothing.

use thalweg::dsl::{
    Consumed, FixedKeyContext, FixedKeyProcessor, KStream, Materialized, Produced, StoreHandle, StreamsBuilder,
};
use thalweg::serde::{AvroSerde, StringSerde};
use thalweg::task::{Fault, KeyValueStore};

use crate::model::{Change, Effect, Input, OrderStatus, Outcome, apply};
use crate::serdes::Serdes;
use crate::topics::{ORDER_ANOMALIES, ORDER_EVENTS, ORDER_STATUS_VIEW, PAYMENT_ORDER};

type Statuses = StoreHandle<String, OrderStatus, StringSerde, AvroSerde<OrderStatus>>;

/// Describes the view and returns the real changes of order and payment states.
pub fn describe(builder: &StreamsBuilder, serdes: &Serdes) -> KStream<String, Change> {
    let statuses: Statuses =
        builder.add_state_store(serdes.id, serdes.order_status.clone(), Materialized::named(ORDER_STATUS_VIEW).view());
    let orders = builder
        .stream(ORDER_EVENTS, Consumed::with(serdes.id, serdes.order_event.clone()))
        .map_values(|_: &String, event| Input::Order(event));
    let payments = builder
        .stream(PAYMENT_ORDER, Consumed::with(serdes.id, serdes.payment_event.clone()))
        .map_values(|_: &String, event| Input::Payment(event));
    let mut effects = orders
        .merge(payments)
        .named("order-status-step")
        .process_values(&[statuses.id()], move |stores| Step { statuses: stores.open(&statuses) })
        .split();
    let changes = effects.branch(|_, effect| matches!(effect, Effect::Changed(_)));
    effects
        .default_branch()
        .flat_map_values(|_, effect: Effect| effect.anomaly())
        .to(ORDER_ANOMALIES, Produced::with(serdes.id, serdes.anomaly.clone()));
    changes.flat_map_values(|_, effect: Effect| effect.change()).fan_out()
}

struct Step {
    statuses: KeyValueStore<String, OrderStatus, StringSerde, AvroSerde<OrderStatus>>,
}

impl FixedKeyProcessor<String, Input, Effect> for Step {
    fn process(
        &mut self,
        key: &String,
        input: Input,
        context: &mut FixedKeyContext<'_, '_, String, Effect>,
    ) -> Result<(), Fault> {
        let before = self.statuses.get(key, context.stores())?.map(|row| row.value);
        let Outcome { status, effect } = apply(key, before, &input);
        if matches!(effect, Some(Effect::Changed(_))) {
            let timestamp = context.timestamp();
            self.statuses.put(key, status.as_ref(), timestamp, context.stores())?;
        }
        effect.map_or(Ok(()), |effect| context.forward(effect))
    }
}

#[cfg(test)]
mod tests;
