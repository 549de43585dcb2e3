//! Files of this terminal on their way into `Files/` of the drive, or onto a machine.
//!
//! This browser orders itself to upload them: the order is signed, recorded and seen by every terminal like any other. The
//! page plans, signs and keeps the control socket; a worker reads, cuts, sends and commits. Small uploads keep their files in
//! the vault and go on by themselves after a reload; larger ones ask for the same files again.

mod chosen;
mod keep;
mod lease;
mod message;
mod place;
mod plan;
mod send;
mod under_way;
pub(crate) mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use beckon_shared::{
    api::transfer::Act,
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::LONGEST_WAIT,
    path::RootPath,
    transfer::{Hold, Problem, Task, TransferState, TransferView},
};
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{DragEvent, HtmlInputElement};

pub(crate) use chosen::{Chosen, Dropped, has_files, of_drop, of_field};
use keep::Record;
use message::Way;
pub(crate) use send::{preparing, send, sent_so_far, stop_preparing};

use crate::{
    component::transfer::steer_all,
    dom, identity, order, socket,
    store::{Link, Stores, stores},
    text,
};

/// Leases are renewed, and what may go on is looked for, every so often.
const LOOK: std::time::Duration = std::time::Duration::from_secs(15);

thread_local! {
    /// Uploads of this browser that cannot go on by themselves.
    static LACKING: ArcRwSignal<BTreeMap<TransferId, Lack>> = ArcRwSignal::new(BTreeMap::new());
    /// How many uploads are about to begin.
    static PLACING: Cell<u32> = const { Cell::new(0) };
    /// Uploads that are being looked up in the vault.
    static LOOKING: RefCell<BTreeSet<TransferId>> = const { RefCell::new(BTreeSet::new()) };
}

/// What an upload needs before it can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lack {
    /// The files are gone.
    Files,
    /// They were chosen again, and were others.
    SameFiles,
    /// Nothing is known of it, so no choice could be compared with it.
    Record,
    /// Some of the files could not be read to their end.
    Another,
    /// It was refused for this reason; the files are here still.
    Refused(String),
}

fn lacking() -> ArcRwSignal<BTreeMap<TransferId, Lack>> {
    LACKING.with(Clone::clone)
}

fn lacks(id: TransferId, lack: Lack) {
    lacking().update(|all| _ = all.insert(id, lack));
}

/// Whether an upload of this browser stands until a person chooses its files again, or cancels it; tracked.
pub(crate) fn lacks_files(id: TransferId) -> bool {
    lacking().with(|all| all.contains_key(&id))
}

/// Has every terminal show that an upload waits for a person at this browser.
fn tell_lack(stores: Stores, id: TransferId) {
    if let Some(row) = untrack(|| stores.transfers.row(id)) {
        let progress = row.with_untracked(|view| view.progress);
        socket::tell_progress(id, Hold::Question, progress);
    }
}

/// Puts what was chosen into a folder below `Files`. The transfer is in the stores when this returns.
pub(crate) async fn put(stores: Stores, folder: RootPath, chosen: Vec<Chosen>) -> Result<(), Refusal> {
    let wishes: Vec<_> = chosen.iter().map(Chosen::wish).collect();
    let plan = plan::plan(&folder, &wishes);
    if plan.entries.is_empty() {
        return Err(nothing(&plan.problems));
    }
    let files: Array = plan.entries.iter().map(|(at, _)| chosen[*at].value()).collect();
    let record = Record {
        folder,
        entries: plan.entries.into_iter().map(|(_, entry)| entry).collect(),
        problems: plan.problems,
    };
    let id = order::fresh_id();
    // Nobody else takes it up meanwhile, and who leaves the page now is asked.
    LOOKING.with_borrow_mut(|looking| looking.insert(id));
    PLACING.set(PLACING.get() + 1);
    let placed = begin(stores, id, plan.tops, record, files).await;
    PLACING.set(PLACING.get() - 1);
    LOOKING.with_borrow_mut(|looking| looking.remove(&id));
    placed
}

