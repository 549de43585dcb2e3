//! What this tab uploads or sends to machines: each has a worker while it runs; so many run at once, the others wait for their turn.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use beckon_shared::{
    bulk::UploadGrant,
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    signature::Signed,
    transfer::{Progress, TransferState},
    wire::{Reply, Request},
};
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use super::{
    keep::{self, Record},
    lease,
    message::{self, Answer, Ask, Entry, Errand, FromWorker, Job, ToWorker, Way},
    place::signed_out,
    send,
};
use crate::{
    api, dom, identity, socket,
    store::Stores,
    worker::{self, Heard, Worker},
};

/// So many uploads run at once: each takes about 35 MB of memory and two connections to the server.
const RUNNING_MAX: usize = 2;
/// So many entries go to a worker in one message, so that the page stays free.
const PORTION: usize = 500;
/// Before the end of an upload is told again. Milliseconds.
const TELL_AGAIN: u32 = 2_000;

/// An upload whose files this tab has.
pub(super) struct Upload {
    way: Way,
    pub(super) record: Rc<Record>,
    pub(super) files: Array,
    /// Whether it goes on by itself after a reload.
    pub(super) kept: bool,
    stage: Stage,
    /// Tells one worker of this upload from the next.
    run: u64,
}

enum Stage {
    /// For its turn.
    Waiting,
    Running(Worker),
    Paused(Option<Worker>),
    /// It ended otherwise than well; the files stay, for another try.
    Over,
}

thread_local! {
    static UPLOADS: RefCell<BTreeMap<TransferId, Upload>> = const { RefCell::new(BTreeMap::new()) };
    static RUNS: RefCell<u64> = const { RefCell::new(0) };
}

/// Whether this tab has the files of an upload.
pub(super) fn has(id: TransferId) -> bool {
    UPLOADS.with_borrow(|uploads| uploads.contains_key(&id))
}

/// The uploads of this tab.
pub(super) fn ids() -> Vec<TransferId> {
    UPLOADS.with_borrow(|uploads| uploads.keys().copied().collect())
}

/// Whether any upload of this tab is not over.
pub(super) fn is_any() -> bool {
    UPLOADS.with_borrow(|uploads| uploads.values().any(|upload| !matches!(upload.stage, Stage::Over)))
}

/// Whether leaving the page would stop something that does not go on by itself.
pub(super) fn would_stop() -> bool {
    let stops = |upload: &Upload| !upload.kept && !matches!(upload.stage, Stage::Over);
    UPLOADS.with_borrow(|uploads| uploads.values().any(stops))
}

/// Which of them stand still because a person said so.
pub(super) fn is_paused(id: TransferId) -> bool {
    UPLOADS.with_borrow(|uploads| {
        uploads
            .get(&id)
            .is_some_and(|upload| matches!(upload.stage, Stage::Paused(_)))
    })
}

/// What of this tab goes this way.
pub(super) fn goes(id: TransferId, way: Way) -> bool {
    UPLOADS.with_borrow(|uploads| uploads.get(&id).is_some_and(|upload| upload.way == way))
}

/// Adds an upload and lets it run when it is its turn.
pub(super) fn add(stores: Stores, id: TransferId, way: Way, record: Record, files: Array, kept: bool) {
    let upload = Upload {
        way,
        record: Rc::new(record),
        files,
        kept,
        stage: Stage::Waiting,
        run: 0,
    };
    UPLOADS.with_borrow_mut(|uploads| uploads.insert(id, upload));
    advance(stores);
}

/// Lets go of an upload; its worker ends.
pub(super) fn remove(stores: Stores, id: TransferId) {
    let removed = UPLOADS.with_borrow_mut(|uploads| uploads.remove(&id));
    if removed.is_some() {
        lease::release(id);
        advance(stores);
    }
}

/// Lets go of all.
pub(super) fn clear() {
    for id in UPLOADS.take().into_keys() {
        lease::release(id);
    }
}

