//! How every database of the process is set up, and the memory they share.

use rocksdb::{
    BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, DataBlockIndexType, Env, LogLevel, Options,
    WriteBufferManager,
};

use super::errors;
use crate::Error;

/// Write buffers get a quarter of the cap; the rest is for blocks that were read.
const BUFFERS_SHARE: usize = 4;
/// Bytes of one write buffer: small skip lists are quick, and a flush of several column families stays short.
const BUFFER_MIN: usize = 256 << 10;
const BUFFER_MAX: usize = 16 << 20;
/// Bytes that the first row of an empty column family costs; the default of 1 MiB is too much for many small tasks.
const ARENA_BLOCK: usize = 64 << 10;
/// Open files per database.
const OPEN_FILES_MAX: i32 = 256;
/// Filter bits per key: about 1 in 100 absent keys costs a block read.
const FILTER_BITS: f64 = 10.0;

/// The memory of all RocksDB stores in the process: one block cache with the write buffers charged to it, one cap.
///
/// Also carries the engine's background threads: one for flushes, one for compactions, for all tasks.
pub struct SharedMemory {
    cache: Cache,
    buffers: WriteBufferManager,
    buffer_bytes: usize,
    env: Env,
}

impl std::fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedMemory").field("used_bytes", &self.used_bytes()).finish_non_exhaustive()
    }
}

impl SharedMemory {
    /// Memory for all stores of the process, at most `cap_bytes`; fails when the engine has no threads to offer.
    pub fn new(cap_bytes: usize) -> Result<Self, Error> {
        let mut env = Env::new().map_err(|error| errors::failed("start", "RocksDB".as_ref(), &error))?;
        env.set_background_threads(1);
        env.set_high_priority_background_threads(1);
        let cache = Cache::new_lru_cache(cap_bytes);
        let buffers_bytes = cap_bytes / BUFFERS_SHARE;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(buffers_bytes, false, cache.clone());
        let buffer_bytes = (buffers_bytes / BUFFERS_SHARE).clamp(BUFFER_MIN, BUFFER_MAX);
        Ok(Self { cache, buffers, buffer_bytes, env })
    }

    /// Bytes in use: cached blocks and write buffers.
    pub fn used_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    /// Bytes of [`SharedMemory::used_bytes`] that are write buffers.
    pub fn write_buffer_bytes(&self) -> usize {
        self.buffers.get_usage()
    }

    /// Options of a database.
    pub(super) fn database_options(&self) -> Options {
        let mut options = Options::default();
        options.set_env(&self.env);
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_atomic_flush(true);
        options.set_write_buffer_manager(&self.buffers);
        options.set_max_background_jobs(2);
        options.set_max_open_files(OPEN_FILES_MAX);
        options.set_max_file_opening_threads(1);
        options.set_skip_stats_update_on_db_open(true);
        options.set_avoid_unnecessary_blocking_io(true);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_keep_log_file_num(1);
        options.set_log_level(LogLevel::Warn);
        options
    }

    /// Options of a column family: Kafka Streams' choices, except that the memory is shared.
    pub(super) fn store_options(&self) -> Options {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.cache);
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks.set_bloom_filter(FILTER_BITS, false);
        blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        let mut options = Options::default();
        options.set_block_based_table_factory(&blocks);
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_compression_type(DBCompressionType::None);
        options.set_bottommost_compression_type(DBCompressionType::Lz4);
        options.set_write_buffer_size(self.buffer_bytes);
        options.set_max_write_buffer_number(3);
        options.set_arena_block_size(ARENA_BLOCK);
        options
    }
}
