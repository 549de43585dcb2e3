//! How far an upload is, counted where the work is done.

use std::cell::Cell;

use beckon_shared::transfer::{Hold, Progress};

/// The counts, shared by all parts of an upload.
#[derive(Debug, Default)]
pub(super) struct Counters {
    progress: Cell<Progress>,
    /// Content bytes that are durable, of files that are not committed yet.
    under_way: Cell<u64>,
    /// Entries of any kind that the server holds.
    held: Cell<u64>,
    /// Requests that wait for room on the server.
    without_room: Cell<u32>,
}

impl Counters {
    /// Of an upload whose files are all known, and that put so many bytes on the wire before.
    pub(super) fn new(files: u64, bytes: u64, sent: u64) -> Self {
        let progress = Progress {
            files_total: files,
            bytes_total: bytes,
            bytes_sent: sent,
            walked: true,
            ..Progress::default()
        };
        Self {
            progress: Cell::new(progress),
            ..Self::default()
        }
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.get();
        change(&mut progress);
        self.progress.set(progress);
    }

    /// The server holds a file.
    pub(super) fn done_file(&self, size: u64) {
        self.held();
        self.change(|progress| {
            progress.files_done += 1;
            progress.bytes_done += size;
        });
    }

    /// The server holds an entry.
    pub(super) fn held(&self) {
        self.held.set(self.held.get() + 1);
    }

    /// Whether the server holds anything of it.
    pub(super) fn holds_some(&self) -> bool {
        self.held.get() > 0
    }

    /// An entry could not be stored.
    pub(super) fn failed(&self) {
        self.change(|progress| progress.failed += 1);
    }

    /// So many bytes of chunks went on the wire.
    pub(super) fn sent(&self, bytes: u64) {
        self.change(|progress| progress.bytes_sent += bytes);
    }

    /// So much content has become durable.
    pub(super) fn durable(&self, bytes: u64) {
        self.under_way.set(self.under_way.get() + bytes);
    }

    /// So much of it is committed, or turned out to be of no use.
    pub(super) fn settled(&self, bytes: u64) {
        // What is read again counts again: it is a measure for people, kept within its bounds.
        self.under_way.set(self.under_way.get().saturating_sub(bytes));
    }

    /// The counts while the work goes on: a large file moves before it is committed.
    pub(super) fn live(&self) -> Progress {
        let told = self.progress.get();
        let moving = told.bytes_done.saturating_add(self.under_way.get());
        Progress {
            bytes_done: moving.min(told.bytes_total).max(told.bytes_done),
            ..told
        }
    }

    /// The counts at the end.
    pub(super) fn progress(&self) -> Progress {
        self.progress.get()
    }

    /// Why it stands still, if it does.
    pub(super) fn hold(&self) -> Hold {
        match self.without_room.get() {
            0 => Hold::None,
            _ => Hold::NoRoom,
        }
    }

    /// A request waits for room until what this gives is dropped.
    pub(super) fn without_room(&self) -> WithoutRoom<'_> {
        self.without_room.set(self.without_room.get() + 1);
        WithoutRoom(self)
    }
}

/// Counts as waiting for room.
pub(super) struct WithoutRoom<'a>(&'a Counters);

impl Drop for WithoutRoom<'_> {
    fn drop(&mut self) {
        let counters = self.0;
        counters.without_room.set(counters.without_room.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_large_file_moves_before_it_is_committed_and_counts_once() {
        let counters = Counters::new(1, 100, 7);
        counters.durable(60);
        assert_eq!((counters.live().bytes_done, counters.progress().bytes_done), (60, 0));
        counters.durable(60);
        assert_eq!(counters.live().bytes_done, 100);
        counters.settled(120);
        counters.done_file(100);
        assert_eq!((counters.live().bytes_done, counters.progress().bytes_done), (100, 100));
        assert_eq!(counters.progress().bytes_sent, 7);
    }

    #[wasm_bindgen_test]
    fn it_waits_for_room_as_long_as_any_request_does() {
        let counters = Counters::default();
        let (one, two) = (counters.without_room(), counters.without_room());
        drop(one);
        assert_eq!(counters.hold(), Hold::NoRoom);
        drop(two);
        assert_eq!(counters.hold(), Hold::None);
    }
}
