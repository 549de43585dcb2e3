//! Files of this terminal on their way onto a machine.
//!
//! They are read twice: first for the list that the order names, then to be sent. The machine writes them and says how far
//! it is; this page says how much was sent.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{DeviceId, TransferId},
    order::{SELECTION_MAX, SentFile},
    path::RootPath,
    transfer::{Hold, Problem, Progress, Task, TransferState, TransferView},
    wire::{self, Reply, Request},
};
use futures_channel::oneshot;
use futures_util::future::{AbortHandle, abortable};
use js_sys::Array;
use leptos::prelude::*;

use super::{
    Chosen, LOOKING, Lack, PLACING, forget, keep,
    keep::Record,
    lacking, lacks, lease,
    message::{self, Entry, Errand, FromWorker, Job, Way},
    nothing, plan, take_up, under_way,
};
use crate::{
    api, identity,
    order::{self, Target},
    socket,
    store::Stores,
    text,
    worker::{self, Heard, Worker},
};

/// Files that are read before they are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preparing {
    /// Where they are to go.
    pub(crate) to: Target,
    /// Bytes that were read.
    pub(crate) done: u64,
    /// Bytes of all.
    pub(crate) total: u64,
}

/// How far this tab is with sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes that were sent.
    pub(crate) done: u64,
    /// Bytes of all.
    pub(crate) total: u64,
    /// Whether the drive, which all of it passes, is full.
    pub(crate) is_full: bool,
}

thread_local! {
    static PREPARING: ArcRwSignal<BTreeMap<TransferId, Preparing>> = ArcRwSignal::default();
    static SENT: ArcRwSignal<BTreeMap<TransferId, Sent>> = ArcRwSignal::default();
    /// Each stops what is being read.
    static STOPS: RefCell<BTreeMap<TransferId, AbortHandle>> = const { RefCell::new(BTreeMap::new()) };
    /// What this browser sends and has not sent to its end.
    static OPEN: RefCell<BTreeSet<TransferId>> = const { RefCell::new(BTreeSet::new()) };
}

/// What is being read; tracked by who reads it.
pub(crate) fn preparing() -> ArcRwSignal<BTreeMap<TransferId, Preparing>> {
    PREPARING.with(Clone::clone)
}

/// Reads no more of what is to go to a machine, and sends nothing of it.
pub(crate) fn stop_preparing(machine: DeviceId) {
    let all = preparing();
    let ids = all.with_untracked(|all| {
        let its = all.iter().filter(|(_, one)| one.to.machine == machine);
        its.map(|(id, _)| *id).collect::<Vec<_>>()
    });
    STOPS.with_borrow(|stops| ids.iter().filter_map(|id| stops.get(id)).for_each(AbortHandle::abort));
}

fn sent() -> ArcRwSignal<BTreeMap<TransferId, Sent>> {
    SENT.with(Clone::clone)
}

/// How much this tab has sent of a transfer, while it does; tracked.
pub(crate) fn sent_so_far(id: TransferId) -> Option<Sent> {
    sent().with(|sent| sent.get(&id).copied())
}

/// What a worker found in files.
#[derive(Default)]
struct Measured {
    /// By the place of the entry.
    manifests: BTreeMap<usize, Vec<u8>>,
    problems: Vec<Problem>,
}

/// Sends what was chosen to a machine. The transfer is in the stores when this returns; the answer is what was left out.
pub(crate) async fn send(stores: Stores, to: Target, chosen: Vec<Chosen>) -> Result<Vec<Problem>, Refusal> {
    let wishes: Vec<_> = chosen.iter().map(Chosen::wish).collect();
    let plan = plan::plan(&RootPath::root(), &wishes);
    if plan.entries.is_empty() {
        return Err(nothing(&plan.problems));
    }
    let files: Array = plan.entries.iter().map(|(at, _)| chosen[*at].value()).collect();
    let entries: Vec<Entry> = plan.entries.into_iter().map(|(_, entry)| entry).collect();
    let id = order::fresh_id();
    // Nobody else takes it up meanwhile, and who leaves the page now is asked.
    LOOKING.with_borrow_mut(|looking| looking.insert(id));
    PLACING.set(PLACING.get() + 1);
    let sending = Sending { stores, id, to };
    let begun = sending.begin(entries, files, plan.tops).await;
    preparing().update(|all| _ = all.remove(&id));
    PLACING.set(PLACING.get() - 1);
    LOOKING.with_borrow_mut(|looking| looking.remove(&id));
    begun.map(|problems| plan.problems.into_iter().chain(problems).collect())
}

