//! Opens and wipes the database of a task.

use std::fs;
use std::path::{Path, PathBuf};

use rocksdb::{ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, Options};

use super::engine::Engine;
use super::meta::Meta;
use super::options::SharedMemory;
use super::{errors, manifest};
use crate::{Backend, Error, ErrorKind, Position, StoreSpec};

fn database_path(directory: &Path) -> PathBuf {
    directory.join("rocksdb")
}

fn column_family(spec: &StoreSpec) -> Option<String> {
    (spec.backend == Backend::RocksDb).then(|| format!("store.{}", spec.name))
}

/// An opened database and how far it has come.
pub(crate) struct Database {
    pub(crate) engine: Engine,
    pub(crate) position: Position,
}

/// The database of the task in `directory`, and why it had to be wiped, if so. `None` without any RocksDB store: nothing
/// is created then.
pub(crate) fn open(
    directory: &Path,
    stores: &[StoreSpec],
    memory: &SharedMemory,
) -> Result<(Option<Database>, Option<String>), Error> {
    let path = database_path(directory);
    if stores.iter().all(|spec| spec.backend == Backend::Memory) {
        let left_over = path.exists().then(|| "no store of the task is in RocksDB any more".to_owned());
        if left_over.is_some() {
            destroy(directory)?;
        }
        return Ok((None, left_over));
    }
    match try_open(&path, stores, memory) {
        Err(error) if error.kind == ErrorKind::Corrupt => {
            destroy(directory)?;
            try_open(&path, stores, memory).map(|opened| (Some(opened), Some(error.to_string())))
        }
        opened => opened.map(|opened| (Some(opened), None)),
    }
}

/// Opens what is there. The engine takes its lock before it reads anything, so a database that another process is
/// changing right now is `Locked`, never `Corrupt`.
fn try_open(path: &Path, stores: &[StoreSpec], memory: &SharedMemory) -> Result<Database, Error> {
    fs::create_dir_all(path).map_err(|error| errors::io_failed("create", path, &error))?;
    manifest::verify(path)?;
    let families: Vec<_> = stores.iter().map(column_family).collect();
    let descriptors = families
        .iter()
        .flatten()
        .map(String::as_str)
        .chain([DEFAULT_COLUMN_FAMILY_NAME])
        .map(|name| ColumnFamilyDescriptor::new(name, memory.store_options()));
    let db = DB::open_cf_descriptors(&memory.database_options(), path, descriptors)
        .map_err(|error| errors::failed("open", path, &error))?;
    let engine = Engine::new(db, families);
    let meta = read_meta(&engine)?;
    let in_rocksdb = || stores.iter().filter(|spec| spec.backend == Backend::RocksDb);
    if let Some(reason) = meta.distrust(in_rocksdb().map(|spec| (spec.name.as_str(), spec.changelog.as_deref()))) {
        return Err(errors::corrupt("open", path, reason));
    }
    let mut batch = engine.batch(0);
    batch.describe(in_rocksdb());
    engine.write(batch)?;
    Ok(Database { engine, position: meta.position })
}

fn read_meta(engine: &Engine) -> Result<Meta, Error> {
    let mut meta = Meta::default();
    engine.visit_meta(|key, value| meta.read(key, value))?;
    Ok(meta)
}

/// Deletes the database of the task in `directory`, if there is one; `Locked` while somebody has it open.
pub(crate) fn destroy(directory: &Path) -> Result<(), Error> {
    let path = database_path(directory);
    if !path.exists() {
        return Ok(());
    }
    DB::destroy(&Options::default(), &path).map_err(|error| errors::failed("wipe", &path, &error))?;
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(errors::io_failed("wipe", &path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::meta::FORMAT_KEY;
    use super::*;

    #[test]
    fn a_database_of_a_newer_format_is_wiped() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::TempDir::new()?;
        let stores = [StoreSpec { name: "a".to_owned(), backend: Backend::RocksDb, changelog: None }];
        let memory = SharedMemory::new(1 << 20)?;
        let (database, wiped) = open(directory.path(), &stores, &memory)?;
        assert_eq!(wiped, None);
        let engine = database.ok_or("a store needs a database")?.engine;
        let mut options = rocksdb::WriteOptions::default();
        options.disable_wal(true);
        engine.db.put_opt(FORMAT_KEY, 2_u32.to_be_bytes(), &options)?;
        engine.flush()?;
        drop(engine);
        let (database, wiped) = open(directory.path(), &stores, &memory)?;
        drop(database);
        assert!(wiped.is_some_and(|reason| reason.ends_with("format version 2, this program knows 1")));
        assert_eq!(open(directory.path(), &stores, &memory)?.1, None);
        Ok(())
    }
}
