//! A file of the simulated disk that is being written.

use std::io::{self, ErrorKind};

use super::{Node, SimDisk};
use crate::copy::disk::NewFile;

/// A file, by its inode.
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) number: u64,
}

impl SimFile {
    fn node<T>(&self, change: impl FnOnce(&mut Node) -> T) -> io::Result<T> {
        let mut state = self.disk.change()?;
        let now = state.now();
        let node = state.nodes.get_mut(&self.number).ok_or(ErrorKind::NotFound)?;
        (node.mtime_ns, node.ctime_ns) = (now, now);
        Ok(change(node))
    }
}

impl NewFile for SimFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.node(|node| {
            let (from, to) = (offset as usize, offset as usize + bytes.len());
            node.bytes.resize(node.bytes.len().max(to), 0);
            node.bytes[from..to].copy_from_slice(bytes);
        })
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.disk.look_at()?;
        let from = offset as usize;
        let all = state.nodes[&self.number].bytes.get(from..from + bytes.len());
        bytes.copy_from_slice(all.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.node(|node| node.bytes.resize(len as usize, 0))
    }

    fn set_meta(&mut self, mode: u32, mtime_ns: i64) -> io::Result<()> {
        self.node(|node| (node.mode, node.mtime_ns) = (mode, mtime_ns))
    }

    fn sync(&mut self) -> io::Result<()> {
        let number = self.number;
        self.disk.change()?.sync_bytes(number);
        Ok(())
    }
}
