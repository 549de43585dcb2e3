//! When a change is looked at: at once, or when it has been quiet for a while. Pure: the time is an argument.
//!
//! Most programs close what they have written, and then it is looked at without any wait. Only a file that changes again
//! soon after it was stored has to be quiet for a while first, and for longer each time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use beckon_shared::path::RootPath;

use crate::{
    scan::{Depth, Scope},
    upload::Read,
};

/// What was changed and perhaps not closed yet is quiet so long.
const OPEN: Duration = Duration::from_millis(50);
/// What went away so long: it may have gone elsewhere, or come back.
const GONE: Duration = Duration::from_millis(20);
/// What came from elsewhere so long: that it went away there is told right after.
const ARRIVED: Duration = Duration::from_millis(2);
/// A file that changes so soon after it was stored must be quiet first.
const SOON: Duration = Duration::from_secs(2);
/// For so long at first, and twice as long each time.
const FIRST: Duration = Duration::from_millis(100);
/// But no longer than this, and what is never quiet is looked at after this time all the same.
const LONGEST: Duration = Duration::from_secs(10);
/// What takes long to read is left alone for longer, so that it does not take all the time: bytes for each second of it.
const READ_RATE: u64 = 16 << 20;
/// But no longer than this.
const LONGEST_LARGE: Duration = Duration::from_secs(3600);
/// After a look at everything comes a rest of so many times its length, whatever was missed meanwhile: a storm of changes
/// would have one look follow the other.
const REST: u32 = 4;
/// But no longer than this.
const REST_MAX: Duration = Duration::from_secs(30);
/// A folder that appeared is looked at again after these times: what was made in it before the system told of it would be
/// missed otherwise.
const AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(3)];
/// Of more changes than these nothing is kept but that everything is to be looked at.
const WAITING_MAX: usize = 16_384;
/// So many files are remembered as stored a moment ago.
const STORED_MAX: usize = 4096;

/// What the system told of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Whoever wrote it has closed it.
    Closed,
    /// It was changed.
    Touched,
    /// It is not there any more.
    Gone,
    /// It is there now, with all below it.
    Arrived,
    /// As `Gone` and `Arrived`, where the other half of the move is known too.
    Moved,
}

impl Hint {
    fn quiet(self) -> Duration {
        match self {
            Self::Closed | Self::Moved => Duration::ZERO,
            Self::Touched => OPEN,
            Self::Gone => GONE,
            Self::Arrived => ARRIVED,
        }
    }
}

/// What waits to be looked at.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    waiting: BTreeMap<RootPath, Waiting>,
    again: BTreeSet<(Instant, RootPath)>,
    /// Everything is to be looked at then.
    all: Option<Instant>,
    /// But not before this.
    rested: Option<Instant>,
    /// How long what is looked at now had to be quiet.
    taken: HashMap<RootPath, Duration>,
    stored: HashMap<RootPath, Stored>,
}

#[derive(Debug)]
struct Waiting {
    first: Instant,
    due: Instant,
    /// How long it has to be quiet for having changed again and again.
    grown: Duration,
    /// How long it may be left alone.
    longest: Duration,
    depth: Depth,
    /// Two halves of a move are best looked at together.
    is_half: bool,
}

#[derive(Debug)]
struct Stored {
    at: Instant,
    grown: Duration,
    longest: Duration,
}

/// What is to be looked at now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Everything.
    All,
    /// These places.
    Some {
        /// Where.
        places: Vec<Scope>,
        /// Those of them that were looked at a moment ago.
        repeated: HashSet<RootPath>,
    },
}

