//! A queue by time that breaks ties as Java does.

/// `java.util.PriorityQueue`: a binary heap whose items of equal time come out in the order that its steps happen to
/// make. Kafka Streams chooses records and schedules with it, so the same steps give the same order.
#[derive(Debug)]
pub struct TimeQueue<T>(Vec<T>);

impl<T> Default for TimeQueue<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> TimeQueue<T> {
    /// The item that comes next.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// Takes all items, in no order that means anything.
    pub fn take_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }

    /// Adds an item (`offer`, with its `siftUp`).
    pub fn offer<O: Ord>(&mut self, item: T, time: impl Fn(&T) -> O) {
        self.0.push(item);
        let mut at = self.0.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if time(&self.0[at]) >= time(&self.0[parent]) {
                break;
            }
            self.0.swap(at, parent);
            at = parent;
        }
    }

    /// Takes the item that comes next (`poll`, with its `siftDown`).
    pub fn poll<O: Ord>(&mut self, time: impl Fn(&T) -> O) -> Option<T> {
        if self.0.is_empty() {
            return None;
        }
        let first = self.0.swap_remove(0);
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let Some(mut child) = self.0.get(left).map(|_| left) else { break };
            if self.0.get(right).is_some_and(|right| time(&self.0[left]) > time(right)) {
                child = right;
            }
            if time(&self.0[at]) <= time(&self.0[child]) {
                break;
            }
            self.0.swap(at, child);
            at = child;
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_by_time_and_equal_times_as_in_java() {
        let mut queue = TimeQueue::default();
        for item in ["a5", "b5", "c5", "d1", "e5"] {
            queue.offer(item, |item| item.as_bytes()[1]);
        }
        assert_eq!(queue.first(), Some(&"d1"));
        let order: Vec<_> = std::iter::from_fn(|| queue.poll(|item| item.as_bytes()[1])).collect();
        // As Java prints it after the same offers.
        assert_eq!(order, ["d1", "e5", "b5", "c5", "a5"]);
    }
}
