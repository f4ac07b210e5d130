//! Topic `order.status`: exactly one record per real status change, none for a repeat, in order per key.

use thalweg::dsl::{KStream, Produced};
use thalweg::serde::ArcSerde;

use crate::model::Change;
use crate::serdes::Serdes;
use crate::topics::ORDER_STATUS;

/// Sends every change, without the phone number.
pub fn describe(changes: KStream<String, Change>, serdes: &Serdes) {
    changes
        .map_values(|_, change: Change| change.status)
        .to(ORDER_STATUS, Produced::with(serdes.id, ArcSerde(serdes.status_change.clone())));
}

#[cfg(test)]
mod tests;
