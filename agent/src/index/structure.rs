//! What moved or was taken away on the machine, in the index as in the drive.

use std::{collections::HashMap, ops::ControlFlow};

use beckon_shared::{
    commit::{ChainHead, Change},
    entry::SourceStamp,
    error::Refusal,
    path::RootPath,
};
use redb::{ReadableTable, Table};

use super::{EXPECTED, Index, ROWS, Row, SOURCES, Source, View, gone::below, pending, row_key, unusable};
use crate::fault;

/// What was stored of a path that is not on the machine any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Where it was.
    pub(crate) path: RootPath,
    /// What was stored.
    pub(crate) row: Row,
}

/// A commit of removals and moves, as far as the index keeps it.
#[derive(Debug)]
pub(crate) struct Restructured<'a> {
    /// The root's newest commit now.
    pub(crate) head: ChainHead,
    /// What it says.
    pub(crate) changes: &'a [Change],
    /// How what moved looks where it is now.
    pub(crate) stamps: &'a HashMap<RootPath, SourceStamp>,
}

pub(super) type Rows<'a> = Table<'a, &'static [u8], &'static [u8]>;
/// Keys and encoded rows.
pub(super) type Taken = Vec<(Vec<u8>, Vec<u8>)>;

impl View {
    /// What was stored at and below these places and was not seen, in the order of the bytes below each, and how many files
    /// were stored there in all. Blocks.
    pub(crate) fn lost(&self, tops: &[RootPath], seen: impl Fn(&RootPath, &Row) -> bool) -> (Vec<Lost>, u64) {
        let (mut lost, mut files) = (Vec::new(), 0);
        for top in tops {
            let _ = self.rows_at(top, |_, path, row| {
                let Ok(path) = RootPath::new(path) else {
                    return ControlFlow::Continue(());
                };
                files += u64::from(row.is_stored_file());
                if !seen(&path, &row) {
                    lost.push(Lost { path, row });
                }
                ControlFlow::Continue(())
            });
        }
        (lost, files)
    }

    /// What was stored at a path, and whether that counts.
    pub(crate) fn stored(&self, path: &RootPath) -> Option<(Row, bool)> {
        let (generation, row) = self.read(path)?;
        Some((row, generation == self.source.generation))
    }
}

impl Index {
    /// Notes, durably, that something may be stored at these paths soon, where nothing was. If it is not known any more
    /// whether it came to that, because the program ended in between, it is looked after all the same.
    pub(crate) fn expect(&self, source: Source, paths: &[RootPath]) -> Result<(), Refusal> {
        if paths.is_empty() {
            return Ok(());
        }
        let expected = Row::expected().encode(EXPECTED);
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            {
                let mut rows = write.open_table(ROWS)?;
                for path in paths {
                    let key = row_key(source.number, path);
                    if rows.get(key.as_slice())?.is_none() {
                        rows.insert(key.as_slice(), expected.as_slice())?;
                    }
                }
            }
            write.commit()?;
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }

    /// Moves and forgets rows as a commit says that was taken, durably, in one transaction.
    pub(crate) fn restructure(&self, source: Source, commit: &Restructured<'_>) -> Result<(), Refusal> {
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            {
                let mut rows = write.open_table(ROWS)?;
                for change in commit.changes {
                    match change {
                        Change::Put { .. } => {}
                        Change::Remove { path } => _ = take(&mut rows, source.number, path)?,
                        Change::Move { from, to } => {
                            let stamp = commit.stamps.get(to);
                            rekey(&mut rows, source.number, from, to, stamp)?;
                        }
                    }
                }
                let mut sources = write.open_table(SOURCES)?;
                let known = sources.get(source.key.as_slice())?.map(|known| known.value());
                if let Some((number, generation, epoch, ..)) = known {
                    let ChainHead { number: at, hash } = commit.head;
                    sources.insert(source.key.as_slice(), (number, generation, epoch, at, hash.0))?;
                }
            }
            pending::clear(&write, source)?;
            fault::point("index-unwritten");
            write.commit()?;
            fault::point("index-written");
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }
}

/// Takes the row of a path and those below it out of the table.
pub(super) fn take(rows: &mut Rows<'_>, source: u32, path: &RootPath) -> Result<Taken, redb::Error> {
    let mut taken = Vec::new();
    let own = row_key(source, path);
    if let Some(row) = rows.remove(own.as_slice())? {
        taken.push((own, row.value().to_vec()));
    }
    let (first, end) = below(source, path);
    let end = end.unwrap_or_else(|| vec![u8::MAX; 5]);
    for row in rows.extract_from_if(first.as_slice()..end.as_slice(), |_, _| true)? {
        let (key, row) = row?;
        taken.push((key.value().to_vec(), row.value().to_vec()));
    }
    Ok(taken)
}

