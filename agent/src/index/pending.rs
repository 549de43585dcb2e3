//! A commit of removals and moves of which it is not known whether the server took it: the program ended in between, or the
//! line did.

use beckon_shared::{commit::Change, error::Refusal, wire};
use redb::{ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};

use super::{
    EXPECTED, Index, ROWS, Row, Source,
    structure::{Rows, rekeyed, take},
    unusable,
};
use crate::sound;

/// By space and root: the changes that were about to be committed.
const PENDING: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pending.1");

impl Index {
    /// Notes, durably, what is about to be committed. [`Index::restructure`] ends that.
    pub(crate) fn intend(&self, source: Source, changes: &[Change]) -> Result<(), Refusal> {
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            write
                .open_table(PENDING)?
                .insert(source.key.as_slice(), wire::encode(&changes).as_slice())?;
            write.commit()?;
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }

    /// If it is not known whether a commit was taken: knows nothing any more of what it was about, but that something may be
    /// stored there, before it as after it.
    pub(crate) fn doubt(&self, source: Source) -> Result<(), Refusal> {
        let pending = || -> Result<Option<Vec<u8>>, redb::Error> {
            let read = self.db.begin_read()?;
            let pending = read.open_table(PENDING)?.get(source.key.as_slice())?;
            Ok(pending.map(|changes| changes.value().to_vec()))
        };
        let Some(changes) = pending().map_err(|cause| unusable(&cause))? else {
            return Ok(());
        };
        tracing::info!(
            source = source.number,
            "it is not known whether the last commit was taken: what it was about is looked at anew"
        );
        // What cannot be read was never sent.
        let changes: Vec<Change> = wire::decode(&changes).unwrap_or_default();
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            {
                let mut rows = write.open_table(ROWS)?;
                for change in &changes {
                    forget(&mut rows, source.number, change)?;
                }
            }
            clear(&write, source)?;
            write.commit()?;
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }
}

/// Has something be expected wherever the change took it from, and wherever it may have put it.
fn forget(rows: &mut Rows<'_>, source: u32, change: &Change) -> Result<(), redb::Error> {
    let (from, to) = match change {
        Change::Put { .. } => return Ok(()),
        Change::Remove { path } => (path, None),
        Change::Move { from, to } => (from, Some(to)),
    };
    let expected = Row::expected().encode(EXPECTED);
    let mut keys = Vec::new();
    for (key, _) in take(rows, source, from)? {
        keys.extend(to.map(|to| rekeyed(source, from, to, &key)));
        keys.push(key);
    }
    if let Some(to) = to {
        keys.extend(take(rows, source, to)?.into_iter().map(|(key, _)| key));
    }
    for key in keys {
        rows.insert(key.as_slice(), expected.as_slice())?;
    }
    Ok(())
}

/// It is known what became of it.
pub(super) fn clear(write: &WriteTransaction, source: Source) -> Result<(), redb::Error> {
    write.open_table(PENDING)?.remove(source.key.as_slice())?;
    Ok(())
}

pub(super) fn open_table(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(PENDING)?;
    Ok(())
}

pub(super) fn digest(read: &ReadTransaction, digest: &mut sound::Digest) -> Result<(), redb::Error> {
    sound::add(read, PENDING, digest)
}
