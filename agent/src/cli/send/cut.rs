//! Reads what is to be sent: cuts files into chunks and makes the list that stands beside the order.

use std::{
    io::{self, Read},
    ops::ControlFlow,
    sync::Arc,
};

use beckon_shared::{
    chunk::{self, CHUNK_MAX, ChunkKey},
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    manifest::{Content, ContentHasher, ContentSum, FileContent, Manifest},
    order::SentFile,
    path::{Name, RootPath},
    wire,
};

use crate::{
    ignore::Ignore,
    output::Bar,
    root::{FileMeta, Root, meta_of, refusal},
    scan::{self, Found, Scope, Step},
    upload::deliver::Parcel,
};

/// So much is read at once. Bytes.
const BUFFER: usize = 4 * CHUNK_MAX;
/// A file that changes is read so often at the most.
const ATTEMPTS: u32 = 3;

/// What stands in one folder of this device and is to be sent.
#[derive(Debug)]
pub(super) struct Group {
    /// The folder.
    pub(super) root: Arc<Root>,
    /// What of it.
    pub(super) names: Vec<Name>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// Each entry, folders before what is in them.
    pub(super) sent: Vec<SentFile>,
    /// The files among them that hold anything.
    pub(super) parcels: Vec<Parcel>,
    /// Files among them.
    pub(super) files: u64,
    /// Content bytes of them.
    pub(super) bytes: u64,
    /// What could not be read.
    pub(super) problems: Vec<(RootPath, Refusal)>,
}

/// Reads all of it.
pub(super) fn cut(groups: &[Group], key: &ChunkKey, bar: &Bar) -> Cut {
    let mut cutting = Cutting {
        key,
        bar,
        buffer: vec![0; BUFFER],
        cut: Cut::default(),
    };
    for group in groups {
        let top = RootPath::root();
        let paths = group.names.iter().filter_map(|name| top.join(name).ok());
        let scopes = scan::merged_scopes(paths.map(Scope::below).collect());
        let walked = scan::walk(&group.root, &scopes, &Ignore::default(), |step| {
            cutting.step(&group.root, step);
            ControlFlow::Continue(())
        });
        debug_assert!(walked.is_continue());
    }
    cutting.cut
}

struct Cutting<'a> {
    key: &'a ChunkKey,
    bar: &'a Bar,
    buffer: Vec<u8>,
    cut: Cut,
}

