//! Shares by capacity: the method of D'Hondt, with ties going to those who already own more.

/// Raises the shares `base` by `slots` in total, each slot to the member with the lowest load per thread after it.
///
/// The result is balanced: `share[i] / capacity[i] <= (share[j] + 1) / capacity[j]` for all i, j that got a slot.
/// When several members may take the last slots, those whose `owned` exceeds their share come first, so that nobody
/// hands over a task that the balance would let it keep, and a second round after a hand-over gives the same shares.
pub fn apportion(base: &[usize], slots: usize, capacity: &[u32], owned: &[usize]) -> Vec<usize> {
    let mut shares = base.to_vec();
    let mut left = slots;
    while left > 0 {
        let lightest = (0..shares.len()).min_by(|a, b| compare(&shares, capacity, *a, *b));
        let lightest = lightest.expect("a group has a member");
        let mut tied: Vec<usize> = (0..shares.len())
            .filter(|member| compare(&shares, capacity, *member, lightest) == std::cmp::Ordering::Equal)
            .collect();
        // A stable sort: equal members stay in their order.
        tied.sort_by_key(|member| owned[*member] <= shares[*member] - base[*member]);
        for member in tied.into_iter().take(left) {
            shares[member] += 1;
            left -= 1;
        }
    }
    shares
}

/// Compares the loads per thread that two members would have with one more task.
fn compare(shares: &[usize], capacity: &[u32], a: usize, b: usize) -> std::cmp::Ordering {
    let load = |member: usize, other: usize| (shares[member] as u64 + 1) * u64::from(capacity[other]);
    load(a, b).cmp(&load(b, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_capacity_and_ties_follow_ownership() {
        assert_eq!(apportion(&[0, 0, 0], 7, &[1, 1, 1], &[0, 0, 0]), [3, 2, 2]);
        assert_eq!(apportion(&[0, 0, 0], 7, &[1, 1, 1], &[2, 2, 3]), [2, 2, 3]);
        assert_eq!(apportion(&[0, 0], 12, &[1, 3], &[0, 0]), [3, 9]);
        assert_eq!(apportion(&[2, 1], 1, &[1, 1], &[1, 0]), [2, 2]);
        assert_eq!(apportion(&[0], 0, &[1], &[0]), [0]);
    }
}
