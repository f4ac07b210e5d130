//! How the memory for records that wait to be processed is divided over the partitions that a process may read.

use crate::wire::Prefetch;

/// Most of one partition that is worth keeping, however much memory there is.
const QUEUE_BYTES_MAX: usize = 4 << 20;
const PREFETCH: Prefetch = Prefetch { bytes: 8 << 20, records: 10_000, fetch_bytes: 1 << 20 };
/// Least with which a partition moves on.
const BYTES_MIN: usize = 16 << 10;
/// Bytes that the client keeps for a waiting record besides the record's own (librdkafka's `rd_kafka_op_t`).
const RECORD_OVERHEAD: usize = 512;

/// What may wait of each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// In the client.
    pub(super) prefetch: Prefetch,
    /// In the task's queue, before one more read.
    pub(super) queue_bytes: usize,
}

impl Share {
    /// Divides `cap_bytes` (KIP-770's `input.buffer.max.bytes`) over `partitions`: those of all inputs and changelogs,
    /// because the process may be the only one.
    ///
    /// A quarter each for the client's queue, for one fetch, for the task's queue and for one more read. Small records
    /// cost the client several times their bytes, hence the small fetch. A batch of the broker that is larger than a
    /// fetch comes whole.
    pub(super) fn of(cap_bytes: usize, partitions: usize) -> Self {
        let quarter = cap_bytes / partitions.max(1) / 4;
        let bytes = |part: usize, most: usize| part.clamp(BYTES_MIN, most);
        Self {
            prefetch: Prefetch {
                bytes: bytes(quarter, PREFETCH.bytes),
                records: (quarter / RECORD_OVERHEAD).clamp(BYTES_MIN / RECORD_OVERHEAD, PREFETCH.records),
                fetch_bytes: bytes(quarter / 8, PREFETCH.fetch_bytes),
            },
            queue_bytes: bytes(quarter, QUEUE_BYTES_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_partitions_get_what_is_worth_keeping_and_many_share_the_cap() {
        let most = Share { prefetch: PREFETCH, queue_bytes: QUEUE_BYTES_MAX };
        assert_eq!(Share::of(512 << 20, 8), most);
        assert_eq!(Share::of(usize::MAX, 0), most);
        let shared = Share::of(64 << 20, 64);
        let prefetch = Prefetch { bytes: 256 << 10, records: 512, fetch_bytes: 32 << 10 };
        assert_eq!(shared, Share { prefetch, queue_bytes: 256 << 10 });
        let least = Share::of(0, 1_000);
        assert_eq!(least.prefetch, Prefetch { bytes: BYTES_MIN, records: 32, fetch_bytes: BYTES_MIN });
    }

    #[test]
    fn all_partitions_together_exceed_the_cap_by_a_tenth_at_most() {
        let cap = 64 << 20;
        for partitions in [1, 7, 24, 100] {
            for record_bytes in [100, 512, 1_000, 20_000] {
                let Share { prefetch, queue_bytes } = Share::of(cap, partitions);
                let in_client = |bytes: usize| bytes / record_bytes * (record_bytes + RECORD_OVERHEAD);
                let waiting = in_client(prefetch.bytes).min(prefetch.records * (record_bytes + RECORD_OVERHEAD));
                let one_partition = waiting + in_client(prefetch.fetch_bytes) + 2 * queue_bytes;
                assert!(
                    one_partition * partitions <= cap / 10 * 11,
                    "{partitions} partitions, records of {record_bytes} bytes: {}",
                    one_partition * partitions
                );
            }
        }
    }
}
