//! A large file while it comes: beside it stands which state of which file it is and the hash of each piece, so that the
//! same command goes on later with what still verifies, whatever a crash did to the rest.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use beckon_shared::{
    entry::SourceStamp,
    id::{DeviceId, Hash, RootId},
    path::RootPath,
    wire,
};
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use super::lane::PIECE;
use crate::cli::get::{
    local::{self, note_name, part_name},
    part::{Finish, give_name, open_temporary},
};

/// Smaller files begin anew: noting their pieces would cost more than it saves. Bytes.
const NOTED_FROM: u64 = 4 << 20;
/// The head of a note is no longer. Bytes.
const HEAD_MAX: u32 = 8 << 10;
/// A hash. Bytes.
const HASH: usize = 32;

/// A file in one of its states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// The machine.
    pub(super) device: DeviceId,
    /// The root.
    pub(super) root: RootId,
    /// The file.
    pub(super) path: RootPath,
    /// The state.
    pub(super) stamp: SourceStamp,
}

/// A large file while it comes. All of this waits for the disk.
#[derive(Debug)]
pub(super) struct Growing {
    folder: Arc<Dir>,
    name: OsString,
    file: File,
    note: Option<File>,
    len: u64,
}

impl Growing {
    /// Opens the temporary file of `name`, with what an earlier run left of the same state of the same file.
    pub(super) fn open(folder: Arc<Dir>, name: &OsStr, source: &Source) -> io::Result<Self> {
        let file = open_temporary(&folder, &part_name(name))?;
        let note = match source.stamp.size {
            NOTED_FROM.. => Some(open_note(&folder, name)?),
            _ => None,
        };
        let mut growing = Self {
            folder,
            name: name.to_owned(),
            file,
            note,
            len: 0,
        };
        growing.take_up(source)?;
        Ok(growing)
    }

    /// Bytes that are there, each of them verified.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Writes the next piece. Zeros at the end of a file take no room on most disks until they are written over.
    pub(super) fn write(&mut self, bytes: &[u8], hash: Hash) -> io::Result<()> {
        let end = self.len + bytes.len() as u64;
        if bytes.iter().all(|byte| *byte == 0) {
            self.file.set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
        } else {
            self.file.write_all(bytes)?;
        }
        if let Some(note) = &mut self.note {
            note.write_all(&hash.0)?;
        }
        self.len = end;
        Ok(())
    }

    /// Gives the file its attributes and its name.
    pub(super) fn finish(self, finish: Finish) -> io::Result<()> {
        let names = (part_name(&self.name), &self.name);
        give_name(&self.file, &self.folder, (&names.0, names.1), finish)?;
        self.forget_note();
        Ok(())
    }

    /// Removes what is there.
    pub(super) fn discard(self) {
        // What cannot be removed is found and cut off by the next try.
        let _ = self.folder.remove_file(part_name(&self.name));
        self.forget_note();
    }

    fn forget_note(&self) {
        // One that is left does no harm: no part belongs to it.
        let _ = self.folder.remove_file(note_name(&self.name));
    }

    /// Keeps the pieces that are noted and still verify, and cuts off the rest.
    fn take_up(&mut self, source: &Source) -> io::Result<()> {
        let head = wire::encode(source);
        let mut noted = match &mut self.note {
            Some(note) => noted(note, &head)?,
            None => Vec::new(),
        };
        let mut bytes = vec![0; PIECE as usize];
        let mut count = 0;
        for hash in &noted {
            let left = source.stamp.size - self.len;
            let piece = &mut bytes[..usize::try_from(left.min(PIECE.into())).unwrap_or_default()];
            if piece.is_empty() || !fill(&mut self.file, piece)? || Hash::of(piece) != *hash {
                break;
            }
            self.len += piece.len() as u64;
            count += 1;
        }
        noted.truncate(count);
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        match &mut self.note {
            Some(note) => begin_note(note, &head, &noted),
            None => Ok(()),
        }
    }
}

fn open_note(folder: &Dir, name: &OsStr) -> io::Result<File> {
    let options = &mut local::no_follow();
    let options = options.read(true).write(true).create(true);
    let file = folder.open_with(note_name(name), options)?.into_std();
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something else has the temporary file's name",
        ))
    }
}

/// The hashes of a note with this head; none of any other.
fn noted(note: &mut File, head: &[u8]) -> io::Result<Vec<Hash>> {
    let mut len = [0; 4];
    if !fill(note, &mut len)? || u32::from_le_bytes(len) > HEAD_MAX {
        return Ok(Vec::new());
    }
    let mut known = vec![0; u32::from_le_bytes(len) as usize];
    if !fill(note, &mut known)? || known != head {
        return Ok(Vec::new());
    }
    let mut rest = Vec::new();
    note.read_to_end(&mut rest)?;
    let hashes = rest.chunks_exact(HASH).filter_map(|bytes| bytes.try_into().ok());
    Ok(hashes.map(Hash).collect())
}

fn begin_note(note: &mut File, head: &[u8], hashes: &[Hash]) -> io::Result<()> {
    let len = u32::try_from(head.len()).map_err(io::Error::other)?;
    note.set_len(0)?;
    note.seek(SeekFrom::Start(0))?;
    let hashes = hashes.iter().flat_map(|hash| hash.0);
    let bytes: Vec<u8> = len
        .to_le_bytes()
        .into_iter()
        .chain(head.iter().copied())
        .chain(hashes)
        .collect();
    note.write_all(&bytes)
}

/// Reads exactly so many bytes, or says that there are fewer.
fn fill(file: &mut File, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests;