/// Keeps the files first, so that whatever happens after the order is placed finds them.
async fn begin(
    stores: Stores,
    id: TransferId,
    tops: Vec<RootPath>,
    record: Record,
    files: Array,
) -> Result<(), Refusal> {
    // On a computer that is somebody else's nothing stays.
    let may_keep = identity::current().is_some_and(|me| me.kept);
    let kept = may_keep && keep::keep(Way::Drive, id, &record, &files).await;
    match place::place(id, tops).await {
        Ok(view) => stores.transfers.put(view),
        Err(refusal) => {
            keep::forget(Way::Drive, id).await;
            return Err(refusal);
        }
    }
    lease::take(id);
    under_way::add(stores, id, Way::Drive, record, files, kept);
    Ok(())
}

fn nothing(problems: &[Problem]) -> Refusal {
    match problems.first() {
        Some(problem) => Refusal::new(problem.code, problem.message.clone()),
        None => Refusal::new(
            ErrorCode::BadRequest,
            "there is nothing in what was chosen; choose files",
        ),
    }
}

/// A terminal steers one of this browser's uploads.
pub(crate) fn steer(stores: Stores, id: TransferId, act: Act) {
    match act {
        Act::Pause => under_way::pause(stores, id),
        Act::Resume | Act::Retry if under_way::has(id) => under_way::resume(stores, id),
        Act::Resume | Act::Retry => leptos::task::spawn_local(take_up(stores, Way::Drive, id)),
        Act::Cancel => forget(stores, Way::Drive, id),
    }
}

fn forget(stores: Stores, way: Way, id: TransferId) {
    under_way::remove(stores, id);
    lacking().update(|all| _ = all.remove(&id));
    leptos::task::spawn_local(keep::forget(way, id));
}

/// Whether signing out, or closing the page, would stop an upload of this tab.
pub(crate) fn is_under_way() -> bool {
    PLACING.get() > 0 || under_way::is_any()
}

/// Lets go of the files of all uploads, as whoever signs out wants nothing of them left here. What was planned stays, so
/// that they go on after the next sign-in once the same files are chosen again.
pub(crate) async fn drop_files() {
    under_way::clear();
    for (way, id) in keep::all().await {
        keep::drop_files(way, id).await;
    }
}

/// Goes on with what an earlier page, or another tab that is gone, left; once, at the start of the page.
pub(crate) fn watch(stores: Stores) {
    Effect::new(move || {
        if stores.me.read().is_none() {
            under_way::clear();
        } else if stores.link.get() == Link::Online && stores.transfers.known().get() {
            look(stores, &stores.transfers.all());
        }
    });
    // Both live as long as the page does.
    let _ = set_interval_with_handle(move || look_again(stores), LOOK);
    listen("beforeunload", |event| {
        if PLACING.get() > 0 || under_way::would_stop() {
            event.prevent_default();
        }
    });
    for dragged in ["dragover", "drop"] {
        listen(dragged, stay);
    }
    listen("pagehide", |_| under_way::ids().into_iter().for_each(lease::release));
    leptos::task::spawn_local(forget_old());
    leptos::task::spawn_local(async move {
        send::remember().await;
        look_again(stores);
    });
}

fn listen(event: &str, heard: fn(web_sys::Event)) {
    let heard = Closure::<dyn FnMut(web_sys::Event)>::new(heard);
    let _ = dom::window().add_event_listener_with_callback(event, heard.as_ref().unchecked_ref());
    heard.forget();
}

/// Files that fall beside what takes them would be opened by the browser in place of the app.
fn stay(event: web_sys::Event) {
    let Ok(event) = event.dyn_into::<DragEvent>() else {
        return;
    };
    if let Some(data) = event
        .data_transfer()
        .filter(|data| !event.default_prevented() && has_files(data))
    {
        event.prevent_default();
        data.set_drop_effect("none");
    }
}

