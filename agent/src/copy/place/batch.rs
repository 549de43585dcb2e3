//! Files that are written together under names of their own, chunk by chunk as they come.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
};

use beckon_shared::{
    chunk::{CHUNK_MAX, ChunkRef},
    entry::EntryKind,
    error::Refusal,
    id::ChunkId,
    manifest::Content,
    path::RootPath,
};

use super::{
    Inner,
    check::{Target, has_zero_tail},
    touched::Touched,
    trouble::Trouble,
};
use crate::{
    copy::{
        Became, Got, Much, Want, Wanted, Whence,
        book::Written,
        disk::{Disk, NewFile},
    },
    root::Look,
};

/// So many chunks are asked for at once.
const WANTS_MAX: usize = 2048;

/// Files on their way.
pub(super) struct Batch {
    pub(super) place: Arc<Inner>,
    pub(super) touched: Touched,
    /// Steps of which is known what became of them.
    pub(super) became: Vec<(usize, Became)>,
    /// Folders that were put, with bits and times.
    pub(super) folders: Vec<(RootPath, u32, i64)>,
    /// What stands already as it is wanted.
    pub(super) written: Vec<Written>,
    pub(super) files: Vec<Pending>,
    /// The paths of all of them.
    pub(super) leaves: HashSet<RootPath>,
    /// All are made durable at once in the end, and not one by one.
    pub(super) syncs_at_once: bool,
    /// Nothing more can be written.
    pub(super) refusal: Option<Refusal>,
    /// A person must answer this before more is written.
    pub(super) question: Option<Much>,
    /// Which chunks of which files are still to be asked for.
    missing: Vec<(usize, usize)>,
    asked: usize,
    /// Where the chunks go that were asked for: files, and places in their lists.
    targets: HashMap<ChunkId, Vec<(usize, usize, u64)>>,
}

/// A file, or a symlink, that is not in its place yet.
pub(super) struct Pending {
    /// Its step.
    pub(super) at: usize,
    pub(super) wanted: Box<Wanted>,
    pub(super) target: Target,
    pub(super) part: Part,
    pub(super) how: How,
    /// What stood in its place when it was begun.
    pub(super) expected: Option<Look>,
    /// How it was just before it got its name.
    pub(super) finished: Option<Look>,
    pub(super) has_zero_tail: bool,
    /// It cannot be done.
    pub(super) trouble: Option<Became>,
    /// Chunks of the version before that are not in this one.
    bases: Vec<ChunkId>,
    handle: Option<Box<dyn NewFile>>,
    /// Of each chunk whether it has yet to come.
    is_open: Vec<bool>,
    /// How many have.
    left: usize,
}

/// What of a file is there already.
pub(super) enum Resumed {
    /// Nothing: it was just made.
    No,
    /// It has to be read to know.
    Unread,
    /// It is known, since it was written since the start of the agent.
    Known(Half),
}

/// What has come of a file that is not whole.
#[derive(Debug)]
pub(super) struct Half {
    /// What it is called meanwhile.
    pub(super) name: String,
    /// Bytes of it that are there.
    pub(super) bytes: u64,
    is_open: Vec<bool>,
    has_zero_tail: bool,
}

/// What is to be done with what stands in the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Nothing stands there.
    Free,
    /// It is replaced.
    Replace,
    /// It was changed here: it is kept beside.
    Aside,
    /// It goes to the trash.
    Trash,
    /// It is a folder that was written here.
    Folder,
}

/// A file under a name of its own, removed when it is dropped unless it is to stay.
pub(super) struct Part {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: RootPath,
    pub(super) stays: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.stays {
            let _ = self.disk.remove_file(&self.path);
        }
    }
}

/// What [`Pending`] is made of.
pub(super) struct Begun {
    pub(super) at: usize,
    pub(super) wanted: Box<Wanted>,
    pub(super) target: Target,
    pub(super) part: Part,
    pub(super) how: How,
    pub(super) expected: Option<Look>,
    /// To be written; nothing for a symlink.
    pub(super) handle: Option<Box<dyn NewFile>>,
    /// Chunks of what stands there, in order.
    pub(super) before: Vec<ChunkRef>,
    /// What it holds of its chunks already is not asked for.
    pub(super) resumed: Resumed,
}

impl Batch {
    pub(super) fn new(place: Arc<Inner>, touched: Touched) -> Self {
        Self {
            place,
            touched,
            became: Vec::new(),
            folders: Vec::new(),
            written: Vec::new(),
            files: Vec::new(),
            leaves: HashSet::new(),
            syncs_at_once: false,
            refusal: None,
            question: None,
            missing: Vec::new(),
            asked: 0,
            targets: HashMap::new(),
        }
    }

