//! Medians and ratios of rounds.

use serde::Serialize;

/// The middle of some figures, and their extremes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median; the mean of the two middle ones when their number is even.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// The spread of `figures`; `None` of nothing.
pub fn spread(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut all: Vec<f64> = figures.into_iter().collect();
    all.sort_by(f64::total_cmp);
    let (min, max) = (*all.first()?, *all.last()?);
    let middle = all.len() / 2;
    let median = if all.len().is_multiple_of(2) { f64::midpoint(all[middle - 1], all[middle]) } else { all[middle] };
    Some(Spread { median, min, max })
}

/// The spread of ours/theirs, round by round: figures of one round share the machine's mood.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Spread> {
    spread(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let of = |figures: &[f64]| spread(figures.iter().copied()).map(|it| (it.median, it.min, it.max));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(of(&[9.0, 1.0, 2.0]), Some((2.0, 1.0, 9.0)));
        assert_eq!(of(&[4.0, 1.0, 2.0, 9.0]), Some((3.0, 1.0, 9.0)));
    }

    #[test]
    fn ratios_pair_the_rounds() {
        // A machine that slows down by ten between the rounds changes both sides and no ratio.
        let ratio = ratio(&[1.0, 10.0, 3.0], &[4.0, 40.0, 6.0]).map(|it| (it.median, it.min, it.max));
        assert_eq!(ratio, Some((0.25, 0.25, 0.5)));
    }
}