fn rekey(
    rows: &mut Rows<'_>,
    source: u32,
    from: &RootPath,
    to: &RootPath,
    stamp: Option<&SourceStamp>,
) -> Result<(), redb::Error> {
    take(rows, source, to)?;
    let own = row_key(source, from);
    for (key, row) in take(rows, source, from)? {
        let row = match (key == own, stamp, Row::decode(&row)) {
            (true, Some(stamp), Some((generation, row))) => Row { stamp: *stamp, ..row }.encode(generation),
            _ => row,
        };
        rows.insert(rekeyed(source, from, to, &key).as_slice(), row.as_slice())?;
    }
    Ok(())
}

/// The key of a row at or below a path that moves.
pub(super) fn rekeyed(source: u32, from: &RootPath, to: &RootPath, key: &[u8]) -> Vec<u8> {
    let below = &key[row_key(source, from).len()..];
    [row_key(source, to).as_slice(), below].concat()
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        entry::EntryKind,
        id::{Hash, RootId, SpaceId},
    };

    use super::*;
    use crate::{
        index::{Committed, Known},
        state::StateDir,
    };

    fn path(text: &str) -> RootPath {
        RootPath::new(text).unwrap()
    }

    fn row(kind: EntryKind, file_id: u64) -> Row {
        let stamp = SourceStamp {
            size: 1,
            mtime_ns: 2,
            ctime_ns: 3,
            file_id,
        };
        Row {
            kind,
            stamp,
            read_ns: 4,
            mode: 0o644,
            hash: Hash([5; 32]),
        }
    }

    fn head(number: u64) -> ChainHead {
        ChainHead {
            number,
            hash: Hash([number as u8; 32]),
        }
    }

    #[test]
    fn what_is_expected_counts_for_nothing_and_is_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(&StateDir::open(&folder.path().join("state")).unwrap()).unwrap();
        let source = index
            .source(SpaceId(uuid::Uuid::from_u128(1)), RootId([3; 16]), 1, ChainHead::EMPTY)
            .unwrap();
        let committed = Committed {
            head: head(1),
            rows: vec![(path("a"), row(EntryKind::File, 1))],
        };
        index.record(source, &committed).unwrap();
        index.expect(source, &[path("a"), path("b")]).unwrap();
        let view = index.view(source);
        assert_eq!(
            view.row(&path("a")),
            Some(row(EntryKind::File, 1)),
            "what is known stays"
        );
        assert_eq!(
            (view.row(&path("b")), view.known(&path("b"), 1)),
            (None, Known::Nothing)
        );
        let (lost, _) = view.lost(&[RootPath::root()], |path, _| *path == super::tests::path("a"));
        assert_eq!(lost.len(), 1);
        assert!(lost[0].row.is_expected());
    }

    #[test]
    fn rows_move_with_their_folders_and_their_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(&StateDir::open(&folder.path().join("state")).unwrap()).unwrap();
        let (space, root) = (SpaceId(uuid::Uuid::from_u128(1)), RootId([3; 16]));
        let source = index.source(space, root, 1, ChainHead::EMPTY).unwrap();
        let stored = ["a", "a.txt", "a/b", "a/b/c", "a0", "z"];
        let rows = stored.iter().enumerate().map(|(at, text)| {
            let kind = if *text == "a" || *text == "a/b" {
                EntryKind::Folder
            } else {
                EntryKind::File
            };
            (path(text), row(kind, at as u64))
        });
        let committed = Committed {
            head: head(1),
            rows: rows.collect(),
        };
        index.record(source, &committed).unwrap();

        let stamp = SourceStamp {
            ctime_ns: 99,
            ..row(EntryKind::Folder, 0).stamp
        };
        let changes = [
            Change::Move {
                from: path("a"),
                to: path("z/y"),
            },
            Change::Remove { path: path("z/y/b") },
        ];
        let commit = Restructured {
            head: head(2),
            changes: &changes,
            stamps: &HashMap::from([(path("z/y"), stamp)]),
        };
        index.restructure(source, &commit).unwrap();
        let view = index.view(index.source(space, root, 1, head(2)).unwrap());
        let (left, files) = view.lost(&[RootPath::root()], |_, _| false);
        let left: Vec<_> = left.iter().map(|lost| lost.path.display()).collect();
        assert_eq!(
            (left, files),
            (vec!["a.txt".into(), "a0".into(), "z".into(), "z/y".into()], 3)
        );
        assert_eq!(view.row(&path("z/y")).unwrap().stamp, stamp);
        assert!(view.stored(&path("a")).is_none() && view.stored(&path("a0")).is_some());
        let (below_z, _) = view.lost(&[path("z")], |path, _| *path == super::tests::path("z"));
        assert_eq!(below_z.len(), 1);
    }
}
