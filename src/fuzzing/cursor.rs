//! What clients send back to a range or point read.

use crate::query::cursor::Cursor;
use crate::query::freshness::PositionBound;

/// The text of a cursor and of a position; and a cursor made of the bytes.
pub fn cursor(data: &[u8]) {
    let (request, text) = data.split_first_chunk::<4>().unwrap_or((&[0; 4], data));
    let request = u32::from_be_bytes(*request);
    if let Ok(text) = std::str::from_utf8(text) {
        if let Ok(cursor) = Cursor::decode(text, request) {
            assert_eq!(Cursor::decode(&cursor.encode(request), request), Ok(cursor));
        }
        // Reading it is all: what it means is decided against a position.
        let _ = PositionBound::parse(text);
    }
    let made = Cursor { scope: request, partition: i32::from(data.len() as u8), key: text.to_vec() };
    let encoded = made.encode(request);
    assert_eq!(Cursor::decode(&encoded, request), Ok(made));
    assert!(Cursor::decode(&encoded, request ^ 1).is_err(), "a cursor of another request");
}
