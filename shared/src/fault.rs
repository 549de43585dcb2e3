//! Where a program may be made to crash, so that tests can see what is left of its work. Only builds with the feature
//! `faults` have these places, and those cannot be optimised ones.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Names in the environment of a program where it crashes: `NAME`, or `NAME:N` for the N-th time that it gets there.
pub const VARIABLE: &str = "BECKON_CRASH_AT";

/// Says in the environment of a server how often it looks for what is to be collected. Milliseconds.
pub const CLEAN_EVERY: &str = "BECKON_CLEAN_EVERY_MS";

/// Places of the server that every upload passes.
pub const SERVER: &[&str] = &[
    // A pack's bytes are with the system.
    "pack-written",
    // They are on the disk, under a name that counts for nothing.
    "pack-synced",
    // Under the final name, and the folder is not synced yet.
    "pack-named",
    // The rows are written, and their transaction is open.
    "chunks-inserted",
    // The transaction is committed: the chunks are durable, and nobody was told.
    "chunks-indexed",
    // The writer has told whoever waited for it.
    "chunks-durable",
    // What is there already is pinned, and the machine was not told.
    "chunks-pinned",
    // All rows of a commit are written, and their transaction is open.
    "commit-applied",
    // The head has moved, and the machine was not told.
    "commit-committed",
    // An order is recorded, and neither machine nor controller was told.
    "order-recorded",
    // A machine has its ticket, and the transfer does not run yet.
    "transfer-begun",
    // The end of a transfer is recorded, and what was kept for it is still there.
    "end-recorded",
];

/// Places of the server that it passes when it starts on an older database, or on none.
pub const START: &[&str] = &["migrating"];

/// Places of the server that it passes when it collects what nothing needs any more.
pub const COLLECTION: &[&str] = &[
    // Rows of chunks are gone, their packs are not.
    "chunks-deleted",
    // A new pack is sealed, and no row names it.
    "pack-copied",
    // Its chunks are found in it, and also lie in the packs from before.
    "chunks-moved",
    // Rows of packs are gone, their files are not.
    "packs-forgotten",
];

/// Places of the agent that every upload passes.
pub const AGENT: &[&str] = &[
    // An order stands, and the journal does not know it.
    "order-unwritten",
    // The journal knows it, and nothing was done.
    "order-journaled",
    // The server gave a ticket.
    "transfer-granted",
    // A chunk counts as sent, and is not on the wire yet.
    "chunk-counted",
    // The server has said that chunks are durable.
    "part-answered",
    // A commit is signed and was not sent.
    "commit-signed",
    // The server has taken it, and the index does not know.
    "commit-answered",
    // The rows of the index are written, and their transaction is open.
    "index-unwritten",
    // The index knows what is committed.
    "index-written",
    // All is done, and the journal does not know.
    "end-unwritten",
    // The journal knows it, and the server was not told.
    "end-journaled",
];

/// Where a program crashes, and when.
#[derive(Debug)]
pub struct Plan {
    place: String,
    /// How often it is to get there from now on.
    left: AtomicU32,
}

impl Plan {
    /// What [`VARIABLE`] says; nothing if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, times) = match text.split_once(':') {
            Some((place, times)) => (place, times.parse().ok().filter(|times| *times > 0)?),
            None => (text, 1),
        };
        Some(Self {
            place: place.to_owned(),
            left: AtomicU32::new(times),
        })
    }

    /// Counts that the program is at a place: whether it crashes there now.
    pub fn is_due(&self, place: &str) -> bool {
        // Below zero it goes around, so that there is one such moment.
        self.place == place && self.left.fetch_sub(1, Relaxed) == 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_crash_is_due_once_at_its_place_and_at_its_time() {
        let due = |text: &str| {
            let plan = Plan::parse(text).unwrap();
            ["a", "b", "a", "a", "b"].map(|place| plan.is_due(place))
        };
        assert_eq!(due("a"), [true, false, false, false, false]);
        assert_eq!(due("a:3"), [false, false, false, true, false]);
        assert_eq!(due("c"), [false; 5]);
    }

    #[test]
    fn what_names_no_time_is_no_plan() {
        for text in ["a:", "a:0", "a:b", "a:-1", "a:1:2"] {
            assert!(Plan::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn each_place_has_a_name_of_its_own() {
        let all = || [SERVER, START, COLLECTION, AGENT].concat();
        assert_eq!(all().into_iter().collect::<BTreeSet<_>>().len(), all().len());
    }
}