impl Quiet {
    /// Takes in what the system told.
    pub(super) fn note(&mut self, path: RootPath, hint: Hint, now: Instant) {
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&path) {
            self.waiting.clear();
            return self.all_at(now);
        }
        let (grown, longest) = self.grown(&path, now);
        let waiting = self.waiting.entry(path).or_insert(Waiting {
            first: now,
            due: now,
            grown,
            longest,
            depth: Depth::Itself,
            is_half: false,
        });
        waiting.due = (now + hint.quiet().max(waiting.grown)).min(waiting.first + waiting.longest);
        if matches!(hint, Hint::Gone | Hint::Arrived | Hint::Moved) {
            waiting.depth = Depth::Below;
        }
        let is_half = matches!(hint, Hint::Gone | Hint::Arrived | Hint::Moved);
        waiting.is_half = is_half && waiting.grown.is_zero();
    }

    /// Everything is to be looked at then, or earlier if that was said before; but not before the rest after the last time.
    pub(super) fn all_at(&mut self, when: Instant) {
        let when = self.rested.map_or(when, |rested| rested.max(when));
        self.all = Some(self.all.map_or(when, |before| before.min(when)));
    }

    /// Everything was looked at, which took so long.
    pub(super) fn looked_at_all(&mut self, now: Instant, took: Duration) {
        self.rested = Some(now + (took * REST).min(REST_MAX));
    }

    /// A folder was looked at that was not there before.
    pub(super) fn appeared(&mut self, folder: &RootPath, now: Instant) {
        if self.again.len() >= WAITING_MAX {
            self.again.clear();
            return self.all_at(now + LONGEST);
        }
        self.again.extend(AGAIN.map(|later| (now + later, folder.clone())));
    }

    /// What was taken is stored.
    pub(super) fn stored(&mut self, read: &[Read], now: Instant) {
        self.stored.retain(|_, stored| now < stored.at + stored.grown + SOON);
        if read.len() + self.stored.len() > STORED_MAX {
            return;
        }
        for Read { path, bytes } in read {
            let stored = Stored {
                at: now,
                grown: self.taken.remove(path).unwrap_or_default(),
                longest: longest(*bytes),
            };
            self.stored.insert(path.clone(), stored);
        }
    }

    /// What was taken changed while it was read: it is looked at again when it is quiet.
    pub(super) fn changing(&mut self, read: Read, now: Instant) {
        self.stored(std::slice::from_ref(&read), now);
        self.note(read.path, Hint::Touched, now);
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = self.waiting.values().map(|waiting| waiting.due).min();
        let again = self.again.first().map(|(when, _)| *when);
        [waiting, again, self.all].into_iter().flatten().min()
    }

    /// Whether nothing is known to have changed.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is due, if anything is; it waits no longer.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        if self.next().is_none_or(|next| now < next) {
            return None;
        }
        self.taken.clear();
        let is_all = self.all.is_some_and(|when| when <= now);
        let mut places = Vec::new();
        let taken = self
            .waiting
            .extract_if(.., |_, waiting| waiting.due <= now || waiting.is_half);
        for (path, waiting) in taken {
            self.taken.insert(path.clone(), waiting.grown);
            let depth = waiting.depth;
            places.push(Scope { path, depth });
        }
        let mut repeated = HashSet::new();
        while let Some((when, path)) = self.again.pop_first() {
            if when > now {
                self.again.insert((when, path));
                break;
            }
            places.push(Scope::below(path.clone()));
            repeated.insert(path);
        }
        if is_all {
            self.all = None;
            return Some(Due::All);
        }
        Some(Due::Some { places, repeated })
    }

    /// What was taken could not be looked at: it is due again.
    pub(super) fn put_back(&mut self, due: Due, now: Instant) {
        match due {
            Due::All => self.all_at(now),
            Due::Some { places, .. } => {
                for place in places {
                    self.note(place.path, Hint::Moved, now);
                }
            }
        }
    }

    /// How long a path has to be quiet, and how long it may be left alone.
    fn grown(&self, path: &RootPath, now: Instant) -> (Duration, Duration) {
        match self.stored.get(path) {
            Some(Stored { at, grown, longest }) if now < *at + *grown + SOON => {
                ((*grown * 2).clamp(FIRST, *longest), *longest)
            }
            _ => (Duration::ZERO, LONGEST),
        }
    }
}

/// How long a file of this size may be left alone.
fn longest(bytes: u64) -> Duration {
    Duration::from_secs(bytes / READ_RATE).clamp(LONGEST, LONGEST_LARGE)
}

#[cfg(test)]
mod tests;
