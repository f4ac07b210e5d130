//! Runs a [`Plan`]: bytes of the writer's layout in, bytes of ours out. Hostile bytes end in a [`Stop`].

use super::binary::{DEPTH_MAX, Reader, put_delimited, put_varint};
use super::plan::{Field, Plan, Step};

/// Where and why bytes could not be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Bytes read before.
    pub at: usize,
    /// What was met; never content.
    pub what: &'static str,
}

impl Plan {
    /// The datum in our layout. Every byte of `datum` must be used.
    pub(super) fn apply(&self, datum: &[u8]) -> Result<Vec<u8>, Stop> {
        // Most differences are a field more or less; anything larger grows.
        let mut out = Vec::with_capacity(datum.len() + 64);
        let mut run = Run { plan: self, reader: Reader::new(datum), out: &mut out };
        let done = run.step(&self.root, DEPTH_MAX);
        let rest = run.reader.rest();
        let at = datum.len() - rest.len();
        match done {
            Ok(()) if rest.is_empty() => Ok(out),
            Ok(()) => Err(Stop { at, what: "bytes left over" }),
            Err(what) => Err(Stop { at, what }),
        }
    }
}

struct Run<'a> {
    plan: &'a Plan,
    reader: Reader<'a>,
    out: &'a mut Vec<u8>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step, depth: usize) -> Result<(), &'static str> {
        let depth = depth.checked_sub(1).ok_or("too deep nesting")?;
        match step {
            Step::Fixed(size) => self.copy(*size),
            Step::Boolean => match self.reader.rest().first() {
                Some(0 | 1) | None => self.copy(1),
                Some(_) => Err("a boolean that is neither 0 nor 1"),
            },
            Step::Varint => {
                put_varint(self.reader.varint()?, self.out);
                Ok(())
            }
            Step::Delimited => self.delimited(),
            Step::IntegerToFloat => {
                self.out.extend((self.reader.varint()? as f32).to_le_bytes());
                Ok(())
            }
            Step::IntegerToDouble => {
                self.out.extend((self.reader.varint()? as f64).to_le_bytes());
                Ok(())
            }
            Step::FloatToDouble => {
                let number = f32::from_le_bytes(*self.reader.chunk()?);
                self.out.extend(f64::from(number).to_le_bytes());
                Ok(())
            }
            Step::Enum(symbols) => {
                let symbol = self.reader.index()?;
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
                let branch = self.reader.index()?;
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

    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), &'static str>) -> Result<(), &'static str> {
        loop {
            let count = self.reader.block()?;
            put_varint(count as i64, self.out);
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    fn delimited(&mut self) -> Result<(), &'static str> {
        put_delimited(self.reader.delimited()?, self.out);
        Ok(())
    }

    fn copy(&mut self, length: usize) -> Result<(), &'static str> {
        self.out.extend_from_slice(self.reader.bytes(length)?);
        Ok(())
    }
}
