//! Files of this terminal on their way into `Files/` of the drive.
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
mod under_way;
pub(crate) mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use beckon_shared::{
    api::transfer::Act,
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::LONGEST_WAIT,
    path::RootPath,
    transfer::{Hold, Problem, TransferState, TransferView},
};
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::HtmlInputElement;

pub(crate) use chosen::{Chosen, Dropped, has_files, of_drop, of_field};
use keep::Record;

use crate::{
    dom, identity,
    store::{Link, Stores, stores},
    text,
};

/// Leases are renewed, and what may go on is looked for, every so often.
const LOOK: std::time::Duration = std::time::Duration::from_secs(15);

thread_local! {
    /// Uploads of this browser whose files are gone.
    static WITHOUT_FILES: ArcRwSignal<BTreeSet<TransferId>> = ArcRwSignal::new(BTreeSet::new());
    /// Uploads whose files were chosen again, and were others.
    static MISMATCHED: ArcRwSignal<BTreeSet<TransferId>> = ArcRwSignal::new(BTreeSet::new());
    /// How many uploads are about to begin.
    static PLACING: Cell<u32> = const { Cell::new(0) };
    /// Uploads that are being looked up in the vault.
    static LOOKING: RefCell<BTreeSet<TransferId>> = const { RefCell::new(BTreeSet::new()) };
}

fn without_files() -> ArcRwSignal<BTreeSet<TransferId>> {
    WITHOUT_FILES.with(Clone::clone)
}

fn mismatched() -> ArcRwSignal<BTreeSet<TransferId>> {
    MISMATCHED.with(Clone::clone)
}

/// Puts what was chosen into a folder below `Files`. The transfer is in the stores when this returns.
pub(crate) async fn put(stores: Stores, folder: RootPath, chosen: Vec<Chosen>) -> Result<(), Refusal> {
    let wishes: Vec<_> = chosen.iter().map(Chosen::wish).collect();
    let plan = plan::plan(&folder, &wishes);
    if plan.tops.is_empty() {
        return Err(nothing(&plan.problems));
    }
    let files: Array = plan.entries.iter().map(|(at, _)| chosen[*at].value()).collect();
    let record = Record {
        folder,
        entries: plan.entries.into_iter().map(|(_, entry)| entry).collect(),
        problems: plan.problems,
    };
    let id = place::fresh_id();
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
    let kept = may_keep && keep::keep(id, &record, &files).await;
    match place::place(id, tops).await {
        Ok(view) => stores.transfers.put(view),
        Err(refusal) => {
            keep::forget(id).await;
            return Err(refusal);
        }
    }
    lease::take(id);
    under_way::add(stores, id, record, files, kept);
    Ok(())
}

fn nothing(problems: &[Problem]) -> Refusal {
    let message = problems.first().map(|problem| problem.message.clone());
    Refusal::new(
        ErrorCode::BadRequest,
        message.unwrap_or_else(|| "there is nothing in what was chosen; choose files".to_owned()),
    )
}

/// A terminal steers one of this browser's uploads.
pub(crate) fn steer(stores: Stores, id: TransferId, act: Act) {
    match act {
        Act::Pause => under_way::pause(stores, id),
        Act::Resume | Act::Retry if under_way::has(id) => under_way::resume(stores, id),
        Act::Resume | Act::Retry => leptos::task::spawn_local(take_up(stores, id)),
        Act::Cancel => forget(stores, id),
    }
}

fn forget(stores: Stores, id: TransferId) {
    under_way::remove(stores, id);
    without_files().update(|ids| _ = ids.remove(&id));
    leptos::task::spawn_local(keep::forget(id));
}

