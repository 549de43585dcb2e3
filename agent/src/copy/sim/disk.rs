//! A disk that forgets what was not synced when its power goes.

mod file;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, ErrorKind, Read},
    sync::{Arc, Mutex, MutexGuard},
};

use beckon_shared::{
    entry::{EntryKind, SourceStamp},
    path::{Name, RootPath},
};

use crate::{
    copy::disk::{Disk, NewFile},
    root::{Look, NewName},
};

use file::SimFile;

/// The root's folder.
const TOP: u64 = 0;

/// What the disk says is durable and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    Bytes,
    Names,
}

/// Chance that follows from a seed.
#[derive(Debug, Clone)]
pub(super) struct Luck(pub(super) u64);

impl Luck {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: EntryKind,
    /// Of a file its bytes, of a symlink its target.
    bytes: Vec<u8>,
    mode: u32,
    mtime_ns: i64,
    ctime_ns: i64,
}

type Entry = (u64, Name);

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<u64, Node>,
    /// As they are after a power cut; those of files that were never synced are missing.
    synced: HashMap<u64, Node>,
    names: BTreeMap<Entry, u64>,
    durable: BTreeMap<Entry, u64>,
    /// Changes of names that are not durable: each as a whole or not at all.
    pending: Vec<Vec<(Entry, Option<u64>)>>,
    next: u64,
    clock: i64,
    /// The power goes after so many operations.
    left: Option<u64>,
    is_off: bool,
    lie: Option<Lie>,
    /// What somebody does while the program works.
    edit: Option<Edit>,
}

/// Somebody writes into a file after so many operations.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) after: u64,
    pub(super) path: RootPath,
    pub(super) bytes: Vec<u8>,
    /// What was in the file before, once it is done.
    pub(super) replaced: Option<Vec<u8>>,
}

/// The disk; clones share it.
#[derive(Clone, Default)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    pub(super) fn new(lie: Lie) -> Self {
        let disk = Self::default();
        let mut state = disk.lock();
        let top = Node {
            kind: EntryKind::Folder,
            bytes: Vec::new(),
            mode: 0o755,
            mtime_ns: 0,
            ctime_ns: 0,
        };
        state.nodes.insert(TOP, top.clone());
        state.synced.insert(TOP, top);
        state.next = 1;
        state.lie = Some(lie);
        drop(state);
        disk
    }

    pub(super) fn is_on(&self) -> bool {
        !self.lock().is_off
    }

    /// The power is to go after so many operations.
    pub(super) fn cut_after(&self, operations: Option<u64>) {
        self.lock().left = operations;
    }

    /// Somebody is to write into a file meanwhile.
    pub(super) fn edit_meanwhile(&self, edit: Edit) {
        self.lock().edit = Some(edit);
    }

    /// What was to be written meanwhile, done or not.
    pub(super) fn take_edit(&self) -> Option<Edit> {
        self.lock().edit.take()
    }

    /// Starts again with what was durable and, by chance, some of the rest.
    pub(super) fn restart(&self, luck: &mut Luck) {
        let mut state = self.lock();
        state.lose(luck);
        state.is_off = false;
        state.left = None;
    }

    /// Somebody else makes all durable that is there.
    pub(super) fn settle(&self) {
        let mut state = self.lock();
        state.durable = state.names.clone();
        state.synced = state.nodes.clone();
        state.pending.clear();
    }

    /// All files and symlinks, with what they hold.
    pub(super) fn files(&self) -> BTreeMap<RootPath, Vec<u8>> {
        let state = self.lock();
        let mut files = BTreeMap::new();
        let mut pending = vec![(TOP, RootPath::root())];
        while let Some((folder, at)) = pending.pop() {
            for ((_, name), number) in state.names.iter().filter(|((above, _), _)| *above == folder) {
                let (path, node) = (at.join(name).unwrap(), &state.nodes[number]);
                match node.kind {
                    EntryKind::Folder => pending.push((*number, path)),
                    _ => _ = files.insert(path, node.bytes.clone()),
                }
            }
        }
        files
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Begins an operation that changes something or makes it durable.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.look_at()?;
        state.edit();
        match state.left {
            Some(0) => {
                state.is_off = true;
                Err(io::Error::other("the power is gone"))
            }
            Some(left) => {
                state.left = Some(left - 1);
                Ok(state)
            }
            None => Ok(state),
        }
    }

    fn look_at(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.is_off {
            Err(io::Error::other("the power is gone"))
        } else {
            Ok(state)
        }
    }
}