    /// Takes a file in that is to be filled.
    pub(super) fn begin(&mut self, mut begun: Begun) -> Result<(), Trouble> {
        let number = self.files.len();
        let path = begun.wanted.path.clone();
        let (is_open, has_zero_tail) = open(&self.place, &mut begun).map_err(|cause| Trouble::of(&path, &cause))?;
        let bases = match &begun.wanted.manifest.content {
            Content::File(file) => vanished(&begun.before, &file.chunks),
            _ => Vec::new(),
        };
        let known = self.missing.len();
        let missing = is_open.iter().enumerate().filter(|(_, is_open)| **is_open);
        self.missing.extend(missing.map(|(chunk, _)| (number, chunk)));
        let left = self.missing.len() - known;
        self.files.push(Pending {
            at: begun.at,
            wanted: begun.wanted,
            target: begun.target,
            part: begun.part,
            how: begun.how,
            expected: begun.expected,
            finished: None,
            has_zero_tail,
            trouble: None,
            bases,
            handle: begun.handle,
            is_open,
            left,
        });
        if left == 0 { self.finish(number) } else { Ok(()) }
    }

    /// The next chunks to be asked for, and those that the older versions of the same files had.
    pub(super) fn next_wants(&mut self) -> Option<(Vec<Want>, Vec<ChunkId>)> {
        if self.refusal.is_some() || self.asked >= self.missing.len() {
            return None;
        }
        let end = (self.asked + WANTS_MAX).min(self.missing.len());
        let (mut wants, mut bases, mut last) = (Vec::new(), Vec::new(), None);
        self.targets.clear();
        let mut place = Offset::default();
        for (number, at) in self.missing[self.asked..end].iter().copied() {
            let pending = &self.files[number];
            let Content::File(file) = &pending.wanted.manifest.content else {
                continue;
            };
            let (chunk, offset) = (file.chunks[at], place.of(number, at, &file.chunks));
            let targets = self.targets.entry(chunk.id).or_default();
            if targets.is_empty() {
                wants.push(Want {
                    chunk,
                    offset,
                    origin: pending.wanted.origin.clone(),
                    manifest: pending.wanted.hash,
                    stamp: file.stamp,
                });
            }
            targets.push((number, at, offset));
            if last.replace(number) != Some(number) {
                bases.extend_from_slice(&pending.bases);
            }
        }
        self.asked = end;
        Some((wants, bases))
    }

    /// Writes a chunk wherever it is wanted; false if nothing more can be written.
    pub(super) fn take(&mut self, got: &Got) -> bool {
        let targets = self.targets.remove(&got.chunk).unwrap_or_default();
        let mut from = got.from;
        for (number, at, offset) in targets {
            match self.write(number, at, offset, &got.bytes) {
                Ok(true) => {
                    self.count(from, got.bytes.len() as u64);
                    from = Whence::Own;
                }
                Ok(false) => {}
                Err(Trouble::Step(became)) => self.files[number].fail(became),
                Err(Trouble::All(refusal)) => {
                    self.refusal = Some(refusal);
                    return false;
                }
            }
        }
        true
    }

    fn write(&mut self, number: usize, at: usize, offset: u64, bytes: &[u8]) -> Result<bool, Trouble> {
        let pending = &mut self.files[number];
        let Content::File(file) = &pending.wanted.manifest.content else {
            return Ok(false);
        };
        if pending.trouble.is_some() || bytes.len() != file.chunks[at].len as usize {
            return Ok(false);
        }
        let path = &pending.wanted.path;
        let is_hole = file.sparse && bytes.iter().all(|byte| *byte == 0);
        if !is_hole && let Some(handle) = &mut pending.handle {
            handle
                .write_at(offset, bytes)
                .map_err(|cause| Trouble::of(path, &cause))?;
        }
        if at + 1 == file.chunks.len() {
            pending.has_zero_tail = has_zero_tail(bytes);
        }
        pending.is_open[at] = false;
        pending.left -= 1;
        if pending.left == 0 {
            self.finish(number)?;
        }
        Ok(true)
    }

    /// All of a file is there.
    fn finish(&mut self, number: usize) -> Result<(), Trouble> {
        let syncs_at_once = self.syncs_at_once;
        let pending = &mut self.files[number];
        let (size, manifest) = (pending.target.size, &pending.wanted.manifest);
        let Some(mut handle) = pending.handle.take() else {
            return Ok(());
        };
        let mut finish = || -> io::Result<()> {
            handle.set_len(size)?;
            handle.set_meta(manifest.mode, manifest.mtime_ns)?;
            if !syncs_at_once {
                handle.sync()?;
            }
            Ok(())
        };
        finish().map_err(|cause| Trouble::of(&pending.wanted.path, &cause))
    }

