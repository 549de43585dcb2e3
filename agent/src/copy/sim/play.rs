//! One run: an origin that changes, somebody who edits, and a machine that loses power.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use beckon_shared::{
    entry::EntryKind,
    id::Hash,
    manifest::Content,
    path::{Label, RootPath},
};
use tokio_util::sync::CancellationToken;

use super::disk::{Edit, Lie, Luck, SimDisk};
use crate::{
    copy::{
        Applied, Book, Place, Site, Step, apply,
        disk::Disk,
        place::tests::{KEY, Shelf, folder, noise, path, relocate, site, symlink, transfer},
    },
    root::is_own,
};

/// What must not have happened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error("nobody ever wrote {0:?} like this")]
    NotWhole(RootPath),
    #[error("what somebody wrote here is nowhere any more: {0:?}")]
    LostEdit(String),
    #[error("the book says that {0:?} is there, and it is not")]
    Claimed(RootPath),
    #[error("{0:?} never came to be as it was wanted")]
    NotAsWanted(RootPath),
    #[error("{0:?} is still there, though nobody wants it or wrote it")]
    StillThere(RootPath),
    #[error("{0:?} was left behind by a file on its way")]
    LeftBehind(RootPath),
}

/// So many times the origin changes, and the power may go.
const ROUNDS: u64 = 6;
/// Where files and folders are.
const NAMES: [&str; 5] = ["a", "b", "c.txt", "d", "e.tar.gz"];

pub(super) struct Play {
    luck: Luck,
    disk: SimDisk,
    book: Book,
    shelf: Shelf,
    /// What the origin holds now.
    wanted: BTreeMap<RootPath, Step>,
    /// All that is whole.
    known: HashSet<Vec<u8>>,
    /// What somebody wrote here and has not deleted.
    edits: HashSet<Vec<u8>>,
    /// Paths that somebody changed since they were last compared.
    edited: BTreeSet<RootPath>,
    count: u64,
    cuts: u64,
}

impl Play {
    pub(super) fn new(seed: u64, lie: Lie) -> Self {
        Self {
            luck: Luck(seed.wrapping_mul(0x1_0001).wrapping_add(1)),
            disk: SimDisk::new(lie),
            book: Book::in_memory().unwrap(),
            shelf: Shelf::default(),
            wanted: BTreeMap::new(),
            known: HashSet::new(),
            edits: HashSet::new(),
            edited: BTreeSet::new(),
            count: 0,
            cuts: 0,
        }
    }

    /// How often the power went.
    pub(super) async fn run(mut self) -> Result<u64, Wrong> {
        let root = tempfile::tempdir().unwrap();
        let unused = site(root.path(), &self.book, "", true);
        self.book.begin_copy(transfer(), unused.root.id).unwrap();
        drop(unused.book);
        let mut place = self.place(&unused.root);
        for _ in 0..ROUNDS {
            let mut steps = self.change_origin();
            self.edit();
            if self.luck.one_in(3) {
                place.survey(&CancellationToken::new()).await.unwrap();
            }
            let moves = std::mem::take(&mut steps);
            let steps = [moves.clone(), self.steps(&moves)].concat();
            if self.luck.one_in(3) {
                self.plan_edit();
            } else {
                let operations = 1 + self.luck.below(60);
                self.disk.cut_after((!self.luck.one_in(4)).then_some(operations));
            }
            let applied = apply(&place, steps.clone(), &self.shelf, &CancellationToken::new()).await;
            self.note_edit();
            if !self.disk.is_on() {
                self.cuts += 1;
                drop(place);
                self.disk.restart(&mut self.luck);
                self.judge_what_is_left(&steps)?;
                place = self.restart(&unused.root);
                place.survey(&CancellationToken::new()).await.unwrap();
                self.judge_swept()?;
                // The origin went on meanwhile.
                if self.luck.one_in(2) {
                    let moves = self.change_origin();
                    let steps = [moves.clone(), self.steps(&moves)].concat();
                    apply(&place, steps, &self.shelf, &CancellationToken::new())
                        .await
                        .unwrap();
                }
            } else {
                self.disk.cut_after(None);
                assert!(applied.unwrap().question.is_none());
            }
            self.finish(&place).await?;
        }
        Ok(self.cuts)
    }