/// What is about to be sent.
struct Sending {
    stores: Stores,
    id: TransferId,
    to: Target,
}

impl Sending {
    /// Reads, orders, and keeps the files first, so that whatever happens after the order is placed finds them.
    async fn begin(&self, entries: Vec<Entry>, files: Array, tops: Vec<RootPath>) -> Result<Vec<Problem>, Refusal> {
        let (measuring, stop) = abortable(self.measure(&entries, &files));
        STOPS.with_borrow_mut(|stops| stops.insert(self.id, stop));
        let found = measuring.await;
        STOPS.with_borrow_mut(|stops| stops.remove(&self.id));
        // Whoever stopped it knows.
        let Ok(found) = found else { return Ok(Vec::new()) };
        let found = found?;
        if found.manifests.is_empty() {
            return Err(nothing(&found.problems));
        }
        let (entries, files, list) = listed(entries, &files, found.manifests);
        let list = wire::encode(&list);
        if list.len() > SELECTION_MAX {
            return Err(Refusal::new(ErrorCode::TooLarge, text::sync::too_long_list()));
        }
        let record = Record {
            folder: RootPath::root(),
            entries,
            problems: Vec::new(),
        };
        let (stores, id) = (self.stores, self.id);
        // On a computer that is somebody else's nothing stays.
        let may_keep = identity::current().is_some_and(|me| me.kept);
        let kept = may_keep && keep::keep(Way::Machine, id, &record, &files).await;
        if let Err(refusal) = order::receive(stores, id, &self.to, &tops, list).await {
            keep::forget(Way::Machine, id).await;
            return Err(refusal);
        }
        OPEN.with_borrow_mut(|open| open.insert(id));
        lease::take(id);
        under_way::add(stores, id, Way::Machine, record, files, kept);
        Ok(found.problems)
    }

    async fn measure(&self, entries: &[Entry], files: &Array) -> Result<Measured, Refusal> {
        let me = identity::current().ok_or_else(super::place::signed_out)?;
        let space = me.signed_in.space;
        let key = match socket::request(Request::ChunkKey { space }).await? {
            Reply::ChunkKey(key) => key,
            _ => return Err(api::not_understood()),
        };
        let (end, ended) = oneshot::channel();
        let (mut found, mut end) = (Measured::default(), Some(end));
        let (id, to) = (self.id, self.to.clone());
        let heard = move |heard| {
            let over = match hear(heard, &mut found) {
                Step::On => return,
                Step::Progress(progress) => return show(id, &to, progress),
                Step::Over(over) => over.map(|()| std::mem::take(&mut found)),
            };
            if let Some(end) = end.take() {
                let _ = end.send(over);
            }
        };
        // It ends when this is left.
        let worker = Worker::spawn(worker::Job::Upload, heard)?;
        let errand = Errand::Measure { key };
        under_way::hand_over(&worker, Job { transfer: id, errand }, entries, files);
        ended.await.unwrap_or_else(|_| Err(worker::broken()))
    }
}

/// What a word of the worker means.
enum Step {
    On,
    Progress(Progress),
    Over(Result<(), Refusal>),
}

fn hear(heard: Heard, found: &mut Measured) -> Step {
    let message = match heard {
        Heard::Message(message) => message::unpack::<FromWorker>(message).map(|(message, _)| message),
        Heard::Broken => None,
    };
    match message {
        None => return Step::Over(Err(worker::broken())),
        Some(FromWorker::Measured(some)) => {
            let some = some.into_iter().map(|(at, manifest)| (at as usize, manifest));
            found.manifests.extend(some);
        }
        Some(FromWorker::Unread(problems)) => found.problems.extend(problems),
        Some(FromWorker::Progress { progress, .. }) => return Step::Progress(progress),
        Some(FromWorker::Ended { error, .. }) => return Step::Over(error.map_or(Ok(()), Err)),
        // Nothing is asked before there is a transfer.
        Some(FromWorker::Ask { .. }) => {}
    }
    Step::On
}