    fn count(&self, from: Whence, bytes: u64) {
        self.place.count(
            |counters| match from {
                Whence::Own => &counters.bytes_own,
                Whence::Direct => &counters.bytes_direct,
                Whence::Server => &counters.bytes_server,
            },
            bytes,
        );
    }
}

impl Pending {
    /// Whether all of it is written.
    pub(super) fn is_whole(&self) -> bool {
        self.left == 0 && self.trouble.is_none()
    }

    /// What has come of a file, if it may be gone on with.
    pub(super) fn half(&self) -> Option<Half> {
        let Content::File(file) = &self.wanted.manifest.content else {
            return None;
        };
        if self.trouble.is_some() || self.left == 0 || self.left == file.chunks.len() {
            return None;
        }
        let here = file.chunks.iter().zip(&self.is_open).filter(|(_, is_open)| !**is_open);
        Some(Half {
            name: self.part.path.split_last()?.1.as_str()?.to_owned(),
            bytes: here.map(|(chunk, _)| u64::from(chunk.len)).sum(),
            is_open: self.is_open.clone(),
            has_zero_tail: self.has_zero_tail,
        })
    }

    fn fail(&mut self, became: Became) {
        self.trouble = Some(became);
        self.handle = None;
    }

    /// What it is.
    pub(super) fn kind(&self) -> EntryKind {
        self.target.kind
    }
}

/// Of each chunk of a file whether it has to come, and whether the file may end in zeros as far as it is there.
fn open(place: &Inner, begun: &mut Begun) -> io::Result<(Vec<bool>, bool)> {
    let Content::File(file) = &begun.wanted.manifest.content else {
        return Ok((Vec::new(), false));
    };
    let is_unread = match std::mem::replace(&mut begun.resumed, Resumed::No) {
        Resumed::Known(half) if half.is_open.len() == file.chunks.len() => {
            return Ok((half.is_open, half.has_zero_tail));
        }
        Resumed::Known(_) | Resumed::Unread => true,
        Resumed::No => false,
    };
    let mut open = Vec::with_capacity(file.chunks.len());
    let mut has_tail = false;
    let mut offset = 0;
    let mut buffer = Vec::new();
    for (at, chunk) in file.chunks.iter().enumerate() {
        let is_last = at + 1 == file.chunks.len();
        let mut is_here = file.sparse && is_hole(place, chunk, is_last);
        has_tail |= is_here && is_last;
        if !is_here
            && is_unread
            && let Some(handle) = &mut begun.handle
        {
            buffer.resize(chunk.len as usize, 0);
            is_here = handle.read_at(offset, &mut buffer).is_ok() && place.key.id(&buffer) == chunk.id;
            has_tail |= is_here && is_last && has_zero_tail(&buffer);
        }
        if is_here {
            place.count(|counters| &counters.bytes_own, chunk.len.into());
        }
        open.push(!is_here);
        offset += u64::from(chunk.len);
    }
    if file.sparse
        && let Some(handle) = &mut begun.handle
        && !is_unread
    {
        handle.set_len(file.size())?;
    }
    Ok((open, has_tail))
}

/// Whether a chunk holds only zeros, of which the longest are common and the others only at the end of a file.
fn is_hole(place: &Inner, chunk: &ChunkRef, is_last: bool) -> bool {
    match chunk.len as usize {
        CHUNK_MAX => chunk.id == place.hole,
        len => is_last && chunk.id == place.key.id(&vec![0; len]),
    }
}

/// Chunks of an older version that are not in the newer one.
fn vanished(before: &[ChunkRef], now: &[ChunkRef]) -> Vec<ChunkId> {
    let now: HashSet<ChunkId> = now.iter().map(|chunk| chunk.id).collect();
    let mut seen = HashSet::new();
    let gone = before.iter().map(|chunk| chunk.id).filter(|id| !now.contains(id));
    gone.filter(|id| seen.insert(*id)).collect()
}

/// Where chunks of a file begin, asked for in their order.
#[derive(Default)]
struct Offset {
    file: usize,
    at: usize,
    offset: u64,
}

impl Offset {
    fn of(&mut self, file: usize, at: usize, chunks: &[ChunkRef]) -> u64 {
        if self.file != file || at < self.at {
            *self = Self {
                file,
                ..Self::default()
            };
        }
        let skipped = &chunks[self.at..at];
        self.offset += skipped.iter().map(|chunk| u64::from(chunk.len)).sum::<u64>();
        self.at = at;
        self.offset
    }
}