impl Cutting<'_> {
    fn step(&mut self, root: &Arc<Root>, step: Step) {
        match step {
            Step::Found(found) => self.found(root, found),
            Step::Problem(problem) => {
                let refusal = Refusal::new(problem.code, problem.message);
                self.cut.problems.push((problem.path, refusal));
            }
            Step::Vanished | Step::LeftOut(_) => {}
        }
    }

    fn found(&mut self, root: &Arc<Root>, found: Found) {
        let Found { path, entry, mode } = found;
        let content = match entry.kind {
            EntryKind::Folder => Content::Folder,
            EntryKind::Symlink => Content::Symlink(entry.target.unwrap_or_default()),
            EntryKind::File | EntryKind::Other => return self.file(root, path),
        };
        let manifest = Manifest {
            suite: 0,
            mode: if entry.kind == EntryKind::Symlink { 0o777 } else { mode },
            mtime_ns: entry.stamp.mtime_ns,
            content,
        };
        self.entry(path, &manifest);
    }

    fn entry(&mut self, path: RootPath, manifest: &Manifest) {
        let manifest = wire::encode(manifest);
        self.cut.sent.push(SentFile { path, manifest });
    }

    fn file(&mut self, root: &Arc<Root>, path: RootPath) {
        self.bar.note(&format!("reading {}", path.display()));
        match self.read(root, &path) {
            Ok((meta, content)) => self.whole(root, path, meta, content),
            Err(refusal) => self.cut.problems.push((path, refusal)),
        }
    }

    fn whole(&mut self, root: &Arc<Root>, path: RootPath, meta: FileMeta, content: ContentSum) {
        let ContentSum {
            hash,
            crc32,
            chunks,
            size,
        } = content;
        self.cut.files += 1;
        self.cut.bytes += size;
        if !chunks.is_empty() {
            self.cut.parcels.push(Parcel {
                root: Arc::clone(root),
                path: path.clone(),
                stamp: meta.stamp,
                chunks: chunks.clone(),
            });
        }
        let file = FileContent {
            stamp: meta.stamp,
            // The same files make the same list whenever they are read, so that a later command takes up an earlier one.
            read_ns: 0,
            hash,
            crc32,
            torn: false,
            sparse: meta.allocated < meta.stamp.size,
            chunks,
        };
        let manifest = Manifest {
            suite: 0,
            mode: meta.mode,
            mtime_ns: meta.stamp.mtime_ns,
            content: Content::File(file),
        };
        self.entry(path, &manifest);
    }

    /// Reads a file that stays as it is meanwhile.
    fn read(&mut self, root: &Root, path: &RootPath) -> Result<(FileMeta, ContentSum), Refusal> {
        let (folder, name) = root.parent(path)?;
        for _ in 0..ATTEMPTS {
            let mut opened = folder.open_file(&name)?;
            let content =
                sum(&mut opened.file, self.key, &mut self.buffer, self.bar).map_err(|cause| refusal(&cause))?;
            let after = meta_of(&opened.file).map_err(|cause| refusal(&cause))?;
            if after.stamp == opened.meta.stamp && content.size == after.stamp.size {
                return Ok((opened.meta, content));
            }
        }
        let advice = "it changed whenever it was read; close what writes to it, then send it again";
        Err(Refusal::new(ErrorCode::Changing, advice))
    }
}

/// Cuts and hashes all that there is to be read, in one pass. The buffer has room for several chunks.
fn sum(source: &mut impl Read, key: &ChunkKey, buffer: &mut [u8], bar: &Bar) -> io::Result<ContentSum> {
    let mut whole = ContentHasher::default();
    let (mut start, mut end, mut at_end) = (0, 0, false);
    loop {
        while !at_end && end - start < CHUNK_MAX {
            if end == buffer.len() {
                buffer.copy_within(start..end, 0);
                (start, end) = (0, end - start);
            }
            let read = match source.read(&mut buffer[end..]) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            bar.add(read as u64);
            end += read;
            at_end = read == 0;
        }
        if start == end {
            return Ok(whole.finish());
        }
        let window = &buffer[start..end.min(start + CHUNK_MAX)];
        let bytes = &window[..chunk::cut(window)];
        whole.add(key.id(bytes), bytes);
        start += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output::{Format, Output};

    const KEY: ChunkKey = ChunkKey([5; 32]);

    fn quiet() -> Bar {
        Bar::new(Output { format: Format::Json })
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new_keyed(&[1; 32]).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Gives as little at a time as it likes.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let len = into.len().min(self.1);
            self.0.read(&mut into[..len])
        }
    }

    /// The same, of what is in memory as a whole.
    fn naive(bytes: &[u8]) -> ContentSum {
        let (mut whole, mut rest) = (ContentHasher::default(), bytes);
        while !rest.is_empty() {
            let (one, after) = rest.split_at(chunk::cut(&rest[..rest.len().min(CHUNK_MAX)]));
            whole.add(KEY.id(one), one);
            rest = after;
        }
        whole.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn it_is_cut_the_same_however_it_is_read(len in 0..6_usize << 20, step in 1000..5_usize << 20) {
            let bytes = noise(len);
            let mut buffer = vec![0; 2 * CHUNK_MAX];
            let cut = sum(&mut Slow(&bytes, step), &KEY, &mut buffer, &quiet()).unwrap();
            prop_assert_eq!(cut, naive(&bytes));
        }
    }
}
