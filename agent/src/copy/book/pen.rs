//! Changes of the book, inside one transaction.

use beckon_shared::{
    browse::Conflict,
    chunk::ChunkRef,
    id::{ChunkId, TransferId},
    path::RootPath,
    wire,
};
use redb::{ReadableTable, WriteTransaction};

use super::{
    CHUNKS, CONFLICTS, COPIES, INTENTS, MOVES, PARTS, ROWS, Table, WHERE, below, corrupted, key,
    row::{Copied, Intent, Part, Row, decode_chunks, encode_chunks},
};

/// Writes what the book says of one copy.
pub(crate) struct Pen<'a> {
    pub(super) write: &'a WriteTransaction,
    pub(super) number: u32,
}

/// A key and its value.
type Taken = (Vec<u8>, Vec<u8>);

/// What stands at a path from now on.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Where.
    pub(crate) path: RootPath,
    /// What.
    pub(crate) row: Row,
    /// Of a file; nothing where it is not what its manifest says.
    pub(crate) chunks: Vec<ChunkRef>,
}

impl Pen<'_> {
    /// These are in their places, and nothing is about to come there.
    pub(crate) fn written(&self, all: &[Written]) -> Result<(), redb::Error> {
        self.forget_chunks(all)?;
        self.remember_chunks(all)?;
        let mut rows = self.write.open_table(ROWS)?;
        let mut intents = self.write.open_table(INTENTS)?;
        let mut parts = self.write.open_table(PARTS)?;
        for Written { path, row, .. } in all {
            let key = key(self.number, path);
            rows.insert(key.as_slice(), wire::encode(row).as_slice())?;
            intents.remove(key.as_slice())?;
            parts.remove(key.as_slice())?;
        }
        Ok(())
    }

    /// Another row for what is there, whose content is what it was.
    pub(crate) fn restamp(&self, all: &[(RootPath, Row)]) -> Result<(), redb::Error> {
        let mut rows = self.write.open_table(ROWS)?;
        for (path, row) in all {
            rows.insert(key(self.number, path).as_slice(), wire::encode(row).as_slice())?;
        }
        Ok(())
    }

    /// What was in these files before is there no more.
    fn forget_chunks(&self, all: &[Written]) -> Result<(), redb::Error> {
        let chunks = self.write.open_table(CHUNKS)?;
        for Written { path, chunks: new, .. } in all {
            let old = chunks.get(key(self.number, path).as_slice())?;
            let Some(old) = old.map(|old| decode_chunks(old.value())) else {
                continue;
            };
            let kept: std::collections::HashSet<ChunkId> = new.iter().map(|chunk| chunk.id).collect();
            self.forget_places(path, old.into_iter().filter(|chunk| !kept.contains(&chunk.id)))?;
        }
        Ok(())
    }

    /// Forgets of chunks that they are at this path; elsewhere they may be.
    fn forget_places(&self, path: &RootPath, chunks: impl Iterator<Item = ChunkRef>) -> Result<(), redb::Error> {
        let mut places = self.write.open_table(WHERE)?;
        for chunk in chunks {
            let is_here = |value: &[u8]| {
                let place = wire::decode::<(u32, u64, RootPath)>(value);
                place.is_ok_and(|(number, _, at)| number == self.number && at == *path)
            };
            let here = places.get(chunk.id.as_bytes())?;
            let here = here.is_some_and(|value| is_here(value.value()));
            if here {
                places.remove(chunk.id.as_bytes())?;
            }
        }
        Ok(())
    }

    fn remember_chunks(&self, all: &[Written]) -> Result<(), redb::Error> {
        let mut chunks = self.write.open_table(CHUNKS)?;
        let mut places = self.write.open_table(WHERE)?;
        for Written { path, chunks: new, .. } in all {
            let key = key(self.number, path);
            if new.is_empty() {
                chunks.remove(key.as_slice())?;
                continue;
            }
            chunks.insert(key.as_slice(), encode_chunks(new).as_slice())?;
            let mut offset = 0_u64;
            for chunk in new {
                let place = wire::encode(&(self.number, offset, path));
                places.insert(chunk.id.as_bytes(), place.as_slice())?;
                offset += u64::from(chunk.len);
            }
        }
        Ok(())
    }

    /// Nothing was written at these paths and below them, from now on.
    pub(crate) fn removed(&self, paths: &[RootPath]) -> Result<(), redb::Error> {
        for path in paths {
            for (key, chunks) in self.take(CHUNKS, path)? {
                if let Some(at) = super::path_in(&key) {
                    self.forget_places(&at, decode_chunks(&chunks).into_iter())?;
                }
            }
            for table in [ROWS, INTENTS, PARTS] {
                self.take(table, path)?;
            }
        }
        Ok(())
    }

    /// All that was written at and below `from` is at and below `to`.
    pub(crate) fn moved(&self, from: &RootPath, to: &RootPath) -> Result<(), redb::Error> {
        for table in [ROWS, CHUNKS] {
            let taken = self.take(table, from)?;
            let mut table = self.write.open_table(table)?;
            for (key, value) in taken {
                if let Some(key) = rekeyed(&key, from, to) {
                    table.insert(key.as_slice(), value.as_slice())?;
                }
            }
        }
        self.move_places(to)?;
        for (_, value) in self.take(CONFLICTS, from)? {
            let conflict: Conflict = wire::decode(&value).map_err(|_| corrupted())?;
            let moved = |path: RootPath| moved_path(&path, from, to).unwrap_or(path);
            self.note(&Conflict {
                path: moved(conflict.path),
                kept: conflict.kept.map(moved),
                ..conflict
            })?;
        }
        Ok(())
    }

    fn move_places(&self, to: &RootPath) -> Result<(), redb::Error> {
        let chunks = self.write.open_table(CHUNKS)?;
        let mut places = self.write.open_table(WHERE)?;
        let (first, end) = below(self.number, to);
        let own = key(self.number, to);
        let itself = chunks
            .get(own.as_slice())?
            .map(|value| (own.clone(), value.value().to_vec()));
        let mut all: Vec<_> = itself.into_iter().collect();
        for entry in chunks.range(first.as_slice()..end.as_slice())? {
            let (key, value) = entry?;
            all.push((key.value().to_vec(), value.value().to_vec()));
        }
        for (key, value) in all {
            let Some(path) = super::path_in(&key) else { continue };
            let mut offset = 0_u64;
            for chunk in decode_chunks(&value) {
                let place = wire::encode(&(self.number, offset, &path));
                places.insert(chunk.id.as_bytes(), place.as_slice())?;
                offset += u64::from(chunk.len);
            }
        }
        Ok(())
    }

    /// These contents are about to get their names.
    pub(crate) fn intend(&self, all: &[(RootPath, Intent)]) -> Result<(), redb::Error> {
        let mut intents = self.write.open_table(INTENTS)?;
        for (path, intent) in all {
            intents.insert(key(self.number, path).as_slice(), wire::encode(intent).as_slice())?;
        }
        Ok(())
    }

    /// Nothing is about to come to these paths any more.
    pub(crate) fn end_intents(&self, all: &[RootPath]) -> Result<(), redb::Error> {
        let mut intents = self.write.open_table(INTENTS)?;
        for path in all {
            intents.remove(key(self.number, path).as_slice())?;
        }
        Ok(())
    }

    /// These moves are about to be made, in this order, and no others.
    pub(crate) fn announce_moves(&self, all: &[(RootPath, RootPath)]) -> Result<(), redb::Error> {
        self.take(MOVES, &RootPath::root())?;
        let mut moves = self.write.open_table(MOVES)?;
        for (at, paths) in (0_u32..).zip(all) {
            let key = [self.number.to_be_bytes(), at.to_be_bytes()].concat();
            moves.insert(key.as_slice(), wire::encode(paths).as_slice())?;
        }
        Ok(())
    }

    /// A large file comes under a name of its own.
    pub(crate) fn begin_part(&self, path: &RootPath, part: &Part) -> Result<(), redb::Error> {
        let mut parts = self.write.open_table(PARTS)?;
        parts.insert(key(self.number, path).as_slice(), wire::encode(part).as_slice())?;
        Ok(())
    }

    /// What has come of these files is there no more.
    pub(crate) fn end_parts(&self, all: &[RootPath]) -> Result<(), redb::Error> {
        let mut parts = self.write.open_table(PARTS)?;
        for path in all {
            parts.remove(key(self.number, path).as_slice())?;
        }
        Ok(())
    }

    /// A file was changed here; what was said before of the same file and the same place is replaced. What was put aside
    /// lies no longer where it was changed.
    pub(crate) fn conflict(&self, conflict: &Conflict) -> Result<(), redb::Error> {
        if conflict.kept.is_some() {
            self.settle(&conflict.path, None)?;
        }
        self.note(conflict)
    }

    fn note(&self, conflict: &Conflict) -> Result<(), redb::Error> {
        let mut conflicts = self.write.open_table(CONFLICTS)?;
        let key = conflict_key(self.number, &conflict.path, conflict.kept.as_ref());
        conflicts.insert(key.as_slice(), wire::encode(conflict).as_slice())?;
        Ok(())
    }

    /// It is none any more.
    pub(crate) fn settle(&self, path: &RootPath, kept: Option<&RootPath>) -> Result<(), redb::Error> {
        let mut conflicts = self.write.open_table(CONFLICTS)?;
        conflicts.remove(conflict_key(self.number, path, kept).as_slice())?;
        Ok(())
    }

    pub(super) fn save_copy(&self, transfer: TransferId, copy: &Copied) -> Result<(), redb::Error> {
        let mut copies = self.write.open_table(COPIES)?;
        copies.insert(transfer.as_bytes(), wire::encode(copy).as_slice())?;
        Ok(())
    }

    pub(super) fn forget(&self, transfer: TransferId, keeps_conflicts: bool) -> Result<(), redb::Error> {
        self.removed(&[RootPath::root()])?;
        self.take(MOVES, &RootPath::root())?;
        if !keeps_conflicts {
            let mut copies = self.write.open_table(COPIES)?;
            copies.remove(transfer.as_bytes())?;
        }
        Ok(())
    }

    /// Takes all out of a table that is at a path or below it.
    fn take(&self, table: Table, path: &RootPath) -> Result<Vec<Taken>, redb::Error> {
        let mut table = self.write.open_table(table)?;
        let mut taken = Vec::new();
        let (first, end) = below(self.number, path);
        for entry in table.extract_from_if(first.as_slice()..end.as_slice(), |_, _| true)? {
            let (key, value) = entry?;
            taken.push((key.value().to_vec(), value.value().to_vec()));
        }
        if !path.is_root() {
            let mut ends = key(self.number, path);
            let own = table.remove(ends.as_slice())?.map(|value| value.value().to_vec());
            taken.extend(own.map(|value| (ends.clone(), value)));
            // Conflicts have more behind their path.
            ends.push(0);
            let mut last = ends.clone();
            *last.last_mut().unwrap_or(&mut 0) = 1;
            for entry in table.extract_from_if(ends.as_slice()..last.as_slice(), |_, _| true)? {
                let (key, value) = entry?;
                taken.push((key.value().to_vec(), value.value().to_vec()));
            }
        }
        Ok(taken)
    }
}

fn conflict_key(number: u32, path: &RootPath, kept: Option<&RootPath>) -> Vec<u8> {
    let kept = kept.map_or(&[][..], |kept| kept.as_bytes());
    [key(number, path).as_slice(), &[0], kept].concat()
}

/// The same key after a move.
fn rekeyed(key: &[u8], from: &RootPath, to: &RootPath) -> Option<Vec<u8>> {
    let (number, path) = key.split_at_checked(4)?;
    let rest = path.strip_prefix(from.as_bytes())?;
    Some([number, to.as_bytes(), rest].concat())
}

/// The same path after a move; nothing if it is not there.
fn moved_path(path: &RootPath, from: &RootPath, to: &RootPath) -> Option<RootPath> {
    from.holds(path).then_some(())?;
    let rest = path.as_bytes().strip_prefix(from.as_bytes())?;
    RootPath::new([to.as_bytes(), rest].concat()).ok()
}