impl State {
    /// Somebody writes into a file, if it is time and there is one.
    fn edit(&mut self) {
        let Some(mut edit) = self.edit.take() else { return };
        if edit.replaced.is_some() {
            self.edit = Some(edit);
            return;
        }
        edit.after = edit.after.saturating_sub(1);
        let now = self.now();
        let file = self
            .number(&edit.path)
            .ok()
            .and_then(|number| self.nodes.get_mut(&number));
        if edit.after == 0
            && let Some(node) = file.filter(|node| node.kind == EntryKind::File)
        {
            edit.replaced = Some(std::mem::replace(&mut node.bytes, edit.bytes.clone()));
            (node.mtime_ns, node.ctime_ns) = (now, now);
        }
        self.edit = Some(edit);
    }

    fn now(&mut self) -> i64 {
        self.clock += 1;
        1_000_000_000_000_000_000 + self.clock
    }

    fn folder(&self, path: &RootPath) -> io::Result<u64> {
        let mut at = TOP;
        for name in path.names() {
            at = *self.names.get(&(at, name)).ok_or(ErrorKind::NotFound)?;
            if self.nodes[&at].kind != EntryKind::Folder {
                return Err(ErrorKind::NotADirectory.into());
            }
        }
        Ok(at)
    }

    fn entry(&self, path: &RootPath) -> io::Result<Entry> {
        let (above, name) = path.split_last().ok_or(ErrorKind::InvalidInput)?;
        if name.as_bytes().len() > 255 {
            return Err(ErrorKind::InvalidFilename.into());
        }
        Ok((self.folder(&above)?, name))
    }

    fn number(&self, path: &RootPath) -> io::Result<u64> {
        if path.is_root() {
            return Ok(TOP);
        }
        let entry = self.entry(path)?;
        Ok(*self.names.get(&entry).ok_or(ErrorKind::NotFound)?)
    }

    fn make(&mut self, path: &RootPath, kind: EntryKind, bytes: Vec<u8>, mode: u32) -> io::Result<u64> {
        let entry = self.entry(path)?;
        if self.names.contains_key(&entry) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let (number, now) = (self.next, self.now());
        self.next += 1;
        let node = Node {
            kind,
            bytes,
            mode,
            mtime_ns: now,
            ctime_ns: now,
        };
        // Folders and symlinks are as durable as their names are.
        if kind != EntryKind::File {
            self.synced.insert(number, node.clone());
        }
        self.nodes.insert(number, node);
        self.rename(vec![(entry, Some(number))]);
        Ok(number)
    }

    fn rename(&mut self, change: Vec<(Entry, Option<u64>)>) {
        apply(&mut self.names, &change);
        self.pending.push(change);
    }

    fn is_empty(&self, folder: u64) -> bool {
        self.names
            .range((folder, Name::new("\u{1}").unwrap())..)
            .all(|((above, _), _)| *above != folder)
            && self.names.keys().all(|(above, _)| *above != folder)
    }

