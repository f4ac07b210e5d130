//! Record headers, kept encoded: a record's headers cross the task untouched without one allocation.

/// One header; a header's value may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Header key, UTF-8.
    pub key: &'a str,
    /// Header value, `None` for null.
    pub value: Option<&'a [u8]>,
}

/// Borrowed headers of one record, in order; duplicates are allowed, as in Kafka.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeadersView<'a> {
    encoded: &'a [u8],
}

/// A growable list of headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    encoded: Vec<u8>,
}

// One header is `u32 key length, u32 value length or NULL, key, value`; lengths are little-endian.
const NULL: u32 = u32::MAX;

impl Headers {
    /// No headers.
    pub const fn new() -> Self {
        Self { encoded: Vec::new() }
    }

    /// Appends a header.
    pub fn push(&mut self, key: &str, value: Option<&[u8]>) {
        self.encoded.extend_from_slice(&(key.len() as u32).to_le_bytes());
        let length = value.map_or(NULL, |v| v.len() as u32);
        self.encoded.extend_from_slice(&length.to_le_bytes());
        self.encoded.extend_from_slice(key.as_bytes());
        self.encoded.extend_from_slice(value.unwrap_or_default());
    }

    /// Removes every header with this key.
    pub fn remove(&mut self, key: &str) {
        let kept: Self = self.view().iter().filter(|h| h.key != key).collect();
        *self = kept;
    }

    /// Replaces the content by `view`'s, keeping the capacity.
    pub fn assign(&mut self, view: HeadersView<'_>) {
        self.encoded.clear();
        self.encoded.extend_from_slice(view.encoded);
    }

    /// Removes all headers, keeping the capacity.
    pub fn clear(&mut self) {
        self.encoded.clear();
    }

    /// Borrows the headers.
    pub fn view(&self) -> HeadersView<'_> {
        HeadersView { encoded: &self.encoded }
    }
}

impl<'a> FromIterator<Header<'a>> for Headers {
    fn from_iter<I: IntoIterator<Item = Header<'a>>>(headers: I) -> Self {
        let mut all = Self::new();
        for header in headers {
            all.push(header.key, header.value);
        }
        all
    }
}

impl<'a> HeadersView<'a> {
    /// Borrows headers that [`Headers`] encoded into a larger buffer.
    pub(crate) fn from_encoded(encoded: &'a [u8]) -> Self {
        Self { encoded }
    }

    /// The encoded bytes, to be copied into another buffer.
    pub(crate) fn encoded(self) -> &'a [u8] {
        self.encoded
    }

    /// Whether there is no header.
    pub fn is_empty(self) -> bool {
        self.encoded.is_empty()
    }

    /// The headers in order.
    pub fn iter(self) -> HeadersIter<'a> {
        HeadersIter { rest: self.encoded }
    }

    /// The last header with this key, as Java's `Headers.lastHeader`.
    pub fn last(self, key: &str) -> Option<Header<'a>> {
        self.iter().filter(|h| h.key == key).last()
    }
}

impl<'a> IntoIterator for HeadersView<'a> {
    type Item = Header<'a>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// Iterator over a [`HeadersView`].
#[derive(Debug, Clone)]
pub struct HeadersIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let (key_length, rest) = self.rest.split_first_chunk::<4>()?;
        let (value_length, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
        let (value, rest) = match u32::from_le_bytes(*value_length) {
            NULL => (None, rest),
            length => {
                let (value, rest) = rest.split_at_checked(length as usize)?;
                (Some(value), rest)
            }
        };
        self.rest = rest;
        // Only `Headers::push` encodes, and it takes a `&str`.
        Some(Header { key: std::str::from_utf8(key).ok()?, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_order_duplicates_and_nulls() {
        let mut headers = Headers::new();
        headers.push("a", Some(b"1"));
        headers.push("b", None);
        headers.push("a", Some(b""));
        let all: Vec<_> = headers.view().iter().map(|h| (h.key, h.value)).collect();
        assert_eq!(all, [("a", Some(&b"1"[..])), ("b", None), ("a", Some(&b""[..]))]);
        assert_eq!(headers.view().last("a").and_then(|h| h.value), Some(&b""[..]));
        headers.remove("a");
        assert_eq!(headers.view().iter().count(), 1);
    }
}
