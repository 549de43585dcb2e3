//! Downloads straight from machines: asked for here, done in the worker that holds the sessions, saved by the browser.

pub(crate) mod message;
mod rate;
mod save;
pub(crate) mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use beckon_shared::{error::Refusal, id::DeviceId, wire};
use js_sys::Array;
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};

use self::{
    message::{DownloadId, Figures, FromWorker, Job, ToWorker, Told, What},
    rate::Rate,
    save::{Cannot, Target},
};
use crate::{
    dom, format, session,
    store::{Download, DownloadState, Stores},
    text,
};

/// Downloads under way at once; the others wait for their turn.
const AT_ONCE: usize = 2;

/// What somebody wants to have.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) machine: DeviceId,
    /// The name under which it is saved.
    pub(crate) name: String,
    pub(crate) what: What,
    /// Bytes, where that is known.
    pub(crate) size: Option<u64>,
}

/// What the page keeps of a download beside its row.
struct Kept {
    wanted: Wanted,
    rate: Rate,
    /// Where its bytes go, once it has begun.
    target: Option<Target>,
}

thread_local! {
    static KEPT: RefCell<HashMap<DownloadId, Kept>> = RefCell::default();
    static NEXT: Cell<u32> = const { Cell::new(0) };
}

/// Downloads it, now or when those before it are done.
pub(crate) fn start(stores: Stores, wanted: Wanted) {
    let id = DownloadId(NEXT.replace(NEXT.get().wrapping_add(1)));
    stores.downloads.add(Download {
        id,
        machine: wanted.machine,
        name: wanted.name.clone(),
        state: DownloadState::Queued,
        figures: Figures::default(),
        rate: None,
    });
    keep(id, wanted);
    go_on(stores);
}

/// Ends it and forgets it.
pub(crate) fn cancel(stores: Stores, id: DownloadId) {
    let is_running = is_running(stores, id);
    forget(stores, id);
    if is_running {
        let _ = tell(stores, &ToWorker::Cancel(id), &JsValue::NULL, &Array::new());
    }
    go_on(stores);
}

/// Begins one anew that was not done.
pub(crate) fn again(stores: Stores, id: DownloadId) {
    let wanted = KEPT.with_borrow_mut(|kept| kept.remove(&id)).map(|kept| kept.wanted);
    stores.downloads.remove(id);
    if let Some(wanted) = wanted {
        start(stores, wanted);
    }
}

/// Takes one that is over out of the list.
pub(crate) fn put_away(stores: Stores, id: DownloadId) {
    forget(stores, id);
}

/// Whether signing out, or closing the page, would end a download.
pub(crate) fn is_under_way(stores: Stores) -> bool {
    !stores.downloads.peek(|one| (!one.is_over()).then_some(())).is_empty()
}

/// Warns who closes the page, and ends all downloads of who signs out or leaves; once, at the start of the page.
pub(crate) fn watch(stores: Stores) {
    Effect::new(move || {
        if stores.me.read().is_none() {
            abandon_all();
        }
    });
    // For as long as the page lives. Without a word the browser would wait for bytes that nobody makes any more.
    let _ = window_event_listener_untyped("pagehide", |event| {
        let comes_back = js_sys::Reflect::get(&event, &"persisted".into()).is_ok_and(|kept| kept.is_truthy());
        if !comes_back {
            abandon_all();
        }
    });
    let leaving = Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| {
        if is_under_way(stores) {
            event.prevent_default();
        }
    });
    let _ = dom::window().add_event_listener_with_callback("beforeunload", leaving.as_ref().unchecked_ref());
    // As long as the page lives.
    leaving.forget();
}

fn abandon_all() {
    KEPT.take()
        .into_values()
        .filter_map(|kept| kept.target)
        .for_each(Target::abandon);
}

fn keep(id: DownloadId, wanted: Wanted) {
    let kept = Kept {
        wanted,
        rate: Rate::default(),
        target: None,
    };
    KEPT.with_borrow_mut(|all| all.insert(id, kept));
}

fn forget(stores: Stores, id: DownloadId) {
    KEPT.with_borrow_mut(|kept| kept.remove(&id));
    stores.downloads.remove(id);
}

fn is_running(stores: Stores, id: DownloadId) -> bool {
    let running = stores
        .downloads
        .peek(|one| (one.state == DownloadState::Running).then_some(one.id));
    running.contains(&id)
}

