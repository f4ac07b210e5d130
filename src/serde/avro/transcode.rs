//! Runs a [`Plan`]: bytes of the writer's layout in, bytes of ours out. Hostile bytes end in a [`Stop`].

use super::plan::{Field, Plan, Step};

/// Deepest nesting of values; as `serde_avro_fast` has it.
const DEPTH_MAX: usize = 64;

/// Where and why bytes could not be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Bytes read before.
    pub at: usize,
    /// What was met; never content.
    pub what: &'static str,
}

/// Appends a zigzag variable-length integer.
pub(super) fn put_varint(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

impl Plan {
    /// The datum in our layout. Every byte of `datum` must be used.
    pub(super) fn apply(&self, datum: &[u8]) -> Result<Vec<u8>, Stop> {
        // Most differences are a field more or less; anything larger grows.
        let mut out = Vec::with_capacity(datum.len() + 64);
        let mut run = Run { plan: self, rest: datum, items: datum.len(), out: &mut out };
        let done = run.step(&self.root, DEPTH_MAX);
        let at = datum.len() - run.rest.len();
        match done {
            Ok(()) if run.rest.is_empty() => Ok(out),
            Ok(()) => Err(Stop { at, what: "bytes left over" }),
            Err(what) => Err(Stop { at, what }),
        }
    }
}

struct Run<'a> {
    plan: &'a Plan,
    rest: &'a [u8],
    /// Items of arrays and maps that may still come: each takes a byte at least.
    items: usize,
    out: &'a mut Vec<u8>,
}

const SHORT: &str = "an early end";

impl<'a> Run<'a> {
    fn step(&mut self, step: &Step, depth: usize) -> Result<(), &'static str> {
        let depth = depth.checked_sub(1).ok_or("too deep nesting")?;
        match step {
            Step::Fixed(size) => self.copy(*size),
            Step::Boolean => match self.rest.first() {
                Some(0 | 1) => self.copy(1),
                Some(_) => Err("a boolean that is neither 0 nor 1"),
                None => Err(SHORT),
            },
            Step::Varint => self.varint().map(|number| put_varint(number, self.out)),
            Step::Delimited => self.delimited(),
            Step::IntegerToFloat => self.varint().map(|number| self.out.extend((number as f32).to_le_bytes())),
            Step::IntegerToDouble => self.varint().map(|number| self.out.extend((number as f64).to_le_bytes())),
            Step::FloatToDouble => {
                let number = f32::from_le_bytes(*self.chunk()?);
                self.out.extend(f64::from(number).to_le_bytes());
                Ok(())
            }
            Step::Enum(symbols) => {
                let symbol = self.index()?;
                let ours = symbols.get(symbol).ok_or("an enum symbol that the writer schema does not have")?;
                put_varint(ours.ok_or("an enum symbol that we do not have")?, self.out);
                Ok(())
            }
            Step::Array(item) => self.blocks(|run| run.step(item, depth)),
            Step::Map(value) => self.blocks(|run| {
                run.delimited()?;
                run.step(value, depth)
            }),
            Step::Union(branches) => {
                let branch = self.index()?;
                let step = branches.get(branch).ok_or("a union branch that the writer schema does not have")?;
                self.step(step.as_ref().ok_or("a union branch that we do not have")?, depth)
            }
            Step::Branch(branch, step) => {
                put_varint(*branch, self.out);
                self.step(step, depth)
            }
            Step::Record(number) => self.record(*number, depth),
        }
    }

    fn record(&mut self, number: usize, depth: usize) -> Result<(), &'static str> {
        let record = self.plan.records[number].as_ref().ok_or("a type that does not resolve")?;
        let start = self.out.len();
        let mut ends = Vec::new();
        for field in &record.fields {
            match field {
                Field::Take(step) => self.step(step, depth)?,
                Field::Put(default) => self.out.extend_from_slice(default),
                Field::Drop(step) => {
                    let kept = self.out.len();
                    self.step(step, depth)?;
                    self.out.truncate(kept);
                    continue;
                }
            }
            if record.order.is_some() {
                ends.push(self.out.len() - start);
            }
        }
        if let Some(order) = &record.order {
            let pieces = self.out.split_off(start);
            for piece in order {
                let from = piece.checked_sub(1).map_or(0, |before| ends[before]);
                self.out.extend_from_slice(&pieces[from..ends[*piece]]);
            }
        }
        Ok(())
    }

    /// The blocks of an array or map; a block's size in bytes, which a negative count announces, is not needed.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), &'static str>) -> Result<(), &'static str> {
        loop {
            let count = self.varint()?;
            if count < 0 {
                self.varint()?;
            }
            let count = usize::try_from(count.unsigned_abs()).map_err(|_| "more items than bytes")?;
            put_varint(count as i64, self.out);
            if count == 0 {
                return Ok(());
            }
            self.items = self.items.checked_sub(count).ok_or("more items than bytes")?;
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    fn delimited(&mut self) -> Result<(), &'static str> {
        let length = self.index()?;
        put_varint(length as i64, self.out);
        self.copy(length)
    }

    fn copy(&mut self, length: usize) -> Result<(), &'static str> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.out.extend_from_slice(bytes);
        self.rest = rest;
        Ok(())
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], &'static str> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A length or an index: not negative.
    fn index(&mut self) -> Result<usize, &'static str> {
        usize::try_from(self.varint()?).map_err(|_| "a negative length or index")
    }

    fn varint(&mut self) -> Result<i64, &'static str> {
        let mut number = 0u64;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(if self.rest.len() < 10 { SHORT } else { "a number of more than 10 bytes" })
    }
}