fn show(id: TransferId, to: &Target, progress: Progress) {
    let now = Preparing {
        to: to.clone(),
        done: progress.bytes_done,
        total: progress.bytes_total,
    };
    preparing().update(|all| _ = all.insert(id, now));
}

/// The entries that could be read, with their files and as the order lists them.
fn listed(
    entries: Vec<Entry>,
    files: &Array,
    mut manifests: BTreeMap<usize, Vec<u8>>,
) -> (Vec<Entry>, Array, Vec<SentFile>) {
    let (mut kept, found, mut list) = (Vec::new(), Array::new(), Vec::new());
    for (at, entry) in entries.into_iter().enumerate() {
        let Some(manifest) = manifests.remove(&at) else {
            continue;
        };
        found.push(&files.get(at as u32));
        list.push(SentFile {
            path: entry.path.clone(),
            manifest,
        });
        kept.push(entry);
    }
    (kept, found, list)
}

/// How much was sent.
pub(super) fn note(id: TransferId, hold: Hold, progress: Progress) {
    let now = Sent {
        done: progress.bytes_done,
        total: progress.bytes_total,
        is_full: hold == Hold::NoRoom,
    };
    sent().update(|sent| _ = sent.insert(id, now));
}

/// The worker is through.
pub(super) fn ended(stores: Stores, id: TransferId, state: TransferState, error: Option<&Refusal>) {
    sent().update(|sent| _ = sent.remove(&id));
    if state == TransferState::Done {
        return close(stores, id);
    }
    // The files stay for another try. Of a transfer that is over meanwhile nothing is wanted any more.
    let row = untrack(|| stores.transfers.row(id));
    if row.is_some_and(|row| row.with_untracked(|view| !view.state.is_over())) {
        // Where it is for a file that is not as it was when it was chosen, only files chosen anew help.
        let is_file = |code| matches!(code, ErrorCode::Changing | ErrorCode::NotReadable | ErrorCode::NotFound);
        let refused = error.filter(|why| state == TransferState::Failed && !is_file(why.code));
        lacks(
            id,
            refused.map_or(Lack::Another, |why| Lack::Refused(text::error::of(why))),
        );
    }
}

/// Nothing of it is to be sent any more.
fn close(stores: Stores, id: TransferId) {
    OPEN.with_borrow_mut(|open| open.remove(&id));
    sent().update(|sent| _ = sent.remove(&id));
    forget(stores, Way::Machine, id);
}

/// Finds what earlier pages left.
pub(super) async fn remember() {
    let kept = keep::all().await.into_iter();
    let kept = kept.filter(|(way, _)| *way == Way::Machine);
    OPEN.with_borrow_mut(|open| open.extend(kept.map(|(_, id)| id)));
}

/// Goes on, stands still or ends, as the transfers say.
pub(super) fn look(stores: Stores, all: &[TransferView]) {
    let is_ours = |id| OPEN.with_borrow(|open| open.contains(&id));
    for view in all.iter().filter(|view| view.task == Task::Send && is_ours(view.id)) {
        match view.state {
            state if state.is_over() => close(stores, view.id),
            _ if view.hold == Hold::User => under_way::pause(stores, view.id),
            _ if under_way::is_paused(view.id) => under_way::resume(stores, view.id),
            _ if under_way::has(view.id) => {}
            _ if lacking().with_untracked(|all| all.contains_key(&view.id)) => {}
            _ => leptos::task::spawn_local(take_up(stores, Way::Machine, view.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::upload::message::Facts;

    #[wasm_bindgen_test]
    fn what_could_not_be_read_is_not_listed_and_the_rest_keeps_its_files() {
        let entry = |path: &str| Entry {
            path: RootPath::new(path).unwrap(),
            file: Some(Facts { size: 1, modified: 1 }),
        };
        let files = Array::of3(&"one".into(), &"two".into(), &"three".into());
        let manifests = BTreeMap::from([(0, vec![1]), (2, vec![3])]);
        let (kept, files, list) = listed(vec![entry("a"), entry("b"), entry("c")], &files, manifests);
        assert_eq!(kept, [entry("a"), entry("c")]);
        assert_eq!(files.get(1).as_string().as_deref(), Some("three"));
        assert_eq!(list[1].path, entry("c").path);
        assert_eq!(list[1].manifest, [3]);
    }
}
