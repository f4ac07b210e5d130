//! Whose headers a processor changes: those of the record in hand, which the record before it does not share when an
//! operator made the one from the other (Kafka Streams' `Record.with...` copies headers).

use crate::types::Headers;

/// Headers as they were before a record changed them, to be put back when that record is done with. Nothing is copied
/// unless somebody changes headers.
#[derive(Debug, Default)]
pub(crate) struct HeaderScopes {
    /// Records in hand that an operator made of the one before.
    depth: u32,
    /// Depth and headers; those from `used` on are kept for their memory.
    saved: Vec<(u32, Headers)>,
    used: usize,
}

impl HeaderScopes {
    /// An operator has made a record.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.depth += 1;
    }

    /// The record that was made last is done with.
    #[inline]
    pub(crate) fn end(&mut self, headers: &mut Headers) {
        if self.used > 0 {
            self.restore(headers);
        }
        self.depth -= 1;
    }

    fn restore(&mut self, headers: &mut Headers) {
        let (depth, saved) = &mut self.saved[self.used - 1];
        if *depth == self.depth {
            std::mem::swap(headers, saved);
            self.used -= 1;
        }
    }

    /// The headers of the record in hand are about to be changed.
    pub(crate) fn save(&mut self, headers: &Headers) {
        let is_saved = self.used.checked_sub(1).is_some_and(|last| self.saved[last].0 == self.depth);
        if self.depth == 0 || is_saved {
            return;
        }
        if self.used == self.saved.len() {
            self.saved.push((0, Headers::new()));
        }
        let (depth, saved) = &mut self.saved[self.used];
        *depth = self.depth;
        saved.assign(headers.view());
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_record_leaves_the_headers_of_the_one_before_as_they_were() {
        let (mut scopes, mut headers) = (HeaderScopes::default(), Headers::new());
        let names = |headers: &Headers| headers.view().iter().map(|header| header.key.to_owned()).collect::<Vec<_>>();
        let change = |scopes: &mut HeaderScopes, headers: &mut Headers, name| {
            scopes.save(headers);
            headers.push(name, None);
        };
        change(&mut scopes, &mut headers, "first");
        scopes.begin();
        scopes.begin();
        change(&mut scopes, &mut headers, "inner");
        change(&mut scopes, &mut headers, "more");
        assert_eq!(names(&headers), ["first", "inner", "more"]);
        scopes.end(&mut headers);
        assert_eq!(names(&headers), ["first"]);
        change(&mut scopes, &mut headers, "outer");
        scopes.begin();
        scopes.end(&mut headers);
        assert_eq!(names(&headers), ["first", "outer"]);
        scopes.end(&mut headers);
        assert_eq!((names(&headers), scopes.used, scopes.depth), (vec!["first".to_owned()], 0, 0));
    }
}
