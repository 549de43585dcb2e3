//! A root that is gone, or much of it: mostly a disk that was taken out. Then a person is asked before the upload goes on.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{atomic::Ordering::Relaxed, mpsc::SyncSender},
    time::{Duration, Instant},
};

use beckon_shared::{entry::EntryKind, error::ErrorCode, path::RootPath, transfer::Problem};

use super::{
    IfMissing,
    read::{self, Item, Site},
};
use crate::index::{Gone, Index, View};

/// So many may always be gone, and otherwise a tenth of all.
const GONE_MAX: u64 = 50;

/// What a walk came by. Paths are kept as hashes of 8 bytes: one that is taken for another only makes a file count as there.
/// This is what grows with the number of entries that are walked: the set takes 10 to 20 bytes for each, so that a million of
/// them take up to 20 MB until the walk has ended.
#[derive(Debug, Default)]
pub(super) struct Seen {
    found: HashSet<u64>,
    /// What could not be looked at; nobody knows what is below.
    hidden: HashSet<u64>,
}

impl Seen {
    /// Something that is there.
    pub(super) fn found(&mut self, path: &RootPath) {
        self.found.insert(hash(path.as_bytes()));
    }

    /// Something that is not there, or could not be looked at.
    pub(super) fn problem(&mut self, problem: &Problem) {
        if problem.code != ErrorCode::NotFound {
            self.hidden.insert(hash(problem.path.as_bytes()));
        }
    }

    /// Whether this path is there, as far as can be known.
    pub(super) fn holds(&self, path: &[u8]) -> bool {
        self.found.contains(&hash(path)) || !self.hidden.is_empty() && self.is_hidden(path)
    }

    fn is_hidden(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = ends.map(|(at, _)| at).chain([0, path.len()]);
        above.any(|end| self.hidden.contains(&hash(&path[..end])))
    }
}

fn hash(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// A walk that is watched for what is missing.
pub(super) struct Walk<'a> {
    pub(super) site: &'a Site,
    pub(super) index: &'a Index,
    pub(super) view: &'a View,
    pub(super) paths: &'a [RootPath],
    pub(super) if_missing: IfMissing,
}

impl Walk<'_> {
    /// As [`read::pick`]; stops the upload if too much is missing.
    pub(super) fn pick(self, queue: SyncSender<Item>) {
        let asks = self.if_missing == IfMissing::Ask;
        if asks && self.root_is_gone() && self.view.knows_files(&[RootPath::root()]) {
            return self.ask(None);
        }
        let Some(seen) = read::pick(self.site, self.paths, self.view, &queue) else {
            return;
        };
        let ignore = self.site.root.ignore();
        let is_left_out = |path: &[u8], kind| RootPath::new(path).is_ok_and(|path| ignore.covers(&path, kind));
        let is_there = |path: &[u8], kind: EntryKind| seen.holds(path) || is_left_out(path, kind);
        let gone = self.view.gone(self.paths, is_there);
        if asks && is_much(gone.files, gone.known) {
            return self.ask(Some(gone));
        }
        if let Err(refusal) = self.index.forget(self.view.source(), &gone) {
            tracing::warn!(%refusal, "the index still knows what is gone");
        }
    }

    fn root_is_gone(&self) -> bool {
        let top = self.site.root.folder(&RootPath::root());
        top.is_err_and(|refusal| refusal.code == ErrorCode::NotFound)
    }

    fn ask(&self, gone: Option<Gone>) {
        match gone {
            None => {
                tracing::warn!(root = ?self.site.root.id, "the root is not there: a person is asked whether to go on")
            }
            Some(Gone { files, known, .. }) => {
                tracing::warn!(root = ?self.site.root.id, files, known, "many files are gone: a person is asked whether to go on");
            }
        }
        self.site.counters.asks.store(true, Relaxed);
        self.site.stop.cancel();
    }
}

/// What went away within this time is looked at as one: a large folder takes a while to be deleted, and is told of in parts.
const LATELY: Duration = Duration::from_secs(60);
/// What goes away within this time is counted together.
const TOGETHER: Duration = Duration::from_secs(1);

/// What a watch took away a moment ago.
#[derive(Debug, Default)]
pub(super) struct Lately {
    gone: VecDeque<(Instant, u64)>,
}

impl Lately {
    /// So many files were taken away.
    pub(super) fn note(&mut self, files: u64, now: Instant) {
        match self.gone.back_mut() {
            Some((when, sum)) if now < *when + TOGETHER => *sum += files,
            _ => self.gone.push_back((now, files)),
        }
    }

    /// How many files were taken away lately.
    pub(super) fn files(&mut self, now: Instant) -> u64 {
        self.gone.retain(|(when, _)| now < *when + LATELY);
        self.gone.iter().map(|(_, files)| files).sum()
    }
}

/// Whether so much is gone, of so much in all, that rather a disk is gone than some files.
pub(super) fn is_much(gone: u64, known: u64) -> bool {
    gone > GONE_MAX.max(known / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_looked_at_is_not_taken_for_gone() {
        let path = |text: &str| RootPath::new(text).unwrap();
        let problem = |text: &str, code| Problem {
            path: path(text),
            code,
            message: String::new(),
        };
        let mut seen = Seen::default();
        seen.found(&path("a/b"));
        seen.problem(&problem("locked", ErrorCode::NotAllowed));
        seen.problem(&problem("away", ErrorCode::NotFound));
        for (there, text) in [
            (true, "a/b"),
            (false, "a/c"),
            (false, "a"),
            (true, "locked"),
            (true, "locked/deep/file"),
            (false, "lockedroom"),
            (false, "away/file"),
        ] {
            assert_eq!(seen.holds(text.as_bytes()), there, "{text}");
        }
        seen.problem(&problem("", ErrorCode::NotAllowed));
        assert!(seen.holds(b"a/c"), "the whole root could not be looked at");
    }

    #[test]
    fn what_goes_away_bit_by_bit_is_summed_up_and_forgotten_after_a_while() {
        let (mut lately, start) = (Lately::default(), Instant::now());
        for ms in 0..3000 {
            lately.note(1, start + Duration::from_millis(ms));
        }
        assert!(lately.gone.len() <= 4);
        assert_eq!(lately.files(start + Duration::from_secs(10)), 3000);
        assert_eq!(lately.files(start + Duration::from_secs(70)), 0);
        assert!(lately.gone.is_empty());
    }

    #[test]
    fn a_tenth_may_be_gone_or_fifty() {
        for (much, known, gone) in [
            (false, 50, 50),
            (true, 51, 51),
            (false, 1000, 100),
            (true, 1000, 101),
            (false, 0, 0),
        ] {
            assert_eq!(is_much(gone, known), much, "{gone} of {known}");
        }
    }
}