    /// Makes the changes durable that touch a folder, and those before that they build on.
    fn sync_names(&mut self, folder: u64) {
        if self.lie == Some(Lie::Names) {
            return;
        }
        let mut keys: HashSet<Entry> = HashSet::new();
        let mut wanted = vec![false; self.pending.len()];
        for (at, change) in self.pending.iter().enumerate().rev() {
            let touches = change
                .iter()
                .any(|(entry, _)| entry.0 == folder || keys.contains(entry));
            if touches {
                wanted[at] = true;
                keys.extend(change.iter().map(|(entry, _)| entry.clone()));
            }
        }
        let mut wanted = wanted.into_iter();
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let is_synced = wanted.next().unwrap_or_default();
            if is_synced {
                apply(durable, change);
            }
            !is_synced
        });
    }

    fn sync_bytes(&mut self, number: u64) {
        if self.lie != Some(Lie::Bytes) {
            self.synced.insert(number, self.nodes[&number].clone());
        }
    }

    fn lose(&mut self, luck: &mut Luck) {
        let mut lost_entries: HashSet<Entry> = HashSet::new();
        let mut lost_nodes: HashSet<u64> = HashSet::new();
        for change in std::mem::take(&mut self.pending) {
            let builds_on_lost = change.iter().any(|(entry, number)| {
                lost_entries.contains(entry) || number.is_some_and(|number| lost_nodes.contains(&number))
            });
            if builds_on_lost || luck.one_in(2) {
                for (entry, number) in change {
                    lost_entries.insert(entry);
                    lost_nodes.extend(number);
                }
            } else {
                apply(&mut self.durable, &change);
            }
        }
        self.names = self.durable.clone();
        let numbers: Vec<u64> = self.nodes.keys().copied().collect();
        for number in numbers {
            let left = match self.synced.get(&number) {
                Some(synced) if *synced == self.nodes[&number] => synced.clone(),
                synced => what_is_left(&self.nodes[&number], synced, luck),
            };
            self.nodes.insert(number, left);
        }
        self.synced = self.nodes.clone();
    }
}

/// What a file may be whose last bytes were not synced.
fn what_is_left(live: &Node, synced: Option<&Node>, luck: &mut Luck) -> Node {
    let mut node = if luck.one_in(2) {
        live.clone()
    } else {
        synced.unwrap_or(live).clone()
    };
    if live.kind != EntryKind::File || synced.is_some_and(|synced| synced.bytes == live.bytes) {
        return node;
    }
    node.bytes = match luck.below(4) {
        0 => synced.map(|synced| synced.bytes.clone()).unwrap_or_default(),
        1 => live.bytes.clone(),
        2 => live.bytes[..luck.below(live.bytes.len() as u64 + 1) as usize].to_vec(),
        _ => {
            let kept = luck.below(live.bytes.len() as u64 + 1) as usize;
            let mut bytes = live.bytes[..kept].to_vec();
            bytes.resize(live.bytes.len(), 0);
            bytes
        }
    };
    node
}

fn apply(names: &mut BTreeMap<Entry, u64>, change: &[(Entry, Option<u64>)]) {
    for (entry, number) in change {
        match number {
            Some(number) => names.insert(entry.clone(), *number),
            None => names.remove(entry),
        };
    }
}

impl Disk for SimDisk {
    fn is_there(&self) -> bool {
        self.is_on()
    }

    fn look(&self, path: &RootPath) -> io::Result<Option<Look>> {
        let state = self.look_at()?;
        let number = match state.number(path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            number => number?,
        };
        let node = &state.nodes[&number];
        Ok(Some(Look {
            kind: node.kind,
            stamp: SourceStamp {
                size: if node.kind == EntryKind::Folder {
                    0
                } else {
                    node.bytes.len() as u64
                },
                mtime_ns: node.mtime_ns,
                ctime_ns: node.ctime_ns,
                file_id: number,
            },
            mode: node.mode,
            target: (node.kind == EntryKind::Symlink).then(|| node.bytes.clone()),
        }))
    }

    fn names(&self, folder: &RootPath) -> io::Result<Vec<(Name, EntryKind)>> {
        let state = self.look_at()?;
        let folder = state.folder(folder)?;
        let here = state.names.iter().filter(|((above, _), _)| *above == folder);
        Ok(here
            .map(|((_, name), number)| (name.clone(), state.nodes[number].kind))
            .collect())
    }

