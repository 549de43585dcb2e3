//! Which line keeps which snapshot of a folder: the machine numbers them anew in each session.

use std::collections::VecDeque;

/// So many are remembered: more than the sessions of two lines keep.
const VIEWS_MAX: usize = 32;

/// The snapshots that were told, each by a number that is the same over all lines.
#[derive(Debug, Default)]
pub(super) struct Views {
    /// The latest at the end.
    known: VecDeque<View>,
    last: u64,
}

#[derive(Debug, Clone, Copy)]
struct View {
    number: u64,
    line: u32,
    /// Its number in the session of that line.
    there: u64,
}

impl Views {
    /// The number of the snapshot that a line told by its own number.
    pub(super) fn number(&mut self, line: u32, there: u64) -> u64 {
        if let Some(known) = self.known.iter().find(|view| view.line == line && view.there == there) {
            return known.number;
        }
        self.last += 1;
        if self.known.len() >= VIEWS_MAX {
            self.known.pop_front();
        }
        self.known.push_back(View {
            number: self.last,
            line,
            there,
        });
        self.last
    }

    /// The line that keeps a snapshot, and what it is called there.
    pub(super) fn find(&self, number: u64) -> Option<(u32, u64)> {
        let found = self.known.iter().find(|view| view.number == number)?;
        Some((found.line, found.there))
    }
}
