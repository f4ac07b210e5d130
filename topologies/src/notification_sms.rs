//! Topic `notification.sms`: filter and map of the status changes that a customer is told about.
//!
//! `order.status` carries no phone number. The change that places an order brings it in memory, and this step alone
//! keeps it, in a store that is no view.

use thalweg::dsl::{FixedKeyContext, FixedKeyProcessor, KStream, Materialized, Produced, StoreHandle, StreamsBuilder};
use thalweg::serde::{AvroSerde, StringSerde};
use thalweg::task::{Fault, KeyValueStore};

use crate::model::{Change, OrderContact, SmsRequest, draft};
use crate::serdes::Serdes;
use crate::topics::{NOTIFICATION_SMS, ORDER_CONTACT_STORE};

type Contacts = StoreHandle<String, OrderContact, StringSerde, AvroSerde<OrderContact>>;

/// Sends the messages.
pub fn describe(builder: &StreamsBuilder, changes: KStream<String, Change>, serdes: &Serdes) {
    let contacts: Contacts =
        builder.add_state_store(serdes.id, serdes.order_contact.clone(), Materialized::named(ORDER_CONTACT_STORE));
    changes
        .named("notification-sms-step")
        .process_values(&[contacts.id()], move |stores| Step { contacts: stores.open(&contacts) })
        .to(NOTIFICATION_SMS, Produced::with(serdes.id, serdes.sms_request.clone()));
}

struct Step {
    contacts: KeyValueStore<String, OrderContact, StringSerde, AvroSerde<OrderContact>>,
}

impl FixedKeyProcessor<String, Change, SmsRequest> for Step {
    fn process(
        &mut self,
        key: &String,
        change: Change,
        context: &mut FixedKeyContext<'_, '_, String, SmsRequest>,
    ) -> Result<(), Fault> {
        if let Some(phone) = change.phone {
            let timestamp = context.timestamp();
            self.contacts.put(key, Some(&OrderContact { phone }), timestamp, context.stores())?;
        }
        let Some(draft) = draft(&change.status) else { return Ok(()) };
        match self.contacts.get(key, context.stores())? {
            Some(contact) => context.forward(draft.address(contact.value)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
