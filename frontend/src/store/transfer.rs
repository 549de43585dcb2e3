//! The account's transfers, live, and how fast they are.

use std::collections::{BTreeSet, HashMap};

use beckon_shared::{
    id::TransferId,
    time::Timestamp,
    transfer::{Hold, TransferState, TransferView},
    wire::Part,
};
use leptos::prelude::*;

use super::rows::{Row, Rows};
use crate::{component, dom};

/// The server tells of so many transfers that were ordered last, and of all older ones that are not over.
pub(crate) const LISTED: usize = 500;
/// A rate is measured over this many milliseconds.
const WINDOW_MS: u128 = 5_000;

impl Row for TransferView {
    type Id = TransferId;

    fn id(&self) -> TransferId {
        self.id
    }

    fn replaces(&self, old: &Self) -> bool {
        self.revision > old.revision
    }
}

/// Every transfer that the server tells of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfers {
    rows: Rows<TransferView>,
    /// Bytes done at some moments of the last seconds, oldest first.
    seen: StoredValue<HashMap<TransferId, Vec<(Timestamp, u64)>>>,
    /// Those that this page saw become up to date, and when.
    current: StoredValue<HashMap<TransferId, Timestamp>>,
    /// Those whose rows show what was asked of the server and is not answered yet; each as often as it is asked.
    asked: StoredValue<Vec<TransferId>>,
    /// Those that failed and were put away in this browser.
    pub(crate) dismissed: RwSignal<BTreeSet<TransferId>>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            seen: StoredValue::default(),
            current: StoredValue::default(),
            asked: StoredValue::default(),
            dismissed: RwSignal::new(component::transfer::load_dismissed()),
        }
    }
}

impl Transfers {
    /// Takes in a part of the list; an older revision never takes a newer one's place.
    pub(crate) fn take(self, part: Part<TransferView>) {
        for view in &part.rows {
            self.note(view);
        }
        self.rows.take(part);
    }

    /// Takes in one transfer, as the reply to an order brings it.
    pub(crate) fn put(self, view: TransferView) {
        self.note(&view);
        self.rows.put(view);
    }

    /// Whether a whole snapshot has come since the page was opened.
    pub(crate) fn known(self) -> RwSignal<bool> {
        self.rows.known
    }

    fn note(self, view: &TransferView) {
        let now = dom::now();
        self.note_current(view, now);
        self.seen.update_value(|seen| {
            if view.state != TransferState::Running {
                seen.remove(&view.id);
                return;
            }
            let points = seen.entry(view.id).or_default();
            points.push((now, view.progress.bytes_done));
            let old = points
                .iter()
                .filter(|(at, _)| now.since(*at).as_millis() > WINDOW_MS)
                .count();
            // One point from before the window stays, to measure from.
            points.drain(..old.saturating_sub(1));
        });
    }

    /// What was up to date already when it was first heard of has been so for an unknown time.
    fn note_current(self, view: &TransferView, now: Timestamp) {
        let before = untrack(|| self.rows.get(view.id)).map(|row| row.with_untracked(|row| row.hold));
        self.current.update_value(|current| match (view.hold, before) {
            (Hold::Current, None | Some(Hold::Current)) => {}
            (Hold::Current, Some(_)) => _ = current.insert(view.id, now),
            _ => _ = current.remove(&view.id),
        });
    }

    /// Since when a transfer is up to date, where this page saw it become so; not tracked.
    pub(crate) fn current_since(self, id: TransferId) -> Option<Timestamp> {
        self.current.with_value(|current| current.get(&id).copied())
    }

    /// Bytes per second of a running transfer, once that can be said; not tracked, so read it where the row is tracked.
    pub(crate) fn rate(self, id: TransferId) -> Option<f64> {
        self.seen.with_value(|seen| {
            let points = seen.get(&id)?;
            let ((from, first), (to, last)) = (points.first()?, points.last()?);
            let seconds = to.since(*from).as_secs_f64();
            (seconds > 0.5).then(|| last.saturating_sub(*first) as f64 / seconds)
        })
    }

    /// The row of this transfer shows from now on what the server is being asked for.
    pub(crate) fn ask(self, id: TransferId) {
        self.asked.update_value(|asked| asked.push(id));
    }

    /// The server has answered.
    pub(crate) fn answered(self, id: TransferId) {
        self.asked.update_value(|asked| {
            if let Some(at) = asked.iter().position(|one| *one == id) {
                asked.swap_remove(at);
            }
        });
    }

    /// Whether its row shows what the server may yet refuse; not tracked.
    pub(crate) fn is_asked(self, id: TransferId) -> bool {
        self.asked.with_value(|asked| asked.contains(&id))
    }

    /// The row of a transfer; tracks only whether it is there.
    pub(crate) fn row(self, id: TransferId) -> Option<RwSignal<TransferView>> {
        self.rows.get(id)
    }

    /// All of them as they are now, newest first; tracks every row.
    pub(crate) fn all(self) -> Vec<TransferView> {
        self.rows.all().into_iter().rev().map(|row| row.get()).collect()
    }

    /// Looks at all of them as they are now, newest first, without a copy; tracks every row.
    pub(crate) fn each(self, mut look: impl FnMut(&TransferView)) {
        for row in self.rows.all().into_iter().rev() {
            row.with(&mut look);
        }
    }

    pub(super) fn forget(self) {
        self.rows.forget();
        self.seen.update_value(HashMap::clear);
        self.current.update_value(HashMap::clear);
    }
}