/// Stands still.
pub(super) fn pause(stores: Stores, id: TransferId) {
    change(id, |upload| {
        upload.stage = match std::mem::replace(&mut upload.stage, Stage::Waiting) {
            Stage::Running(worker) => {
                worker.post(&message::pack(&ToWorker::Pause, &JsValue::NULL), &Array::new());
                Stage::Paused(Some(worker))
            }
            Stage::Waiting => Stage::Paused(None),
            other => other,
        };
    });
    advance(stores);
}

/// Goes on, or begins again.
pub(super) fn resume(stores: Stores, id: TransferId) {
    change(id, |upload| {
        upload.stage = match std::mem::replace(&mut upload.stage, Stage::Waiting) {
            Stage::Paused(Some(worker)) => {
                worker.post(&message::pack(&ToWorker::Resume, &JsValue::NULL), &Array::new());
                Stage::Running(worker)
            }
            running @ Stage::Running(_) => running,
            Stage::Paused(None) | Stage::Waiting | Stage::Over => Stage::Waiting,
        };
    });
    advance(stores);
}

fn change<T>(id: TransferId, change: impl FnOnce(&mut Upload) -> T) -> Option<T> {
    UPLOADS.with_borrow_mut(|uploads| uploads.get_mut(&id).map(change))
}

fn next_waiting() -> Option<TransferId> {
    UPLOADS.with_borrow(|uploads| {
        let running = uploads
            .values()
            .filter(|upload| matches!(upload.stage, Stage::Running(_)));
        let mut waiting = uploads
            .iter()
            .filter(|(_, upload)| matches!(upload.stage, Stage::Waiting));
        (running.count() < RUNNING_MAX).then(|| waiting.next().map(|(id, _)| *id))?
    })
}

fn advance(stores: Stores) {
    while let Some(id) = next_waiting() {
        if let Err(refusal) = start(stores, id) {
            change(id, |upload| upload.stage = Stage::Over);
            ended(stores, id, TransferState::Failed, Progress::default(), Some(refusal));
        }
    }
}

fn start(stores: Stores, id: TransferId) -> Result<(), Refusal> {
    let me = identity::current().ok_or_else(signed_out)?;
    let run = RUNS.with_borrow_mut(|runs| {
        *runs += 1;
        *runs
    });
    let worker = Worker::spawn(worker::Job::Upload, move |heard| take(stores, id, run, heard))?;
    let row = untrack(|| stores.transfers.row(id));
    let sent = row.map_or(0, |row| row.with_untracked(|view| view.progress.bytes_sent));
    change(id, |upload| {
        let device = me.device();
        let errand = match upload.way {
            Way::Machine => Errand::Send,
            Way::Drive => Errand::Store {
                device,
                root: RootId::of_files(&device),
                problems: upload.record.problems.clone(),
                sent,
            },
        };
        hand_over(
            &worker,
            Job { transfer: id, errand },
            &upload.record.entries,
            &upload.files,
        );
        upload.run = run;
        upload.stage = Stage::Running(worker);
    });
    Ok(())
}

/// Gives a worker its job, with all entries and their files, and has it begin.
pub(super) fn hand_over(worker: &Worker, job: Job, entries: &[Entry], files: &Array) {
    let post = |message: ToWorker, beside: &JsValue| worker.post(&message::pack(&message, beside), &Array::new());
    post(ToWorker::Job(job), &JsValue::NULL);
    for (at, portion) in entries.chunks(PORTION).enumerate() {
        let from = (at * PORTION) as u32;
        let files = files.slice(from, from + portion.len() as u32);
        post(ToWorker::Entries(portion.to_vec()), &files);
    }
    post(ToWorker::Go, &JsValue::NULL);
}

fn is_run(id: TransferId, run: u64) -> bool {
    UPLOADS.with_borrow(|uploads| uploads.get(&id).is_some_and(|upload| upload.run == run))
}