fn look_again(stores: Stores) {
    for id in under_way::ids() {
        lease::take(id);
    }
    if stores.link.get_untracked() == Link::Online && stores.me.read_untracked().is_some() {
        let all = untrack(|| stores.transfers.all());
        look(stores, &all);
    }
}

fn look(stores: Stores, all: &[TransferView]) {
    let Some(me) = identity::current() else { return };
    let device = me.device();
    // A row that shows what the server may yet refuse tells nothing: files that are let go of do not come back.
    let tells = |view: &&TransferView| view.device == device && !stores.transfers.is_asked(view.id);
    for view in all.iter().filter(tells) {
        match view.state {
            TransferState::Done | TransferState::Cancelled if under_way::has(view.id) => {
                forget(stores, Way::Drive, view.id)
            }
            state if state.is_over() || view.hold == Hold::User || under_way::has(view.id) => {}
            _ if lacking().with_untracked(|all| all.contains_key(&view.id)) => {
                // In another tab the files were chosen again.
                if lease::is_elsewhere(view.id) {
                    lacking().update(|all| _ = all.remove(&view.id));
                }
            }
            _ => leptos::task::spawn_local(take_up(stores, Way::Drive, view.id)),
        }
    }
    send::look(stores, all);
}

/// Goes on with an upload if its files are kept and no other tab does.
async fn take_up(stores: Stores, way: Way, id: TransferId) {
    let first = LOOKING.with_borrow_mut(|looking| looking.insert(id));
    if !first {
        return;
    }
    if !under_way::has(id) && lease::take(id) {
        match keep::kept(way, id).await {
            Some((record, Some(files))) => under_way::add(stores, id, way, record, files, true),
            found => {
                lease::release(id);
                lacks(id, found.map_or(Lack::Record, |_| Lack::Files));
                if way == Way::Drive {
                    tell_lack(stores, id);
                }
            }
        }
    }
    LOOKING.with_borrow_mut(|looking| looking.remove(&id));
}

async fn forget_old() {
    let oldest = dom::now().before(LONGEST_WAIT + LONGEST_WAIT);
    for (way, id) in keep::all().await {
        let made =
            id.0.get_timestamp()
                .map_or(0, |at| i64::try_from(at.to_unix().0).unwrap_or(0) * 1000);
        if made < oldest.0 {
            keep::forget(way, id).await;
        }
    }
}

/// Goes on with files that this tab has still.
fn try_again(stores: Stores, way: Way, id: TransferId) {
    if !under_way::has(id) {
        return choose_again(stores, way, id);
    }
    lacking().update(|all| _ = all.remove(&id));
    under_way::resume(stores, id);
}

/// Has the person choose the files of an upload again; what arrived is not sent again.
fn choose_again(stores: Stores, way: Way, id: TransferId) {
    leptos::task::spawn_local(async move {
        let kept = keep::kept(way, id).await;
        let nested = kept.as_ref().is_some_and(|(record, _)| is_nested(record));
        pick(nested, move |chosen| {
            leptos::task::spawn_local(chosen_again(stores, way, id, chosen))
        });
    });
}

/// Whether what was chosen was a folder.
fn is_nested(record: &Record) -> bool {
    let depth = record.folder.names().count() + 1;
    record.entries.iter().any(|entry| entry.path.names().count() > depth)
}

