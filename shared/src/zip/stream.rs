//! An archive that is written while its content comes: nothing of it has to be known before but names and sizes.

use std::collections::{HashMap, HashSet};

use super::{
    Entry, Kind, PATH_MAX, PIECE, PathTooLong,
    name::{self, Shown},
    record::{End, Record},
};
use crate::id::Hash;

/// Makes what stands around the contents. The caller writes, one behind the other, what it is given and the contents.
///
/// Two names that only letter case tells apart would be one file on many systems: the later one is shown with a mark.
#[derive(Debug, Default)]
pub struct Stream {
    records: Vec<Record>,
    /// Bytes of the archive so far.
    at: u64,
    /// Of the file that is open.
    crc32: crc32fast::Hasher,
    /// The start of the BLAKE3 of each path as it is shown, without case.
    taken: HashSet<[u8; 16]>,
    /// The path of the file that is open, as it is shown.
    open: Option<[u8; 16]>,
    /// Folders that are shown otherwise than their path alone says.
    renamed: HashMap<Vec<u8>, String>,
}

impl Stream {
    /// The header of an entry whose content is known; of a file the caller writes the content next. A symlink needs no more.
    pub fn add(&mut self, entry: Entry) -> Result<Vec<u8>, PathTooLong> {
        let record = self.record(entry)?;
        let mut bytes = record.local_header();
        if let Some(target) = &record.target {
            bytes.extend_from_slice(target);
        }
        let content = if record.target.is_some() { 0 } else { record.size };
        self.at += bytes.len() as u64 + content;
        self.records.push(record);
        Ok(bytes)
    }

    /// The header of a file whose content is at hand; the caller writes that next.
    pub fn whole(&mut self, path: Vec<u8>, mode: u32, mtime: i64, content: &[u8]) -> Result<Vec<u8>, PathTooLong> {
        let kind = Kind::File {
            size: content.len() as u64,
            crc32: crc32fast::hash(content),
            // Nothing here is told by it.
            hash: Hash([0; 32]),
        };
        self.add(Entry {
            path,
            kind,
            mode,
            mtime,
        })
    }

    /// The header of a file of `size` bytes whose checksum is not known yet. The caller writes exactly that many bytes, has
    /// them counted by [`Stream::content`], and then writes what [`Stream::close`] gives.
    pub fn open(&mut self, path: Vec<u8>, mode: u32, mtime: i64, size: u64) -> Result<Vec<u8>, PathTooLong> {
        let kind = Kind::File {
            size,
            crc32: 0,
            // Nothing here is told by it.
            hash: Hash([0; 32]),
        };
        let mut record = self.record(Entry {
            path,
            kind,
            mode,
            mtime,
        })?;
        record.is_behind = true;
        self.open = Some(key(&record.name));
        let header = record.local_header();
        self.at += header.len() as u64 + size;
        self.records.push(record);
        self.crc32 = crc32fast::Hasher::new();
        Ok(header)
    }

    /// Some more of the open file's content, in order.
    pub fn content(&mut self, bytes: &[u8]) {
        self.crc32.update(bytes);
    }

    /// What stands behind the open file's content.
    pub fn close(&mut self) -> Vec<u8> {
        self.open = None;
        let crc32 = std::mem::take(&mut self.crc32).finalize();
        let Some(record) = self.records.last_mut() else {
            return Vec::new();
        };
        record.crc32 = crc32;
        let descriptor = record.descriptor();
        self.at += descriptor.len() as u64;
        descriptor
    }

    /// Forgets the open file, if there is one. The caller cuts off all that it has written of it, the header too.
    pub fn take_back(&mut self) {
        if let Some(key) = self.open.take()
            && let Some(record) = self.records.pop()
        {
            self.taken.remove(&key);
            self.at = record.offset;
        }
    }

    /// The end of the archive, in pieces.
    pub fn end(self) -> impl Iterator<Item = Vec<u8>> {
        let (count, central_offset) = (self.records.len() as u64, self.at);
        let mut central_len = 0;
        let mut records = self.records.into_iter().peekable();
        let mut is_over = false;
        std::iter::from_fn(move || {
            let mut piece = Vec::new();
            while piece.len() < PIECE
                && let Some(record) = records.next()
            {
                piece.extend(record.central_header());
            }
            central_len += piece.len() as u64;
            if records.peek().is_none() && !std::mem::replace(&mut is_over, true) {
                let end = End {
                    count,
                    central_offset,
                    central_len,
                };
                piece.extend(end.bytes());
            }
            (!piece.is_empty()).then_some(piece)
        })
    }

    fn record(&mut self, entry: Entry) -> Result<Record, PathTooLong> {
        if entry.path.len() > PATH_MAX {
            return Err(PathTooLong);
        }
        let mut shown = self.shown(&entry.path);
        if !self.take(&shown.path) {
            shown = name::told_apart(shown, &entry.path);
            self.take(&shown.path);
            if entry.kind == Kind::Folder {
                self.renamed.insert(entry.path.clone(), shown.path.clone());
            }
        }
        Ok(Record::shown_as(shown, entry, self.at))
    }

    /// A path below the folders as they are shown.
    fn shown(&self, path: &[u8]) -> Shown {
        let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        let mut folders = slashes.map(|(at, _)| path.split_at(at));
        let found = folders.find_map(|(folder, rest)| Some((self.renamed.get(folder)?, &rest[1..])));
        match found {
            Some((folder, rest)) => Shown {
                path: format!("{folder}/{}", name::shown(rest).path),
                altered: true,
            },
            None => name::shown(path),
        }
    }

    /// Whether nothing was called so yet, whatever the case of its letters.
    fn take(&mut self, shown: &str) -> bool {
        self.taken.insert(key(shown))
    }
}

/// The start of the BLAKE3 of a path as it is shown, without case.
fn key(shown: &str) -> [u8; 16] {
    let hash = Hash::of(shown.to_lowercase().as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash.as_bytes()[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_begun_anew_keeps_its_name() {
        let mut zip = Stream::default();
        let first = zip.open(b"large.bin".to_vec(), 0, 0, 9).unwrap();
        zip.content(b"half");
        zip.take_back();
        let second = zip.open(b"large.bin".to_vec(), 0, 0, 9).unwrap();
        assert_eq!(first, second);
        zip.close();
        // Nothing is open now, and what is whole stays.
        zip.take_back();
        assert_eq!(zip.records.len(), 1);
        assert_ne!(zip.open(b"Large.bin".to_vec(), 0, 0, 9).unwrap(), first);
    }
}
