//! What was read of a machine's list of conflicts. The list holds those of all copies below a root; the page shows one copy's.

use beckon_shared::{browse::Conflict, id::TransferId, path::RootPath};

/// What was read so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// Those of the copy, as the machine sorts them: by path, the newest of a path last.
    ours: Vec<Conflict>,
    /// How many of the machine's list were read, other copies' with them.
    read: u64,
    /// How many the machine's list has.
    total: u64,
}

/// A file of the copy that was changed there. All that was put aside of it is decided at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// What was put aside last, or lies in its place.
    pub(super) newest: Conflict,
    /// What was put aside of it before.
    pub(super) older: Vec<RootPath>,
}

impl Found {
    /// How many of the machine's list were read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// How many of them are the copy's.
    pub(super) fn len(&self) -> u64 {
        self.ours.len() as u64
    }

    /// Whether the machine's list was read to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.read >= self.total
    }

    /// Takes in what follows in the machine's list; a part without any is its end.
    pub(super) fn take(&mut self, transfer: TransferId, part: Vec<Conflict>, total: u64) {
        self.read += part.len() as u64;
        self.total = if part.is_empty() { self.read } else { total };
        self.ours
            .extend(part.into_iter().filter(|one| one.transfer == transfer));
    }

    /// Somebody chose: nothing of that path is in the machine's list any more.
    pub(super) fn settle(&mut self, path: &RootPath) {
        let before = self.len();
        self.ours.retain(|one| one.path != *path);
        let gone = before - self.len();
        self.read = self.read.saturating_sub(gone);
        self.total = self.total.saturating_sub(gone);
    }

    /// The files.
    pub(super) fn files(&self) -> Vec<File> {
        let mut files: Vec<File> = Vec::new();
        for one in &self.ours {
            match files.last_mut().filter(|file| file.newest.path == one.path) {
                Some(file) => {
                    let before = std::mem::replace(&mut file.newest, one.clone());
                    file.older.extend(before.kept);
                }
                None => files.push(File {
                    newest: one.clone(),
                    older: Vec::new(),
                }),
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{id::RootId, time::Timestamp};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn copy(number: u8) -> TransferId {
        TransferId::new(Timestamp(1), [number; 10])
    }

    fn conflict(transfer: u8, path: &str, kept: &str) -> Conflict {
        Conflict {
            transfer: copy(transfer),
            root: RootId([1; 16]),
            path: RootPath::new(path).unwrap(),
            kept: Some(RootPath::new(kept).unwrap()),
            ours: None,
            theirs: None,
        }
    }

    #[wasm_bindgen_test]
    fn what_follows_is_counted_with_the_conflicts_of_other_copies() {
        let mut found = Found::default();
        found.take(copy(2), vec![conflict(1, "a", "a1"), conflict(2, "b", "b1")], 3);
        assert_eq!((found.read(), found.len(), found.is_whole()), (2, 1, false));
        found.take(copy(2), vec![conflict(2, "c", "c1")], 3);
        assert_eq!((found.read(), found.len(), found.is_whole()), (3, 2, true));
    }

    #[wasm_bindgen_test]
    fn a_list_that_became_shorter_meanwhile_has_an_end() {
        let mut found = Found::default();
        found.take(copy(1), vec![conflict(1, "a", "a1")], 9);
        found.take(copy(1), Vec::new(), 9);
        assert!(found.is_whole());
    }

    #[wasm_bindgen_test]
    fn all_that_was_put_aside_of_a_file_is_one_choice() {
        let mut found = Found::default();
        let both = vec![conflict(1, "a", "a1"), conflict(1, "a", "a2"), conflict(1, "b", "b1")];
        found.take(copy(1), both, 4);
        let files = found.files();
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].newest, conflict(1, "a", "a2"));
        assert_eq!(files[0].older, [RootPath::new("a1").unwrap()]);
        found.settle(&RootPath::new("a").unwrap());
        assert_eq!((found.read(), found.len(), found.is_whole()), (1, 1, false));
    }
}
