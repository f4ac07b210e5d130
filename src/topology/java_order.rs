//! The orders in which Java's collections iterate, as far as they show in the text of `describe()`.

use std::cmp::Ordering;

/// Positions of `keys` (distinct, in insertion order) in the iteration order of a `java.util.HashSet` that grew
/// by insertion.
pub(super) fn grown_hash_order(keys: &[&str]) -> Vec<usize> {
    let mut buckets = 16;
    while keys.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    hash_order(keys, buckets)
}

/// The same for a set made by `new HashSet<>(collection)`, which takes its size from the collection.
pub(super) fn copied_hash_order(keys: &[&str]) -> Vec<usize> {
    let buckets = (keys.len() * 4 / 3 + 1).max(16).next_power_of_two();
    hash_order(keys, buckets)
}

/// Bucket by bucket, and by insertion within one. (Java turns a bucket of nine into a tree; that is not modelled.)
fn hash_order(keys: &[&str], buckets: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|index| spread_hash(keys[*index]) as usize & (buckets - 1));
    order
}

/// `String.hashCode`, then the spreading of `HashMap.hash`.
fn spread_hash(text: &str) -> u32 {
    let hash = text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    hash ^ (hash >> 16)
}

/// A `java.util.TreeSet` of indices, by insertion only.
///
/// Needed node by node because Kafka inserts under a comparator whose sizes change between insertions: the place
/// of an element then depends on the shape of the tree.
#[derive(Debug, Default)]
pub(super) struct TreeSet {
    root: Option<usize>,
    nodes: Vec<TreeNode>,
}

#[derive(Debug)]
struct TreeNode {
    item: usize,
    parent: Option<usize>,
    left: Option<usize>,
    right: Option<usize>,
    red: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

impl TreeSet {
    /// `TreeMap.put`: `compare` orders the new item against one that is in the tree.
    pub(super) fn insert(&mut self, item: usize, compare: impl Fn(usize, usize) -> Ordering) {
        let mut place = None;
        let mut next = self.root;
        while let Some(at) = next {
            let side = match compare(item, self.nodes[at].item) {
                Ordering::Less => Side::Left,
                Ordering::Greater => Side::Right,
                Ordering::Equal => return,
            };
            place = Some((at, side));
            next = self.child(Some(at), side);
        }
        let new = self.nodes.len();
        self.nodes.push(TreeNode { item, parent: place.map(|(at, _)| at), left: None, right: None, red: true });
        match place {
            None => self.root = Some(new),
            Some((at, side)) => *self.slot(at, side) = Some(new),
        }
        self.rebalance(new);
    }

    /// The items from first to last.
    pub(super) fn items(&self) -> Vec<usize> {
        let mut items = Vec::with_capacity(self.nodes.len());
        let mut above = Vec::new();
        let mut next = self.root;
        loop {
            while let Some(at) = next {
                above.push(at);
                next = self.nodes[at].left;
            }
            let Some(at) = above.pop() else { return items };
            items.push(self.nodes[at].item);
            next = self.nodes[at].right;
        }
    }

    /// `TreeMap.fixAfterInsertion`.
    fn rebalance(&mut self, new: usize) {
        let mut at = new;
        while let Some(parent) = self.nodes[at].parent.filter(|parent| self.nodes[*parent].red) {
            // A red node is never the root, so there is a grandparent.
            let Some(grandparent) = self.nodes[parent].parent else { break };
            let side = self.side_of(parent, grandparent);
            match self.child(Some(grandparent), side.opposite()).filter(|uncle| self.nodes[*uncle].red) {
                Some(uncle) => {
                    self.nodes[parent].red = false;
                    self.nodes[uncle].red = false;
                    self.nodes[grandparent].red = true;
                    at = grandparent;
                }
                None => {
                    let mut upper = parent;
                    if self.side_of(at, parent) != side {
                        upper = at;
                        at = parent;
                        self.rotate(parent, side);
                    }
                    self.nodes[upper].red = false;
                    self.nodes[grandparent].red = true;
                    self.rotate(grandparent, side.opposite());
                }
            }
        }
        if let Some(root) = self.root {
            self.nodes[root].red = false;
        }
    }

    /// Lowers `at` towards `side`; its child on the other side takes its place.
    fn rotate(&mut self, at: usize, side: Side) {
        let Some(riser) = self.child(Some(at), side.opposite()) else { return };
        let moved = self.child(Some(riser), side);
        *self.slot(at, side.opposite()) = moved;
        if let Some(moved) = moved {
            self.nodes[moved].parent = Some(at);
        }
        let parent = self.nodes[at].parent;
        self.nodes[riser].parent = parent;
        match parent {
            None => self.root = Some(riser),
            Some(parent) => {
                let side = self.side_of(at, parent);
                *self.slot(parent, side) = Some(riser);
            }
        }
        *self.slot(riser, side) = Some(at);
        self.nodes[at].parent = Some(riser);
    }

    fn side_of(&self, child: usize, parent: usize) -> Side {
        if self.nodes[parent].left == Some(child) { Side::Left } else { Side::Right }
    }

    fn child(&self, at: Option<usize>, side: Side) -> Option<usize> {
        let node = &self.nodes[at?];
        match side {
            Side::Left => node.left,
            Side::Right => node.right,
        }
    }

    fn slot(&mut self, at: usize, side: Side) -> &mut Option<usize> {
        match side {
            Side::Left => &mut self.nodes[at].left,
            Side::Right => &mut self.nodes[at].right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        // "KSTREAM".hashCode() in Java, and a value whose high half changes the low one.
        assert_eq!(spread_hash("a"), 97);
        let hash = "polygenelubricants".encode_utf16().fold(0_u32, |h, u| h.wrapping_mul(31).wrapping_add(u.into()));
        assert_eq!(hash as i32, i32::MIN);
        assert_eq!(spread_hash("polygenelubricants"), 0x8000_8000);
    }

    #[test]
    fn a_tree_set_sorts_under_a_steady_order() {
        for len in 0..64_usize {
            let mut set = TreeSet::default();
            for step in 0..len {
                set.insert(step * 37 % 64, |left, right| left.cmp(&right));
                set.insert(step * 37 % 64, |left, right| left.cmp(&right));
            }
            let mut expected: Vec<usize> = (0..len).map(|step| step * 37 % 64).collect();
            expected.sort_unstable();
            assert_eq!(set.items(), expected);
        }
    }

    #[test]
    fn a_tree_set_stays_balanced() {
        let mut set = TreeSet::default();
        for item in 0..1000 {
            set.insert(item, |left, right| left.cmp(&right));
        }
        let depth = |mut at: usize| {
            let mut depth = 0;
            while let Some(parent) = set.nodes[at].parent {
                at = parent;
                depth += 1;
            }
            depth
        };
        let deepest = (0..set.nodes.len()).map(depth).max();
        assert!(deepest <= Some(20), "{deepest:?}");
    }
}