    fn read(&self, path: &RootPath) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.look_at()?;
        let number = state.number(path)?;
        let bytes = state.nodes[&number].bytes.clone();
        // Whoever reads a long file is told what was in it a while ago.
        state.edit();
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    fn create(&self, path: &RootPath, mode: u32) -> io::Result<Box<dyn NewFile>> {
        let number = self.change()?.make(path, EntryKind::File, Vec::new(), mode)?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            number,
        }))
    }

    fn reopen(&self, path: &RootPath) -> io::Result<Box<dyn NewFile>> {
        let number = self.look_at()?.number(path)?;
        Ok(Box::new(SimFile {
            disk: self.clone(),
            number,
        }))
    }

    fn make_folder(&self, path: &RootPath) -> io::Result<()> {
        self.change()?
            .make(path, EntryKind::Folder, Vec::new(), 0o755)
            .map(|_| ())
    }

    fn make_symlink(&self, path: &RootPath, target: &[u8]) -> io::Result<()> {
        self.change()?
            .make(path, EntryKind::Symlink, target.to_vec(), 0o777)
            .map(|_| ())
    }

    fn rename(&self, from: &RootPath, to: &RootPath, new: NewName) -> io::Result<()> {
        let mut state = self.change()?;
        let (number, from, to) = (state.number(from)?, state.entry(from)?, state.entry(to)?);
        if let Some(there) = state.names.get(&to) {
            if new == NewName::Free {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if state.nodes[there].kind == EntryKind::Folder {
                return Err(ErrorKind::IsADirectory.into());
            }
        }
        let now = state.now();
        if let Some(node) = state.nodes.get_mut(&number) {
            node.ctime_ns = now;
        }
        state.rename(vec![(from, None), (to, Some(number))]);
        Ok(())
    }

    fn exchange(&self, one: &RootPath, other: &RootPath) -> io::Result<bool> {
        let mut state = self.change()?;
        let numbers = (state.number(one)?, state.number(other)?);
        let entries = (state.entry(one)?, state.entry(other)?);
        let now = state.now();
        for number in [numbers.0, numbers.1] {
            if let Some(node) = state.nodes.get_mut(&number) {
                node.ctime_ns = now;
            }
        }
        state.rename(vec![(entries.0, Some(numbers.1)), (entries.1, Some(numbers.0))]);
        Ok(true)
    }

    fn remove_file(&self, path: &RootPath) -> io::Result<()> {
        let mut state = self.change()?;
        state.number(path)?;
        let entry = state.entry(path)?;
        state.rename(vec![(entry, None)]);
        Ok(())
    }

    fn remove_folder(&self, path: &RootPath) -> io::Result<()> {
        let mut state = self.change()?;
        let (number, entry) = (state.number(path)?, state.entry(path)?);
        if !state.is_empty(number) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        state.rename(vec![(entry, None)]);
        Ok(())
    }

    fn remove_tree(&self, path: &RootPath) -> io::Result<()> {
        let mut state = self.change()?;
        let entry = state.entry(path)?;
        state.rename(vec![(entry, None)]);
        Ok(())
    }

    fn set_meta(&self, path: &RootPath, _: EntryKind, mode: u32, mtime_ns: i64) -> io::Result<()> {
        let mut state = self.change()?;
        let (number, now) = (state.number(path)?, state.now());
        if let Some(node) = state.nodes.get_mut(&number) {
            *node = Node {
                mode,
                mtime_ns,
                ctime_ns: now,
                ..node.clone()
            };
        }
        Ok(())
    }

    fn set_mode(&self, folder: &RootPath, mode: u32) -> io::Result<()> {
        let mut state = self.change()?;
        let number = state.number(folder)?;
        if let Some(node) = state.nodes.get_mut(&number) {
            node.mode = mode;
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &RootPath) -> io::Result<()> {
        let mut state = self.change()?;
        let folder = state.folder(folder)?;
        state.sync_names(folder);
        Ok(())
    }

    fn sync_file(&self, path: &RootPath) -> io::Result<()> {
        let mut state = self.change()?;
        let number = state.number(path)?;
        state.sync_bytes(number);
        Ok(())
    }

    fn begin(&self) -> io::Result<bool> {
        self.look_at().map(|_| true)
    }

    fn sync_all(&self) -> io::Result<bool> {
        let mut state = self.change()?;
        let numbers: Vec<u64> = state.nodes.keys().copied().collect();
        numbers.into_iter().for_each(|number| state.sync_bytes(number));
        if state.lie != Some(Lie::Names) {
            state.pending.clear();
            state.durable = state.names.clone();
        }
        Ok(true)
    }

    fn forget(&self) {}
}
