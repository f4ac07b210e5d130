//! Runs random cases on both sides; a case that differs is made small and saved.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::case::Case;
use crate::compare::Difference;
use crate::generate;
use crate::original::{self, Original};
use crate::shrink::shrink;
use crate::side_by_side::compare;

/// Which cases to run, and what to do with those that differ.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Cases 0 to this one, exclusive.
    pub cases: u64,
    /// Of this seed.
    pub seed: u64,
    /// Where small cases are saved; `None`: stop at the first difference and leave it as it is.
    pub save: Option<&'a Path>,
}

/// After so many cases that differ the others are not run: they most likely show the same.
const DIFFERENT_MAX: usize = 10;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The original gives no answers.
    #[error(transparent)]
    Original(#[from] original::Error),
    /// A small case cannot be saved, or the output is gone.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
}

/// How many cases were run, and the differences of those that differ, each of the case as it was made small.
#[derive(Debug, Default)]
pub struct Found {
    /// Cases that were run.
    pub cases: u64,
    /// What differs.
    pub different: Vec<(Case, Difference)>,
}

/// Runs the cases in order; says on `out` what it finds as it goes.
pub fn run(plan: &Plan<'_>, original: &mut Original, out: &mut impl Write) -> Result<Found, Error> {
    let mut found = Found::default();
    for index in 0..plan.cases {
        let case = generate::case(plan.seed, index);
        found.cases += 1;
        let Some(difference) = compare(original, &case)? else { continue };
        writeln!(out, "difference in {}: {}", case.name, line(&difference))?;
        let Some(folder) = plan.save else {
            found.different.push((case, difference));
            break;
        };
        let (small, difference) = smaller(case, difference, original)?;
        let file = folder.join(format!("{}.json", small.name));
        fs::create_dir_all(folder)?;
        fs::write(&file, serde_json::to_string_pretty(&small).map_err(io::Error::from)? + "\n")?;
        writeln!(out, "saved, with {} nodes, as {}\n{difference}", small.nodes.len(), file.display())?;
        found.different.push((small, difference));
        if found.different.len() == DIFFERENT_MAX {
            break;
        }
    }
    Ok(found)
}

fn line(difference: &Difference) -> String {
    let Difference { part, original, ours, .. } = difference;
    let short = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    format!("{part}: original {}, ours {}", short(original), short(ours))
}

/// The case made small, with its difference.
fn smaller(case: Case, difference: Difference, original: &mut Original) -> Result<(Case, Difference), original::Error> {
    let mut failed = None;
    let mut last = difference.clone();
    let small =
        shrink(case, &mut |candidate| match if failed.is_some() { Ok(None) } else { compare(original, candidate) } {
            Ok(Some(found)) if is_alike(&found, &difference) => {
                last = found;
                true
            }
            Ok(_) => false,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
    failed.map_or(Ok((small, last)), Err)
}

/// Whether two differences are of one kind, so that a small case shows what the big one did.
fn is_alike(left: &Difference, right: &Difference) -> bool {
    let kind = |difference: &Difference| difference.part.split([' ', ',']).next().unwrap_or_default().to_owned();
    let ended = |difference: &Difference| (difference.original.clone(), difference.ours.clone());
    kind(left) == kind(right) && (kind(left) != "how" || ended(left) == ended(right))
}
