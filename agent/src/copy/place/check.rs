//! What stands at a path, compared with what was written there: told apart are what is as it was written, what somebody
//! changed, and what a crash damaged.

use std::io;

use beckon_shared::{
    entry::EntryKind,
    error::ErrorCode,
    id::Hash,
    manifest::{Content, Manifest},
    path::RootPath,
};

use super::{Inner, trouble::Trouble};
use crate::{
    copy::{Row, book::Intent, disk::Disk},
    root::{Look, is_own},
};

/// So many zeros at the end of a file are more than chance. Bytes.
const TAIL: usize = 512;
/// So much is read at once. Bytes.
const PIECE: usize = 256 << 10;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Local {
    /// Nothing.
    Nothing,
    /// What was written, or a folder where one is wanted.
    AsWritten(Look),
    /// What is wanted, whoever wrote it.
    Same(Look),
    /// Something that somebody made or changed here.
    Edited(Look),
    /// What a crash made of it.
    Damaged(Look),
}

/// What a path is to hold, as far as it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: EntryKind,
    /// As in [`Row::content`].
    pub(super) content: Hash,
    /// Of a file.
    pub(super) size: u64,
}

/// What is known of a path before the disk is asked.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) row: Option<Row>,
    pub(super) intent: Option<Intent>,
    pub(super) is_suspect: bool,
}

impl Local {
    /// What somebody chose to keep is theirs when something else is to stand there.
    pub(super) fn or_chosen(self, known: &Known) -> Self {
        match self {
            Self::AsWritten(look) if known.row.as_ref().is_some_and(|row| row.is_ours) => Self::Edited(look),
            other => other,
        }
    }
}

impl Target {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let (kind, content, size) = match &manifest.content {
            Content::Folder => (EntryKind::Folder, NO_CONTENT, 0),
            Content::File(file) => (EntryKind::File, file.hash, file.size()),
            Content::Symlink(target) => (EntryKind::Symlink, Hash::of(target), 0),
        };
        Self { kind, content, size }
    }
}

/// The content of a folder.
pub(super) const NO_CONTENT: Hash = Hash([0; 32]);

/// What was read of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::copy) struct Digest {
    pub(in crate::copy) hash: Hash,
    pub(in crate::copy) has_zero_tail: bool,
}

impl Inner {
    /// Whether an order may name this path at all.
    pub(super) fn may_name(&self, path: &RootPath) -> Result<(), Trouble> {
        if is_own(path) {
            let advice = "this name is the program's own; rename it where it comes from";
            return Err(Trouble::problem(path, ErrorCode::NotAllowed, advice));
        }
        if path.is_root() || !self.below.holds(path) {
            let advice = "it lies outside of the place that the order names; give the order again";
            return Err(Trouble::problem(path, ErrorCode::NotAllowed, advice));
        }
        Ok(())
    }

    /// What the book says of a path.
    pub(super) fn known(&self, path: &RootPath) -> Result<Known, Trouble> {
        Ok(Known {
            row: self.book.row(self.transfer, path)?,
            intent: self.book.intent(self.transfer, path)?,
            is_suspect: self.book.is_suspect(self.transfer),
        })
    }

    /// What stands at a path.
    pub(super) fn local(&self, path: &RootPath, known: &Known, target: Option<&Target>) -> Result<Local, Trouble> {
        let look = self.disk.look(path).map_err(|cause| Trouble::of(path, &cause))?;
        let Some(look) = look else { return Ok(Local::Nothing) };
        self.judge(path, look, known, target)
    }

    /// What it is that stands there.
    pub(super) fn judge(
        &self,
        path: &RootPath,
        look: Look,
        known: &Known,
        target: Option<&Target>,
    ) -> Result<Local, Trouble> {
        let row = known.row.as_ref().filter(|row| row.kind == look.kind);
        if look.kind == EntryKind::Folder {
            let is_wanted = target.is_some_and(|target| target.kind == EntryKind::Folder);
            return Ok(if row.is_some() || is_wanted {
                Local::AsWritten(look)
            } else {
                Local::Edited(look)
            });
        }
        if look.kind == EntryKind::Other {
            return Ok(Local::Edited(look));
        }
        if look.kind == EntryKind::File && row.is_some_and(|row| row.stamp == look.stamp) {
            return Ok(Local::AsWritten(look));
        }
        let fits = |target: &Target| target.kind == look.kind && target.size == look.stamp.size;
        let may_be_same = look.kind == EntryKind::Symlink || target.is_some_and(fits);
        let may_be_known = known.intent.is_some() || row.is_some_and(|row| row.stamp.size == look.stamp.size);
        if !may_be_same && !may_be_known && !known.is_suspect {
            return Ok(Local::Edited(look));
        }
        let digest = digest(&*self.disk, path, &look).map_err(|cause| Trouble::of(path, &cause))?;
        if target.is_some_and(|target| target.kind == look.kind && target.content == digest.hash) {
            return Ok(Local::Same(look));
        }
        let intended = known
            .intent
            .as_ref()
            .is_some_and(|intent| intent.content == digest.hash);
        if intended || row.is_some_and(|row| row.content == digest.hash) {
            return Ok(Local::AsWritten(look));
        }
        let is_damaged = known.is_suspect && row.is_some_and(|row| is_damage(row, &look, digest));
        Ok(if is_damaged {
            Local::Damaged(look)
        } else {
            Local::Edited(look)
        })
    }
}

/// The hash of a file's content or of a symlink's target.
pub(in crate::copy) fn digest(disk: &dyn Disk, path: &RootPath, look: &Look) -> io::Result<Digest> {
    if let Some(target) = &look.target {
        return Ok(Digest {
            hash: Hash::of(target),
            has_zero_tail: false,
        });
    }
    let mut file = disk.read(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; PIECE];
    let mut zeros = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        let tail = zeros_at_end(&buffer[..read]);
        zeros = if tail == read { (zeros + tail).min(TAIL) } else { tail };
    }
    Ok(Digest {
        hash: Hash(*hasher.finalize().as_bytes()),
        has_zero_tail: zeros >= TAIL,
    })
}

/// Whether a file that differs from what was written does so as lost power makes it.
fn is_damage(row: &Row, look: &Look, digest: Digest) -> bool {
    let is_emptied = look.stamp.size == 0 && row.stamp.size > 0;
    let ends_in_zeros = digest.has_zero_tail && !row.has_zero_tail;
    row.kind == EntryKind::File && (look.stamp.mtime_ns == row.stamp.mtime_ns || is_emptied || ends_in_zeros)
}

/// Whether a file that ends like this may end in zeros.
pub(super) fn has_zero_tail(end: &[u8]) -> bool {
    zeros_at_end(end) == end.len().min(TAIL)
}

fn zeros_at_end(bytes: &[u8]) -> usize {
    bytes.iter().rev().take(TAIL).take_while(|byte| **byte == 0).count()
}

/// Whether two looks found the same file unchanged. A new name changes the time of the inode, so that does not count.
pub(super) fn is_same_but_for_name(one: &Look, other: &Look) -> bool {
    let seen = |look: &Look| (look.stamp.size, look.stamp.mtime_ns, look.stamp.file_id);
    (one.kind, &one.target, seen(one)) == (other.kind, &other.target, seen(other))
}
