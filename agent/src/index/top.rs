//! Which folder a root was when all of it was last looked at.

use beckon_shared::error::Refusal;
use redb::{ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};

use super::{Index, Source, unusable};
use crate::sound;

/// By space and root: the number that the file system gave the folder. The number of its device is not kept, it may be another
/// one whenever the disk is plugged in.
const TOPS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("top.1");

impl Index {
    /// The number of the folder that the root was, if that is known.
    pub(crate) fn top(&self, source: Source) -> Option<u64> {
        let read = self.db.begin_read().ok()?;
        let tops = read.open_table(TOPS).ok()?;
        Some(tops.get(source.key.as_slice()).ok()??.value())
    }

    /// Keeps the number of the folder that the root is.
    pub(crate) fn keep_top(&self, source: Source, number: u64) -> Result<(), Refusal> {
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            write.open_table(TOPS)?.insert(source.key.as_slice(), number)?;
            write.commit()?;
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }
}

pub(super) fn open_table(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(TOPS)?;
    Ok(())
}

pub(super) fn digest(read: &ReadTransaction, digest: &mut sound::Digest) -> Result<(), redb::Error> {
    sound::add(read, TOPS, digest)
}