fn take(stores: Stores, id: TransferId, run: u64, heard: Heard) {
    if !is_run(id, run) {
        return;
    }
    let message = match heard {
        Heard::Message(message) => message::unpack::<FromWorker>(message).map(|(message, _)| message),
        Heard::Broken => None,
    };
    match message {
        Some(FromWorker::Ask { id: question, ask }) => leptos::task::spawn_local(async move {
            let result = answer(id, ask).await;
            let answer = ToWorker::Answer { id: question, result };
            if is_run(id, run) {
                post(id, &answer);
            }
        }),
        // How far it has written the machine tells; how much was sent is seen on this page.
        Some(FromWorker::Progress { hold, progress }) if goes(id, Way::Machine) => send::note(id, hold, progress),
        Some(FromWorker::Progress { hold, progress }) => socket::tell_progress(id, hold, progress),
        // Only what is measured before there is a transfer is told of so; the end tells it of the others.
        Some(FromWorker::Measured(_) | FromWorker::Unread(_)) => {}
        Some(FromWorker::Ended { state, progress, error }) => ended(stores, id, state, progress, error),
        None => ended(
            stores,
            id,
            TransferState::Failed,
            Progress::default(),
            Some(worker::broken()),
        ),
    }
}

fn post(id: TransferId, message: &ToWorker) {
    change(id, |upload| {
        if let Stage::Running(worker) | Stage::Paused(Some(worker)) = &upload.stage {
            worker.post(&message::pack(message, &JsValue::NULL), &Array::new());
        }
    });
}

async fn answer(transfer: TransferId, ask: Ask) -> Result<Answer, Refusal> {
    match ask {
        Ask::Begin => Ok(Answer::Grant(begin(transfer).await?)),
        Ask::Report { offset, problems } => {
            let report = Request::ReportProblems {
                transfer,
                offset,
                problems,
            };
            socket::request(report).await.map(|_| Answer::Done)
        }
        Ask::Sign(commit) => {
            let me = identity::current().ok_or_else(signed_out)?;
            Ok(Answer::Signed(Box::new(Signed::sign(&commit, me.keys.signing()))))
        }
    }
}

async fn begin(transfer: TransferId) -> Result<Box<UploadGrant>, Refusal> {
    match socket::request(Request::BeginTransfer { transfer }).await? {
        Reply::Grant(grant) => Ok(grant),
        _ => Err(api::not_understood()),
    }
}

/// The worker is through. The files stay for another try unless all went well.
fn ended(stores: Stores, id: TransferId, state: TransferState, progress: Progress, error: Option<Refusal>) {
    change(id, |upload| upload.stage = Stage::Over);
    advance(stores);
    // Who was signed out under the upload goes on with it after the next sign-in.
    let signed_out = |refusal: &Refusal| matches!(refusal.code, ErrorCode::NotSignedIn | ErrorCode::Revoked);
    if error.as_ref().is_some_and(signed_out) {
        return;
    }
    if goes(id, Way::Machine) {
        return send::ended(stores, id, state, error.as_ref());
    }
    leptos::task::spawn_local(async move {
        loop {
            let end = Request::EndTransfer {
                transfer: id,
                state,
                progress,
                error: error.clone(),
            };
            match socket::request(end).await {
                Err(refusal) if refusal.retry => dom::sleep(TELL_AGAIN).await,
                _ => break,
            }
        }
        if state == TransferState::Done {
            remove(stores, id);
            keep::forget(Way::Drive, id).await;
        }
    });
}

/// The entries of an upload with their files, those that `wanted` gives a place in `files`.
pub(super) fn chosen(record: &Record, wanted: &[Option<usize>], files: &Array) -> (Vec<Entry>, Array) {
    let (mut entries, found) = (Vec::new(), Array::new());
    for (entry, at) in record.entries.iter().zip(wanted) {
        if let Some(at) = at {
            entries.push(entry.clone());
            found.push(&files.get(*at as u32));
        }
    }
    (entries, found)
}
