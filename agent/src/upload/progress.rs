//! How far an upload is, counted where the work is done and told at most four times a second.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use beckon_shared::transfer::{Hold, Progress};

use super::missing::is_much;
use crate::index::Tally;

/// The counts, shared by all parts of an upload.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) files_total: AtomicU64,
    pub(super) files_done: AtomicU64,
    pub(super) bytes_total: AtomicU64,
    pub(super) bytes_done: AtomicU64,
    /// Content bytes that are durable, of files that are not committed yet.
    under_way: AtomicU64,
    /// Stored-chunk bytes put on the wire.
    pub(super) sent: Tally,
    pub(super) failed: AtomicU64,
    pub(super) torn: AtomicU64,
    /// Entries of any kind that the server holds, old and new.
    pub(super) held: AtomicU64,
    /// Entries that were gone when they were to be read.
    pub(super) vanished: AtomicU64,
    /// Files that were not read, because nothing changed since they were committed.
    pub(super) unchanged: AtomicU64,
    /// Content bytes that are durable and were not sent.
    present: AtomicU64,
    /// Whether the totals are final.
    pub(super) walked: AtomicBool,
    /// Requests that wait for room on the server.
    pub(super) without_room: AtomicUsize,
    /// Requests that wait for an hour in which something may be sent.
    pub(super) out_of_hours: AtomicUsize,
    /// A person must say whether to go on.
    pub(super) asks: AtomicBool,
    /// Nothing is left to do until something changes.
    pub(super) current: AtomicBool,
}

impl Counters {
    /// Of an upload that goes on counting what it sends.
    pub(super) fn new(sent: Tally) -> Self {
        Self {
            sent,
            ..Self::default()
        }
    }

    /// The walk came by a file of this size.
    pub(super) fn found_file(&self, size: u64) {
        self.files_total.fetch_add(1, Relaxed);
        self.bytes_total.fetch_add(size, Relaxed);
    }

    /// A file is gone, or is not as large as the walk saw it: the totals follow.
    pub(super) fn resize(&self, seen: u64, now: u64) {
        self.bytes_total.fetch_add(now.wrapping_sub(seen), Relaxed);
    }

    /// A file that the walk saw is gone.
    pub(super) fn lost_file(&self, size: u64) {
        self.files_total.fetch_sub(1, Relaxed);
        self.bytes_total.fetch_sub(size, Relaxed);
        self.vanished.fetch_add(1, Relaxed);
    }

    /// Whether so much vanished that a disk is gone rather than a few files.
    pub(super) fn lost_many(&self) -> bool {
        let (vanished, left) = (self.vanished.load(Relaxed), self.files_total.load(Relaxed));
        is_much(vanished, left)
    }

    /// The server holds a file.
    pub(super) fn done_file(&self, size: u64) {
        self.files_done.fetch_add(1, Relaxed);
        self.bytes_done.fetch_add(size, Relaxed);
        self.held.fetch_add(1, Relaxed);
    }

    /// The server holds a file that was not read.
    pub(super) fn unchanged_file(&self, size: u64) {
        self.done_file(size);
        self.unchanged.fetch_add(1, Relaxed);
    }

    /// A file that was counted as stored has another in its place, or is gone.
    pub(super) fn undo_file(&self, size: u64) {
        let less = |count: &AtomicU64, by: u64| {
            let _ = count.fetch_update(Relaxed, Relaxed, |count| Some(count.saturating_sub(by)));
        };
        less(&self.files_done, 1);
        less(&self.bytes_done, size);
    }

    /// Counts anew what stands stored: so many files with so many bytes.
    pub(super) fn recount(&self, files: u64, bytes: u64) {
        self.files_done.store(files, Relaxed);
        self.bytes_done.store(bytes, Relaxed);
        self.settle_totals();
    }

    /// Nothing is under way: what there is, is what is stored.
    pub(super) fn settle_totals(&self) {
        self.files_total.store(self.files_done.load(Relaxed), Relaxed);
        self.bytes_total.store(self.bytes_done.load(Relaxed), Relaxed);
        self.under_way.store(0, Relaxed);
    }

    /// So much content has become durable, some of which was there before.
    pub(super) fn durable(&self, bytes: u64, present: u64) {
        self.under_way.fetch_add(bytes, Relaxed);
        self.present.fetch_add(present, Relaxed);
    }

    /// So much of it is committed, or turned out to be of no use.
    pub(super) fn settled(&self, bytes: u64) {
        // What is read again becomes durable again, or counts again: it is a measure for people, kept within its bounds.
        let _ = self
            .under_way
            .fetch_update(Relaxed, Relaxed, |under_way| Some(under_way.saturating_sub(bytes)));
    }

    /// The counts while the work goes on: a large file moves before it is committed.
    pub(super) fn live(&self) -> Progress {
        let told = self.progress();
        let bytes_done = told
            .bytes_done
            .saturating_add(self.under_way.load(Relaxed))
            .min(told.bytes_total);
        Progress {
            bytes_done: bytes_done.max(told.bytes_done),
            ..told
        }
    }

    /// The counts at the end.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            files_total: self.files_total.load(Relaxed),
            files_done: self.files_done.load(Relaxed),
            bytes_total: self.bytes_total.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
            bytes_sent: self.sent.sum(),
            failed: self.failed.load(Relaxed),
            torn: self.torn.load(Relaxed),
            walked: self.walked.load(Relaxed),
            // Those that an earlier run of the same transfer stored are not read again either.
            files_unchanged: self.unchanged.load(Relaxed).saturating_sub(self.sent.files_before()),
            bytes_present: self.present.load(Relaxed),
            ..Progress::default()
        }
    }

    /// Why it stands still, if it does.
    pub(super) fn hold(&self) -> Hold {
        match () {
            () if self.asks.load(Relaxed) => Hold::Question,
            () if self.without_room.load(Relaxed) > 0 => Hold::NoRoom,
            () if self.out_of_hours.load(Relaxed) > 0 => Hold::Schedule,
            () if self.current.load(Relaxed) => Hold::Current,
            () => Hold::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_moves_before_it_is_committed_and_counts_once() {
        let counters = Counters::default();
        counters.found_file(100);
        counters.durable(60, 10);
        assert_eq!((counters.live().bytes_done, counters.progress().bytes_done), (60, 0));
        counters.durable(60, 0);
        assert_eq!(
            counters.live().bytes_done,
            100,
            "what is read again does not go beyond the whole"
        );
        counters.settled(120);
        counters.done_file(100);
        assert_eq!((counters.live().bytes_done, counters.progress().bytes_done), (100, 100));
    }
}