async fn chosen_again(stores: Stores, way: Way, id: TransferId, chosen: Vec<Chosen>) {
    let Some((record, _)) = keep::kept(way, id).await else {
        lacks(id, Lack::Record);
        return;
    };
    let wishes: Vec<_> = chosen.iter().map(Chosen::wish).collect();
    let plan = plan::plan(&record.folder, &wishes);
    let found = record.matching(&plan.entries);
    let files: Array = chosen.iter().map(Chosen::value).collect();
    let (entries, files) = under_way::chosen(&record, &found, &files);
    // The list of what a machine is to write is signed, so there all must come.
    let is_short = way == Way::Machine && entries.len() < record.entries.len();
    if entries.is_empty() || is_short {
        lacks(id, Lack::SameFiles);
        return;
    }
    let missing = record.entries.iter().zip(&found).filter(|(_, found)| found.is_none());
    let missing = missing.map(|(entry, _)| Problem {
        path: entry.path.clone(),
        code: ErrorCode::Changing,
        message: "it was not chosen again, or it changed since it was first chosen; put it in again".to_owned(),
    });
    let problems = record.problems.iter().cloned().chain(missing).collect();
    lacking().update(|all| _ = all.remove(&id));
    under_way::remove(stores, id);
    lease::take(id);
    under_way::add(
        stores,
        id,
        way,
        Record {
            entries,
            problems,
            ..record
        },
        files,
        false,
    );
}

/// Opens the browser's own dialog for files, or for a folder, and hands over what was chosen.
pub(crate) fn pick(folder: bool, chosen: impl FnOnce(Vec<Chosen>) + 'static) {
    let Ok(field) = dom::document().create_element("input") else {
        return;
    };
    let Ok(field) = field.dyn_into::<HtmlInputElement>() else {
        return;
    };
    field.set_type("file");
    field.set_multiple(true);
    if folder {
        let _ = field.set_attribute("webkitdirectory", "");
    }
    // In the document and out of sight, where some browsers want it. It stays until the next one takes its place.
    field.set_hidden(true);
    field.set_class_name("file-field");
    if let Ok(Some(before)) = dom::document().query_selector(".file-field") {
        before.remove();
    }
    if let Some(body) = dom::document().body() {
        let _ = body.append_child(&field);
    }
    let mut chosen = Some(chosen);
    let kept = field.clone();
    let changed = Closure::<dyn FnMut()>::new(move || {
        let files = kept.files().map(|files| of_field(&files)).unwrap_or_default();
        if let Some(chosen) = chosen.take_if(|_| !files.is_empty()) {
            chosen(files);
        }
    });
    let _ = field.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
    // As long as the field is there.
    changed.forget();
    field.click();
}

/// What a person reads, and the button that helps, where an upload's files are gone.
#[component]
pub(crate) fn ChooseAgain(
    /// The upload.
    transfer: TransferId,
) -> impl IntoView {
    let stores = stores();
    let lack = Memo::new(move |_| lacking().with(|all| all.get(&transfer).cloned()));
    let view = untrack(|| stores.transfers.row(transfer));
    let way = match view.map(|view| view.with_untracked(|view| view.task)) {
        Some(Task::Send) => Way::Machine,
        _ => Way::Drive,
    };
    let words = move || match lack.get() {
        Some(Lack::Another) => text::upload::stopped().to_owned(),
        Some(Lack::Refused(why)) => text::upload::refused(&why),
        Some(Lack::Files) => text::upload::files_gone().to_owned(),
        Some(Lack::SameFiles) => text::upload::other_files().to_owned(),
        Some(Lack::Record) => text::upload::nothing_known().to_owned(),
        // It is being taken up, as after a reload.
        None => text::upload::goes_on().to_owned(),
    };
    let help = move |lack: &Lack| match lack {
        Lack::Files | Lack::SameFiles | Lack::Another => choose_again(stores, way, transfer),
        Lack::Refused(_) => try_again(stores, way, transfer),
        Lack::Record => steer_all(stores, vec![transfer], Act::Cancel),
    };
    let button = move || {
        lack.get().map(|lack| {
            let label = match lack {
                Lack::Files | Lack::SameFiles | Lack::Another => text::upload::choose_again(),
                Lack::Refused(_) => text::common::retry(),
                Lack::Record => text::transfer::cancel_verb(),
            };
            view! { <button type="button" class="button sm" on:click=move |_| help(&lack)>{label}</button> }
        })
    };
    view! { <span class="grow">{words}</span> {button} }
}