    fn place(&self, root: &Arc<crate::root::Root>) -> Place {
        Place::on(
            Arc::new(self.disk.clone()),
            Site {
                book: self.book.clone(),
                transfer: transfer(),
                root: Arc::clone(root),
                below: RootPath::root(),
                machine: Label::new("Laptop").unwrap(),
                key: KEY,
            },
        )
    }

    fn restart(&mut self, root: &Arc<crate::root::Root>) -> Place {
        let book = std::mem::replace(&mut self.book, Book::in_memory().unwrap());
        let power = self.disk.clone();
        self.book = book.restarted(move || power.is_on());
        self.place(root)
    }

    fn some_path(&mut self) -> RootPath {
        let mut text = String::new();
        for depth in 0..=self.luck.below(2) {
            let name = NAMES[self.luck.below(NAMES.len() as u64) as usize];
            text = if depth == 0 {
                name.to_owned()
            } else {
                format!("{text}/{name}")
            };
        }
        path(&text)
    }

    /// Content that no other file ever had.
    fn content(&mut self, what: &str) -> Vec<u8> {
        self.count += 1;
        let len = if self.luck.one_in(8) {
            300_000
        } else {
            1 + self.luck.below(2000) as usize
        };
        let mut bytes = noise(len, self.count as u8);
        bytes.extend_from_slice(format!("{what} {}", self.count).as_bytes());
        bytes
    }

    /// Changes what the origin holds; says which moves it made.
    fn change_origin(&mut self) -> Vec<Step> {
        let mut moves = Vec::new();
        if self.luck.one_in(2) {
            moves.extend(self.move_something());
        }
        let most = if self.luck.one_in(3) { 30 } else { 6 };
        for _ in 0..self.luck.below(most) {
            let at = self.some_path();
            match self.luck.below(6) {
                0 => self.forget(&at),
                1 => {
                    self.make_folders(&at);
                    self.forget(&at);
                    let target = format!("target {}", self.count);
                    self.known.insert(target.clone().into_bytes());
                    self.wanted.insert(at.clone(), symlink(&at.display(), &target));
                }
                2 => {
                    self.make_folders(&at);
                    self.make_folder(&at);
                }
                _ => {
                    self.make_folders(&at);
                    self.forget(&at);
                    let bytes = self.content("origin");
                    let step = self.shelf.put(&at.display(), &bytes, self.count as i64);
                    self.known.insert(bytes);
                    self.wanted.insert(at, step);
                }
            }
        }
        moves
    }

    fn move_something(&mut self) -> Option<Step> {
        let (from, to) = (self.some_path(), self.some_path());
        let above_is_there = to
            .split_last()
            .is_some_and(|(above, _)| above.is_root() || self.is_folder(&above));
        let fits = self.wanted.contains_key(&from) && !self.wanted.contains_key(&to) && above_is_there;
        if !fits || from.holds(&to) || to.holds(&from) {
            return None;
        }
        let all: Vec<RootPath> = self.wanted.keys().filter(|path| from.holds(path)).cloned().collect();
        for old in all {
            let rest = &old.as_bytes()[from.as_bytes().len()..];
            let new = RootPath::new([to.as_bytes(), rest].concat()).unwrap();
            let Some(Step::Put(mut wanted)) = self.wanted.remove(&old) else {
                continue;
            };
            wanted.path = new.clone();
            self.wanted.insert(new, Step::Put(wanted));
        }
        Some(relocate(&from.display(), &to.display()))
    }

    fn is_folder(&self, at: &RootPath) -> bool {
        matches!(self.wanted.get(at), Some(Step::Put(wanted)) if wanted.manifest.content == Content::Folder)
    }

    fn forget(&mut self, at: &RootPath) {
        self.wanted.retain(|path, _| !at.holds(path));
    }

    fn make_folders(&mut self, at: &RootPath) {
        if let Some((above, _)) = at.split_last().filter(|(above, _)| !above.is_root()) {
            self.make_folders(&above);
            self.make_folder(&above);
        }
    }

