//! A disk that can lose power. What a program sees is at once what it did; what is left after a crash is what was synced,
//! and of all else what luck has it.
//!
//! It is meaner than most file systems, and as mean as POSIX allows: bytes are safe by their file's sync alone, names by
//! their folder's alone; the two halves of a rename are two changes; what is not synced survives in any selection; a write
//! survives whole, as zeros, or up to any byte. What a failed sync was to save, no later sync saves (Rebello et al., "Can
//! Applications Recover from fsync Failures?", ATC 2020).

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::luck::{Fate, Luck};

/// Something that was done to the disk. One that failed did what it says all the same where it is a write, or doomed what
/// was pending where it is a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Deed {
    /// An empty file was made.
    Create(PathBuf),
    /// Bytes were written at the end of the file with this number.
    Append(usize, Vec<u8>),
    /// The file with this number was synced, or failed to be.
    Sync(usize, Success),
    /// A folder was made.
    MakeFolder(PathBuf),
    /// An entry was renamed.
    Rename(PathBuf, PathBuf),
    /// An entry was removed.
    Remove(PathBuf),
    /// A folder was synced, or failed to be.
    SyncFolder(PathBuf, Success),
    /// The power went, and came again.
    PowerCut(Luck),
}

/// How a sync went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Success {
    /// Well.
    Good,
    /// Badly.
    Bad,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    /// The file with this number.
    File(usize),
    /// The folder with this number.
    Folder(usize),
}

/// The disk; folder 0 is the one that was there before.
#[derive(Debug, Clone)]
pub(super) struct Platter {
    files: Vec<File>,
    folders: Vec<Folder>,
    /// So many changes were made: each has a number, by which luck decides.
    changes: u64,
    /// Tells what is durable from all else that was durable.
    print: u64,
}

#[derive(Debug, Clone, Default)]
struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Counts the syncs.
    edition: u64,
    pending: Vec<Write>,
}

#[derive(Debug, Clone)]
struct Write {
    change: u64,
    at: usize,
    bytes: Vec<u8>,
    doomed: bool,
}

#[derive(Debug, Clone, Default)]
struct Folder {
    live: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
    /// By name, because most names that are asked for have none. In each the order in which they were made.
    pending: HashMap<String, Vec<Rename>>,
}

#[derive(Debug, Clone, Copy)]
struct Rename {
    change: u64,
    to: Option<Entry>,
    doomed: bool,
}

impl Default for Platter {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            folders: vec![Folder::default()],
            changes: 0,
            print: 0,
        }
    }
}

impl Platter {
    /// Does something; what it answers is for whoever runs, and an error changes nothing.
    pub(super) fn apply(&mut self, deed: &Deed) -> io::Result<()> {
        match deed {
            Deed::Create(path) => {
                let file = Entry::File(self.files.len());
                self.enter(path, file)?;
                self.files.push(File::default());
            }
            Deed::MakeFolder(path) => {
                let folder = Entry::Folder(self.folders.len());
                self.enter(path, folder)?;
                self.folders.push(Folder::default());
            }
            Deed::Append(file, bytes) => self.append(*file, bytes),
            Deed::Sync(file, success) => self.print ^= self.files[*file].sync(*success),
            Deed::Rename(from, to) => {
                let entry = self.live(from)?;
                self.change(to, Some(entry))?;
                self.change(from, None)?;
            }
            Deed::Remove(path) => {
                self.live(path)?;
                self.change(path, None)?;
            }
            Deed::SyncFolder(path, success) => {
                let folder = self.live_folder(path)?;
                self.print ^= self.folders[folder].sync(folder, *success);
            }
            Deed::PowerCut(luck) => *self = self.crashed(*luck),
        }
        Ok(())
    }

