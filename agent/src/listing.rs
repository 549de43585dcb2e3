//! Pages of folders: a sorted snapshot of names is kept for each open folder, and only what a page shows is asked for.

mod natural;
mod snapshot;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use beckon_shared::{
    browse::{ListAsk, PAGE_MAX, Page},
    error::{ErrorCode, Refusal},
};

use crate::root::Root;
use snapshot::Snapshot;

/// So many snapshots a session keeps.
const SNAPSHOTS_MAX: usize = 4;
/// So many names the snapshots of a session hold in all, at about 40 bytes each.
const NAMES_MAX: usize = 2_000_000;
/// A page is not cut below this; it holds at least one entry, however long its name. Bytes.
const PAGE_MIN: u32 = 256;

/// The snapshots of one session.
#[derive(Debug, Default)]
pub(crate) struct Listings(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The one used last stands at the end.
    snapshots: VecDeque<Arc<Snapshot>>,
    last: u64,
}

impl Listings {
    /// A page as asked for. Reads the folder anew, unless the ask names a snapshot that is still kept. Blocks.
    pub(crate) fn page(&self, root: &Root, ask: &ListAsk) -> Result<Page, Refusal> {
        let snapshot = match ask.snapshot {
            Some(number) => self.find(number, ask)?,
            None => self.take(root, ask)?,
        };
        // The snapshot is of names; what is said of them is read now, through the folder as it is now.
        let folder = root.folder(&ask.path)?;
        snapshot.page(&folder, ask.offset, ask.max_bytes.clamp(PAGE_MIN, PAGE_MAX) as usize)
    }

    fn find(&self, number: u64, ask: &ListAsk) -> Result<Arc<Snapshot>, Refusal> {
        let mut kept = self.lock();
        let at = kept
            .snapshots
            .iter()
            .position(|one| one.number == number && one.is_of(ask));
        let found = at.and_then(|at| kept.snapshots.remove(at));
        let found = found.ok_or_else(no_longer_kept)?;
        kept.snapshots.push_back(Arc::clone(&found));
        Ok(found)
    }

    fn take(&self, root: &Root, ask: &ListAsk) -> Result<Arc<Snapshot>, Refusal> {
        let number = {
            let mut kept = self.lock();
            kept.last += 1;
            kept.last
        };
        let snapshot = Arc::new(Snapshot::take(number, &root.folder(&ask.path)?, ask, NAMES_MAX)?);
        self.lock().keep(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The snapshot is gone, or was another session's.
pub(crate) fn no_longer_kept() -> Refusal {
    Refusal::new(
        ErrorCode::Conflict,
        "this view of the folder is no longer kept; read the folder again from its start",
    )
}

impl Kept {
    /// Makes room by dropping what was not used for longest.
    fn keep(&mut self, snapshot: Arc<Snapshot>) {
        let names = |kept: &VecDeque<Arc<Snapshot>>| kept.iter().map(|one| one.total()).sum::<usize>();
        while self.snapshots.len() >= SNAPSHOTS_MAX || names(&self.snapshots) + snapshot.total() > NAMES_MAX {
            if self.snapshots.pop_front().is_none() {
                break;
            }
        }
        self.snapshots.push_back(snapshot);
    }
}

#[cfg(test)]
mod tests;