    fn make_folder(&mut self, at: &RootPath) {
        if !self.is_folder(at) {
            self.forget(at);
            self.wanted.insert(at.clone(), folder(&at.display(), 0o755));
        }
    }

    /// Somebody writes, makes or deletes files here.
    fn edit(&mut self) {
        for _ in 0..self.luck.below(3) {
            let at = self.some_path();
            if self
                .disk
                .look(&at)
                .is_ok_and(|look| look.is_some_and(|look| look.kind == EntryKind::Folder))
            {
                continue;
            }
            let old = self.disk.files().remove(&at);
            if self.disk.remove_file(&at).is_ok() {
                self.edits.retain(|edit| Some(edit) != old.as_ref());
                self.edited.insert(at.clone());
            }
            if self.luck.one_in(4) {
                continue;
            }
            let bytes = self.content("edit");
            let Ok(mut file) = self.disk.create(&at, 0o644) else {
                continue;
            };
            file.write_at(0, &bytes).unwrap();
            self.known.insert(bytes.clone());
            self.edits.insert(bytes);
            self.edited.insert(at);
        }
        self.disk.settle();
    }

    /// Somebody is to write into a file while it comes, or just when it has come.
    fn plan_edit(&mut self) {
        let files: Vec<RootPath> = self.wanted.keys().cloned().collect();
        let Some(path) = files.get(self.luck.below(files.len() as u64) as usize).cloned() else {
            return;
        };
        let mut bytes = self.content("meanwhile");
        // Often as long as what the origin has, so that its length does not betray it.
        if let Some(Step::Put(wanted)) = self.wanted.get(&path)
            && let Content::File(file) = &wanted.manifest.content
            && self.luck.one_in(2)
        {
            bytes.reverse();
            bytes.resize(file.size() as usize, self.count as u8);
        }
        self.disk.edit_meanwhile(Edit {
            after: 1 + self.luck.below(40),
            path,
            bytes,
            replaced: None,
        });
    }

    fn note_edit(&mut self) {
        let Some(edit) = self.disk.take_edit() else { return };
        if let Some(replaced) = edit.replaced {
            self.edits.remove(&replaced);
            self.known.insert(edit.bytes.clone());
            self.edits.insert(edit.bytes);
            self.edited.insert(edit.path);
        }
    }

    /// What is written here and what is wanted, compared as whoever follows does.
    fn steps(&self, moves: &[Step]) -> Vec<Step> {
        let rows = self.book.rows(transfer(), &RootPath::root(), None, usize::MAX).unwrap();
        let mut written: BTreeMap<RootPath, Hash> = rows.into_iter().map(|(path, row)| (path, row.manifest)).collect();
        for step in moves {
            let Step::Move { from, to } = step else { continue };
            let moved: Vec<RootPath> = written.keys().filter(|path| from.holds(path)).cloned().collect();
            written.retain(|path, _| !to.holds(path));
            for old in moved {
                let rest = &old.as_bytes()[from.as_bytes().len()..];
                let new = RootPath::new([to.as_bytes(), rest].concat()).unwrap();
                let hash = written.remove(&old).unwrap();
                written.insert(new, hash);
            }
        }
        let gone = written.keys().filter(|path| !self.wanted.contains_key(*path));
        let mut steps: Vec<Step> = gone.cloned().map(Step::Remove).collect();
        for (path, step) in &self.wanted {
            let Step::Put(wanted) = step else { continue };
            if written.get(path) != Some(&wanted.hash) {
                steps.push(step.clone());
            }
        }
        steps
    }

    /// Until all is as it is wanted, or was edited here.
    async fn finish(&mut self, place: &Place) -> Result<(), Wrong> {
        place.survey(&CancellationToken::new()).await.unwrap();
        for _ in 0..4 {
            let steps = self.steps(&[]);
            if steps.is_empty() {
                break;
            }
            let Applied { question, .. } = apply(place, steps, &self.shelf, &CancellationToken::new())
                .await
                .unwrap();
            assert!(question.is_none());
        }
        place.round_is_over();
        self.edited.clear();
        self.judge_wanted()?;
        self.judge_nothing_more()?;
        self.judge_whole()
    }

