//! A range of a file as segments. Blocks on the disk.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use beckon_shared::{
    bulk::{SEGMENT_MAX, Segment},
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    path::RootPath,
};

use super::durable::{Durable, Place};
use crate::root::{OpenFile, Root, meta_of, refusal};

/// So much is read from the disk at once; a frame has room for more. Bytes.
const PIECE: usize = SEGMENT_MAX / 2;

/// A range of a file that somebody may read.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Where it is.
    pub(super) root: Arc<Root>,
    pub(super) path: RootPath,
    pub(super) offset: u64,
    /// So many bytes at the most.
    pub(super) len: u64,
    /// What of it is durable; nothing if the upload has not begun with it.
    pub(super) durable: Option<Arc<Durable>>,
}

/// Why a read does not come to its end.
enum Cut {
    /// Nobody takes segments any more.
    Unheard,
    For(Refusal),
}

impl From<Refusal> for Cut {
    fn from(refusal: Refusal) -> Self {
        Self::For(refusal)
    }
}

impl Wanted {
    /// Hands the segments to `send` until it says that nobody wants more.
    pub(super) fn read(&self, send: impl Fn(Segment) -> bool) {
        let told = |segment| if send(segment) { Ok(()) } else { Err(Cut::Unheard) };
        if let Err(Cut::For(refusal)) = self.segments(&told) {
            send(Segment::Refused(refusal));
        }
    }

    fn segments(&self, send: &impl Fn(Segment) -> Result<(), Cut>) -> Result<(), Cut> {
        let (folder, name) = self.root.parent(&self.path)?;
        let OpenFile { mut file, meta } = folder.open_file(&name)?;
        let stamp = meta.stamp;
        if self.durable.as_ref().is_some_and(|durable| durable.stamp != stamp) {
            return Err(changed().into());
        }
        let size = stamp.size;
        send(Segment::File { size, stamp })?;
        let end = self.offset.saturating_add(self.len).min(size);
        let mut at = self.offset;
        while at < end {
            let segment = self.segment(&mut file, at, end)?;
            // What was read before the file changed is still what it was.
            if stamp_of(&file)? != stamp {
                return Err(changed().into());
            }
            at += len_of(&segment);
            send(segment)?;
        }
        send(Segment::End)
    }

    /// The next segment. A chunk is named only where the range begins or the chunk does; so it is whole but for the ends.
    fn segment(&self, file: &mut File, at: u64, end: u64) -> Result<Segment, Cut> {
        let left = end - at;
        match self.durable.as_ref().and_then(|durable| durable.at(at)) {
            Some(Place { chunk, chunk_len, skip }) if skip == 0 || at == self.offset => Ok(Segment::Stored {
                chunk,
                chunk_len,
                skip,
                len: u64::from(chunk_len - skip).min(left) as u32,
            }),
            Some(Place { chunk_len, skip, .. }) => read(file, at, left.min(u64::from(chunk_len - skip))),
            None => read(file, at, left),
        }
    }
}

/// Bytes from the disk, as many as fit a frame.
fn read(file: &mut File, at: u64, left: u64) -> Result<Segment, Cut> {
    let mut bytes = vec![0; left.min(PIECE as u64) as usize];
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
    match read {
        Ok(()) => Ok(Segment::Bytes(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Err(changed().into()),
        Err(cause) => Err(refusal(&cause).into()),
    }
}

fn stamp_of(file: &File) -> Result<SourceStamp, Refusal> {
    meta_of(file).map(|meta| meta.stamp).map_err(|cause| refusal(&cause))
}

fn len_of(segment: &Segment) -> u64 {
    match segment {
        Segment::Bytes(bytes) => bytes.len() as u64,
        Segment::Stored { len, .. } => u64::from(*len),
        Segment::File { .. } | Segment::End | Segment::Refused(_) => 0,
    }
}

fn changed() -> Refusal {
    Refusal::new(
        ErrorCode::Changing,
        "the file changed since its upload began; read it again from its start once it is at rest",
    )
}