/// Begins as many of those that wait as may run.
fn go_on(stores: Stores) {
    loop {
        let running = stores
            .downloads
            .peek(|one| (one.state == DownloadState::Running).then_some(()));
        let next = stores
            .downloads
            .peek(|one| (one.state == DownloadState::Queued).then_some(one.id));
        let Some(id) = next.first().copied().filter(|_| running.len() < AT_ONCE) else {
            return;
        };
        stores.downloads.change(id, |one| one.state = DownloadState::Running);
        spawn_local(begin(stores, id));
    }
}

async fn begin(stores: Stores, id: DownloadId) {
    let Some(wanted) = KEPT.with_borrow(|kept| kept.get(&id).map(|kept| kept.wanted.clone())) else {
        return;
    };
    let gone = move |id| _ = tell(stores, &ToWorker::Gone(id), &JsValue::NULL, &Array::new());
    let target = match save::target(id, &wanted, gone).await {
        Ok(target) => target,
        Err(Cannot::Cancelled) => return cancel(stores, id),
        Err(Cannot::Refused(refusal)) => return fail(stores, id, refusal),
    };
    let job = Job {
        id,
        machine: wanted.machine,
        what: wanted.what,
        into: target.into,
        lang: text::lang(),
    };
    // Somebody ended it meanwhile, or the worker died.
    if !is_running(stores, id) {
        return target.abandon();
    }
    let (beside, moved) = (target.beside.clone(), target.moved.clone());
    KEPT.with_borrow_mut(|kept| {
        if let Some(kept) = kept.get_mut(&id) {
            kept.target = Some(target);
        }
    });
    if let Err(refusal) = tell(stores, &ToWorker::Start(Box::new(job)), &beside, &moved) {
        fail(stores, id, refusal);
    }
}

fn tell(stores: Stores, message: &ToWorker, beside: &JsValue, moved: &Array) -> Result<(), Refusal> {
    session::download(stores, wire::encode(message), beside, moved)
}

/// The worker tells something of a download.
pub(crate) fn heard(stores: Stores, message: Vec<u8>, beside: JsValue) {
    let Ok(FromWorker { id, told }) = wire::decode(&message) else {
        return;
    };
    match told {
        Told::Progress(figures) => progress(stores, id, figures),
        Told::Done(left) => {
            let kept = KEPT.with_borrow(|kept| kept.get(&id).map(|kept| kept.wanted.name.clone()));
            if let Some(name) = kept.filter(|_| beside.is_object()) {
                if !dom::is_secure() {
                    let says = text::download::keep_it(&format::name(&name));
                    stores.toasts.say(says, None);
                }
                save::hand_over(&beside, &name);
            }
            match left.count {
                0 => forget(stores, id),
                _ => end(stores, id, DownloadState::Partly(left)),
            }
            go_on(stores);
        }
        Told::Cancelled => {
            forget(stores, id);
            go_on(stores);
        }
        Told::Failed(refusal) => fail(stores, id, refusal),
    }
}

fn progress(stores: Stores, id: DownloadId, figures: Figures) {
    let rate = KEPT.with_borrow_mut(|kept| {
        let kept = kept.get_mut(&id)?;
        if let Some(target) = &mut kept.target {
            target.keep_alive();
        }
        kept.rate.measure(js_sys::Date::now(), figures.done)
    });
    stores.downloads.change(id, |one| {
        one.figures = figures;
        one.rate = rate.filter(|_| !figures.waits);
    });
}

fn fail(stores: Stores, id: DownloadId, refusal: Refusal) {
    end(stores, id, DownloadState::Failed(refusal));
    go_on(stores);
}

/// It is over, and a person is to know how.
fn end(stores: Stores, id: DownloadId, state: DownloadState) {
    KEPT.with_borrow_mut(|kept| {
        if let Some(kept) = kept.get_mut(&id) {
            kept.target = None;
        }
    });
    stores.downloads.change(id, |one| (one.state, one.rate) = (state, None));
}

/// The worker died, and all downloads with it.
pub(crate) fn broken(stores: Stores) {
    let running = stores
        .downloads
        .peek(|one| (one.state == DownloadState::Running).then_some(one.id));
    for id in running {
        let target = KEPT.with_borrow_mut(|kept| kept.get_mut(&id)?.target.take());
        if let Some(target) = target {
            target.abandon();
        }
        end(stores, id, DownloadState::Failed(crate::worker::broken()));
    }
    go_on(stores);
}