/// Goes on with what an earlier page, or another tab that is gone, left; once, at the start of the page.
pub(crate) fn watch(stores: Stores) {
    Effect::new(move || {
        if stores.me.read().is_none() {
            under_way::clear();
        } else if stores.link.get() == Link::Online && stores.transfers.known.get() {
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
    listen("pagehide", |_| under_way::ids().into_iter().for_each(lease::release));
    leptos::task::spawn_local(forget_old());
}

fn listen(event: &str, heard: fn(web_sys::Event)) {
    let heard = Closure::<dyn FnMut(web_sys::Event)>::new(heard);
    let _ = dom::window().add_event_listener_with_callback(event, heard.as_ref().unchecked_ref());
    heard.forget();
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
    for view in all.iter().filter(|view| view.device == device) {
        match view.state {
            TransferState::Done | TransferState::Cancelled if under_way::has(view.id) => forget(stores, view.id),
            state if state.is_over() || view.hold == Hold::User || under_way::has(view.id) => {}
            _ if without_files().with_untracked(|ids| ids.contains(&view.id)) => {}
            _ => leptos::task::spawn_local(take_up(stores, view.id)),
        }
    }
}

/// Goes on with an upload if its files are kept and no other tab does.
async fn take_up(stores: Stores, id: TransferId) {
    let first = LOOKING.with_borrow_mut(|looking| looking.insert(id));
    if !first {
        return;
    }
    if !under_way::has(id) && lease::take(id) {
        match keep::kept(id).await {
            Some((record, Some(files))) => under_way::add(stores, id, record, files, true),
            _ => {
                lease::release(id);
                without_files().update(|ids| _ = ids.insert(id));
            }
        }
    }
    LOOKING.with_borrow_mut(|looking| looking.remove(&id));
}

async fn forget_old() {
    let oldest = dom::now().before(LONGEST_WAIT + LONGEST_WAIT);
    for id in keep::all().await {
        let made =
            id.0.get_timestamp()
                .map_or(0, |at| i64::try_from(at.to_unix().0).unwrap_or(0) * 1000);
        if made < oldest.0 {
            keep::forget(id).await;
        }
    }
}

/// Whether an upload of this browser stands still because its files are gone; tracked.
pub(crate) fn needs_files(id: TransferId) -> bool {
    without_files().with(|ids| ids.contains(&id))
}

/// Has the person choose the files of an upload again; what arrived is not sent again.
pub(crate) fn choose_again(stores: Stores, id: TransferId) {
    leptos::task::spawn_local(async move {
        let kept = keep::kept(id).await;
        let nested = kept.as_ref().is_some_and(|(record, _)| is_nested(record));
        pick(nested, move |chosen| {
            leptos::task::spawn_local(chosen_again(stores, id, chosen))
        });
    });
}

/// Whether what was chosen was a folder.
fn is_nested(record: &Record) -> bool {
    let depth = record.folder.names().count() + 1;
    record.entries.iter().any(|entry| entry.path.names().count() > depth)
}

async fn chosen_again(stores: Stores, id: TransferId, chosen: Vec<Chosen>) {
    let Some((record, _)) = keep::kept(id).await else {
        mismatched().update(|ids| _ = ids.insert(id));
        return;
    };
    let wishes: Vec<_> = chosen.iter().map(Chosen::wish).collect();
    let plan = plan::plan(&record.folder, &wishes);
    let found = record.matching(&plan.entries);
    let files: Array = chosen.iter().map(Chosen::value).collect();
    let (entries, files) = under_way::chosen(&record, &found, &files);
    if entries.is_empty() {
        mismatched().update(|ids| _ = ids.insert(id));
        return;
    }
    let missing = record.entries.iter().zip(&found).filter(|(_, found)| found.is_none());
    let missing = missing.map(|(entry, _)| Problem {
        path: entry.path.clone(),
        code: ErrorCode::Changing,
        message: "it was not chosen again, or it changed since it was first chosen; put it in again".to_owned(),
    });
    let problems = record.problems.iter().cloned().chain(missing).collect();
    without_files().update(|ids| _ = ids.remove(&id));
    mismatched().update(|ids| _ = ids.remove(&id));
    lease::take(id);
    under_way::add(
        stores,
        id,
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
    let words = move || match mismatched().with(|ids| ids.contains(&transfer)) {
        true => text::upload::other_files(),
        false if needs_files(transfer) => text::upload::files_gone(),
        // It is being taken up, as after a reload.
        false => text::upload::goes_on(),
    };
    let button = move || {
        needs_files(transfer).then(|| {
            view! {
                <button type="button" class="button sm" on:click=move |_| choose_again(stores, transfer)>
                    {text::upload::choose_again()}
                </button>
            }
        })
    };
    view! { <span class="grow">{words}</span> {button} }
}
