//! Values of changelogs and of repartition topics of tables.

use thalweg_state::layout;

use crate::dsl::ChangedSerde;
use crate::serde::{BytesSerde, Deserializer, SerdeError, Serializer, StringSerde};
use crate::task::Change;

/// Timestamped rows and changes (KIP-904).
pub fn changelog(data: &[u8]) {
    if let Ok((timestamp, value)) = layout::split_timestamped(data) {
        let mut row = Vec::new();
        layout::encode_timestamped(timestamp, value, &mut row);
        assert_eq!(row, data, "a row has one form");
    }
    change::<Vec<u8>, _>(BytesSerde, data);
    change::<String, _>(StringSerde, data);
}

fn change<V, S>(serde: S, data: &[u8])
where
    V: PartialEq + std::fmt::Debug,
    S: Serializer<V> + Deserializer<V>,
{
    let serde = ChangedSerde(serde);
    let read = |bytes: &[u8]| -> Result<Change<V>, SerdeError> { serde.deserialize("t", Some(bytes)) };
    if let Ok(change) = read(data) {
        let mut bytes = Vec::new();
        assert_eq!(serde.serialize("t", &change, &mut bytes), Ok(true));
        assert_eq!(read(&bytes), Ok(change));
    }
}