    fn enter(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        match self.live(path) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => self.change(path, Some(entry)),
        }
    }

    fn change(&mut self, path: &Path, to: Option<Entry>) -> io::Result<()> {
        let (folder, name) = split(path)?;
        let folder = self.live_folder(folder)?;
        let change = self.next_change();
        let folder = &mut self.folders[folder];
        match to {
            Some(entry) => folder.live.insert(name.to_owned(), entry),
            None => folder.live.remove(name),
        };
        let doomed = false;
        let pending = folder.pending.entry(name.to_owned()).or_default();
        pending.push(Rename { change, to, doomed });
        Ok(())
    }

    fn append(&mut self, file: usize, bytes: &[u8]) {
        let change = self.next_change();
        let file = &mut self.files[file];
        file.pending.push(Write {
            change,
            at: file.live.len(),
            bytes: bytes.to_vec(),
            doomed: false,
        });
        file.live.extend_from_slice(bytes);
    }

    fn next_change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }

    /// What the running program finds at a path.
    pub(super) fn live(&self, path: &Path) -> io::Result<Entry> {
        self.walk(path, |folder, name| folder.live.get(name).copied())
    }

    /// The number of the file that the running program finds at a path.
    pub(super) fn live_file(&self, path: &Path) -> io::Result<usize> {
        match self.live(path)? {
            Entry::File(file) => Ok(file),
            Entry::Folder(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn live_folder(&self, path: &Path) -> io::Result<usize> {
        match self.live(path)? {
            Entry::Folder(folder) => Ok(folder),
            Entry::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// The bytes of a file as the running program finds them.
    pub(super) fn live_bytes(&self, file: usize) -> &[u8] {
        &self.files[file].live
    }

    /// The entries of a folder as the running program finds them.
    pub(super) fn live_entries(&self, path: &Path) -> io::Result<&BTreeMap<String, Entry>> {
        Ok(&self.folders[self.live_folder(path)?].live)
    }

    /// What is left at a path after a crash.
    pub(super) fn left(&self, path: &Path, luck: Luck) -> io::Result<Entry> {
        self.walk(path, |folder, name| folder.left(name, luck))
    }

    fn walk(&self, path: &Path, step: impl Fn(&Folder, &str) -> Option<Entry>) -> io::Result<Entry> {
        let mut at = Entry::Folder(0);
        for name in path.iter().filter(|name| *name != "/") {
            let Entry::Folder(folder) = at else {
                return Err(ErrorKind::NotADirectory.into());
            };
            let name = name.to_str().ok_or(ErrorKind::InvalidInput)?;
            at = step(&self.folders[folder], name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// What tells the content that a file has after a crash from any other that it may have.
    pub(super) fn edition(&self, file: usize, luck: Luck) -> Edition {
        let content = &self.files[file];
        match content.pending.is_empty() {
            true => Edition::Synced(file, content.edition),
            false => Edition::Torn(blake3::hash(&content.left(luck)).into()),
        }
    }

    /// The disk after a crash, as the next program finds it: all that is left of it is durable now.
    pub(super) fn crashed(&self, luck: Luck) -> Self {
        let files = self.files.iter().map(|file| {
            let content = file.left(luck);
            File {
                live: content.clone(),
                durable: content,
                ..File::default()
            }
        });
        let folders = self.folders.iter().map(|folder| {
            let names = folder.durable.keys().chain(folder.pending.keys());
            let left: BTreeMap<String, Entry> = names
                .filter_map(|name| Some((name.clone(), folder.left(name, luck)?)))
                .collect();
            Folder {
                live: left.clone(),
                durable: left,
                ..Folder::default()
            }
        });
        Self {
            files: files.collect(),
            folders: folders.collect(),
            changes: self.changes,
            print: self.remains(luck),
        }
    }

    /// Tells what a crash leaves from all else that a crash of this disk may leave, now or later.
    pub(super) fn remains(&self, luck: Luck) -> u64 {
        let writes = self.files.iter().flat_map(|file| &file.pending);
        let writes = writes.map(|write| write.print(luck.fate(write.change, write.bytes.len())));
        let folders = self.folders.iter().enumerate();
        let names = folders.flat_map(|(number, folder)| {
            let pending = folder.pending.keys();
            pending.map(move |name| {
                let was = folder.durable.get(name).copied();
                print_of(number, name, was) ^ print_of(number, name, folder.left(name, luck))
            })
        });
        writes.chain(names).fold(self.print, |all, one| all ^ one)
    }

    /// Whether a crash can leave more than one thing.
    pub(super) fn is_settled(&self) -> bool {
        self.files.iter().all(|file| file.pending.is_empty())
            && self.folders.iter().all(|folder| folder.pending.is_empty())
    }
}

/// A content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Edition {
    /// The file with this number after so many syncs, and nothing pending.
    Synced(usize, u64),
    /// Content with this hash.
    Torn([u8; 32]),
}

impl File {
    /// How the print of what is durable changes.
    fn sync(&mut self, success: Success) -> u64 {
        match success {
            Success::Bad => {
                self.pending.iter_mut().for_each(|write| write.doomed = true);
                0
            }
            Success::Good => {
                self.edition += 1;
                let (doomed, good) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|write| write.doomed);
                self.pending = doomed;
                let good: Vec<Write> = good;
                good.iter()
                    .for_each(|write| write.put(&mut self.durable, write.bytes.len()));
                good.iter().fold(0, |all, write| all ^ write.print(Fate::Kept))
            }
        }
    }

    fn left(&self, luck: Luck) -> Vec<u8> {
        let mut content = self.durable.clone();
        for write in &self.pending {
            match luck.fate(write.change, write.bytes.len()) {
                Fate::Lost => {}
                Fate::Kept => write.put(&mut content, write.bytes.len()),
                Fate::Torn(len) => write.put(&mut content, len),
                Fate::Zeros => lengthen(&mut content, write.at + write.bytes.len()),
            }
        }
        content
    }
}

impl Write {
    fn print(&self, fate: Fate) -> u64 {
        match fate {
            Fate::Lost => 0,
            fate => print(&(self.change, fate)),
        }
    }

    fn put(&self, content: &mut Vec<u8>, len: usize) {
        lengthen(content, self.at + len);
        content[self.at..self.at + len].copy_from_slice(&self.bytes[..len]);
    }
}

fn lengthen(content: &mut Vec<u8>, len: usize) {
    content.resize(content.len().max(len), 0);
}

impl Folder {
    /// How the print of what is durable changes; the folder has this number.
    fn sync(&mut self, number: usize, success: Success) -> u64 {
        if success == Success::Bad {
            let pending = self.pending.values_mut().flatten();
            pending.for_each(|rename| rename.doomed = true);
            return 0;
        }
        let mut changed = 0;
        for (name, mut pending) in std::mem::take(&mut self.pending) {
            let Some(good) = pending.iter().rposition(|rename| !rename.doomed) else {
                self.pending.insert(name, pending);
                continue;
            };
            // What was doomed before is overwritten by what is good now.
            let to = pending[good].to;
            let was = match to {
                Some(entry) => self.durable.insert(name.clone(), entry),
                None => self.durable.remove(&name),
            };
            changed ^= print_of(number, &name, was) ^ print_of(number, &name, to);
            pending.drain(..=good);
            if !pending.is_empty() {
                self.pending.insert(name, pending);
            }
        }
        changed
    }

    fn left(&self, name: &str, luck: Luck) -> Option<Entry> {
        let pending = self.pending.get(name).into_iter().flatten();
        let kept = pending.rev().find(|rename| luck.keeps(rename.change));
        kept.map_or_else(|| self.durable.get(name).copied(), |rename| rename.to)
    }
}

fn print(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Of a name in the folder with this number.
fn print_of(folder: usize, name: &str, entry: Option<Entry>) -> u64 {
    entry.map_or(0, |entry| print(&(folder, name, entry)))
}

/// The folder and the name of a path.
fn split(path: &Path) -> io::Result<(&Path, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    match (path.parent(), name) {
        (Some(folder), Some(name)) => Ok((folder, name)),
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}