    /// What the origin took away does not stay, but for what somebody wrote and the folders that it is in.
    fn judge_nothing_more(&self) -> Result<(), Wrong> {
        let files = self.disk.files();
        let is_somebodys = |at: &RootPath| files.get(at).is_some_and(|bytes| self.edits.contains(bytes));
        let left = files
            .keys()
            .find(|at| !is_own(at) && !self.wanted.contains_key(*at) && !is_somebodys(at));
        let mut folders = vec![RootPath::root()];
        while let Some(folder) = folders.pop() {
            for (name, kind) in self.disk.names(&folder).unwrap() {
                let at = folder.join(&name).unwrap();
                if kind != EntryKind::Folder || is_own(&at) {
                    continue;
                }
                if !self.wanted.contains_key(&at) && !files.keys().any(|file| at.holds(file)) {
                    return Err(Wrong::StillThere(at));
                }
                folders.push(at);
            }
        }
        left.map_or(Ok(()), |at| Err(Wrong::StillThere(at.clone())))
    }

    fn judge_wanted(&self) -> Result<(), Wrong> {
        let files = self.disk.files();
        for (at, step) in &self.wanted {
            let Step::Put(wanted) = step else { continue };
            let is_as_wanted = match &wanted.manifest.content {
                Content::Folder => self.disk.names(at).is_ok(),
                Content::Symlink(target) => files.get(at) == Some(target),
                Content::File(file) => files.get(at).is_some_and(|bytes| Hash::of(bytes) == file.hash),
            };
            let is_edited = files.get(at).is_some_and(|bytes| self.edits.contains(bytes));
            if !is_as_wanted && !is_edited {
                return Err(Wrong::NotAsWanted(at.clone()));
            }
        }
        Ok(())
    }

    fn judge_whole(&self) -> Result<(), Wrong> {
        let files = self.disk.files();
        let trash = path(".beckon");
        for (at, bytes) in &files {
            // What was damaged may lie in the trash.
            if !self.known.contains(bytes) && !trash.holds(at) && !is_own(at) {
                return Err(Wrong::NotWhole(at.clone()));
            }
        }
        let outside = files.iter().filter(|(at, _)| !trash.holds(at));
        let all: HashSet<&Vec<u8>> = outside.map(|(_, bytes)| bytes).collect();
        match self.edits.iter().find(|edit| !all.contains(edit)) {
            Some(lost) => Err(Wrong::LostEdit(String::from_utf8_lossy(lost).into_owned())),
            None => Ok(()),
        }
    }

    fn judge_swept(&self) -> Result<(), Wrong> {
        let trash = path(".beckon");
        let left = self.disk.files().into_keys().find(|at| is_own(at) && !trash.holds(at));
        left.map_or(Ok(()), |at| Err(Wrong::LeftBehind(at)))
    }

    /// What a power cut left, before anybody mends it.
    fn judge_what_is_left(&self, steps: &[Step]) -> Result<(), Wrong> {
        self.judge_whole()?;
        let files = self.disk.files();
        for (at, row) in self.book.rows(transfer(), &RootPath::root(), None, usize::MAX).unwrap() {
            let is_under_way = steps.iter().any(|step| match step {
                Step::Put(wanted) => wanted.path.holds(&at) && (wanted.path != at || wanted.hash != row.manifest),
                Step::Remove(path) => path.holds(&at),
                Step::Move { from, to } => from.holds(&at) || to.holds(&at),
            });
            let is_there = match row.kind {
                EntryKind::Folder => self.disk.names(&at).is_ok(),
                _ => files.get(&at).is_some_and(|bytes| Hash::of(bytes) == row.content),
            };
            let is_edit = files.get(&at).is_some_and(|bytes| self.edits.contains(bytes));
            if !is_there && !is_under_way && !is_edit && !self.edited.contains(&at) {
                return Err(Wrong::Claimed(at));
            }
        }
        Ok(())
    }
}
