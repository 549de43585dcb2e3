//! Whether a database still holds all that it held.

use beckon_shared::id::Hash;
use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError, Value,
};

/// What goes into a digest.
pub(crate) type Digest = blake3::Hasher;

/// Checks every page of a database that was just opened. `content` adds all its tables to a digest.
///
/// redb also says that it had to mend a file that it closed cleanly itself, because its notes on free pages differ; nothing is
/// lost then. So what it mended is sound if it holds the same as before.
pub(crate) fn check(
    db: &mut Database,
    content: impl Fn(&ReadTransaction, &mut Digest) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let digest = |db: &Database| -> Result<Hash, redb::Error> {
        let mut digest = Digest::new();
        content(&db.begin_read()?, &mut digest)?;
        Ok(Hash(*digest.finalize().as_bytes()))
    };
    let before = digest(db)?;
    if db.check_integrity()? || digest(db)? == before {
        return Ok(());
    }
    Err(StorageError::Corrupted("it was mended, and something is missing".to_owned()).into())
}

/// Adds the rows of a table, if there is one.
pub(crate) fn add<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
    digest: &mut Digest,
) -> Result<(), redb::Error> {
    let rows = match read.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        opened => opened?,
    };
    for row in rows.iter()? {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        for part in [K::as_bytes(&key).as_ref(), V::as_bytes(&value).as_ref()] {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("row.1");
    const NOTES: TableDefinition<'_, &[u8], ()> = TableDefinition::new("note.1");

    fn content(read: &ReadTransaction, digest: &mut Digest) -> Result<(), redb::Error> {
        add(read, ROWS, digest)?;
        add(read, NOTES, digest)
    }

    #[test]
    fn a_database_that_is_opened_and_closed_many_times_is_sound() {
        let folder = tempfile::tempdir().unwrap();
        let mut mended = 0;
        for round in 0..20u8 {
            let mut db = Database::create(folder.path().join("db")).unwrap();
            check(&mut db, content).unwrap();
            mended += u32::from(!db.check_integrity().unwrap());
            let write = db.begin_write().unwrap();
            write.open_table(ROWS).unwrap().retain(|_, _| true).unwrap();
            write.open_table(NOTES).unwrap().retain(|_, ()| true).unwrap();
            write.commit().unwrap();
            let write = db.begin_write().unwrap();
            write
                .open_table(NOTES)
                .unwrap()
                .insert([round % 3].as_slice(), ())
                .unwrap();
            write.commit().unwrap();
        }
        assert_eq!(mended, 0, "what was mended is whole after");
    }

    #[test]
    fn equal_bytes_that_stand_elsewhere_are_another_content() {
        let digest = |rows: &[(&str, &str)]| {
            let db = Database::builder()
                .create_with_backend(redb::backends::InMemoryBackend::new())
                .unwrap();
            let write = db.begin_write().unwrap();
            for (key, value) in rows {
                write
                    .open_table(ROWS)
                    .unwrap()
                    .insert(key.as_bytes(), value.as_bytes())
                    .unwrap();
            }
            write.commit().unwrap();
            let mut digest = Digest::new();
            content(&db.begin_read().unwrap(), &mut digest).unwrap();
            digest.finalize()
        };
        assert_eq!(digest(&[("a", "b")]), digest(&[("a", "b")]));
        assert_ne!(digest(&[("a", "b")]), digest(&[("ab", "")]));
        assert_ne!(digest(&[("a", "b")]), digest(&[("a", "b"), ("c", "")]));
    }
}
