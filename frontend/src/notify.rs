//! Notifications of the browser: a transfer has ended or needs somebody while no page of Beckon is in front.

use std::collections::BTreeMap;

use beckon_shared::{
    id::TransferId,
    transfer::{Task, TransferState, TransferView},
};
use leptos::{leptos_dom::helpers::window_event_listener_untyped, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use wasm_bindgen::{JsCast, prelude::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationOptions, NotificationPermission};

use crate::{
    component::transfer::{Group, group, what},
    dom, format, route,
    store::Stores,
    text::{settings, sync, transfer as words},
};

/// Names the page that is in front, in local storage; it is told to all pages of this browser.
const FRONT: &str = "beckon.front";

thread_local! {
    static PAGE: String = hex::encode(dom::random::<8>());
}

/// Whether this browser shows notifications of this page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does.
    Allowed,
    /// It would ask the person.
    Unasked,
    /// The person, or the browser, said no.
    Denied,
    /// Over plain http no browser does.
    Insecure,
    /// This one never does.
    Missing,
}

/// How it stands now.
pub(crate) fn standing() -> Standing {
    let has_them = js_sys::Reflect::has(&dom::window(), &"Notification".into()).unwrap_or(false);
    match () {
        () if !dom::is_secure() => Standing::Insecure,
        () if !has_them => Standing::Missing,
        () => match Notification::permission() {
            NotificationPermission::Granted => Standing::Allowed,
            NotificationPermission::Denied => Standing::Denied,
            _ => Standing::Unasked,
        },
    }
}

/// Asks the person, which browsers allow on a click only, and shows a first one to see whether it can be done: some browsers
/// show none of pages, though they ask.
pub(crate) async fn ask() -> Standing {
    if standing() == Standing::Unasked
        && let Ok(asking) = Notification::request_permission()
    {
        let _ = JsFuture::from(asking).await;
    }
    match standing() {
        Standing::Allowed if Notification::new(settings::tell_works()).is_err() => Standing::Missing,
        standing => standing,
    }
}

/// Tells what happens from now on, as long as the component lives that calls it.
pub(crate) fn watch(stores: Stores) {
    keep_front();
    let go = StoredValue::new_local(use_navigate());
    let open = move |id: TransferId| {
        let _ = go.try_with_value(|go| go(&route::transfer(id), NavigateOptions::default()));
    };
    Effect::new(move |before: Option<BTreeMap<TransferId, Group>>| {
        let mut now = BTreeMap::new();
        let mut news = Vec::new();
        stores.transfers.each(|view| {
            let group = group(stores, view);
            let was = before.as_ref().and_then(|before| before.get(&view.id).copied());
            if let Some(says) = was.and_then(|was| said(view, was, group)) {
                news.push((view.id, says));
            }
            now.insert(view.id, group);
        });
        if stores.prefs.notify.get_untracked() && standing() == Standing::Allowed {
            news.into_iter().for_each(|(id, says)| tell(id, &says, open));
        }
        now
    });
}

/// What a person wants to hear, if anything: not what is seen for the first time, and not what a person did.
fn said(view: &TransferView, was: Group, is: Group) -> Option<String> {
    let was_over = matches!(was, Group::Done);
    let what = what(view);
    match view.state {
        _ if was == is || was_over => None,
        TransferState::Done if view.task.writes() => Some(sync::told_written(&what, &format::name(&view.machine))),
        TransferState::Done => Some(words::told_done(&what)),
        TransferState::Cancelled => None,
        _ if is != Group::NeedsYou => None,
        TransferState::Failed if view.task.is_standing() => Some(sync::told_stopped(&what)),
        TransferState::Partly if view.task != Task::Upload => Some(sync::told_partly(&what)),
        TransferState::Failed if view.task != Task::Upload => Some(sync::told_failed(&what)),
        TransferState::Partly => Some(words::told_partly(&what)),
        TransferState::Failed => Some(words::told_failed(&what)),
        TransferState::Queued | TransferState::Running => Some(words::told_needs(&what)),
    }
}

fn tell(id: TransferId, says: &str, open: impl Fn(TransferId) + Copy + 'static) {
    if !dom::document().hidden() || is_other_in_front() {
        return;
    }
    let options = NotificationOptions::new();
    // Of those with one tag the browser shows the newest only: what each page tells, and what comes of the same transfer later.
    options.set_tag(&id.to_string());
    let Ok(shown) = Notification::new_with_options(says, &options) else {
        return;
    };
    let close = shown.clone();
    let clicked = Closure::once_into_js(move || {
        let _ = dom::window().focus();
        open(id);
        close.close();
    });
    shown.set_onclick(Some(clicked.unchecked_ref()));
}

fn front() -> Option<String> {
    dom::local_storage()?.get_item(FRONT).ok()?
}

fn is_other_in_front() -> bool {
    front().is_some_and(|front| PAGE.with(|page| *page != front))
}

/// Keeps in local storage whether a page of Beckon is in front. Of two that are seen at once, the one that is left names the
/// other.
fn keep_front() {
    note_front();
    let seen = window_event_listener_untyped("visibilitychange", |_| note_front());
    let left = window_event_listener_untyped("pagehide", |_| leave_front());
    let back = window_event_listener_untyped("pageshow", |_| note_front());
    let other = window_event_listener_untyped("storage", |_| {
        if !dom::document().hidden() && front().is_none() {
            note_front();
        }
    });
    on_cleanup(move || {
        leave_front();
        seen.remove();
        left.remove();
        back.remove();
        other.remove();
    });
}

fn note_front() {
    if dom::document().hidden() {
        leave_front();
    } else if let Some(storage) = dom::local_storage() {
        PAGE.with(|page| _ = storage.set_item(FRONT, page));
    }
}

fn leave_front() {
    if front().is_some()
        && !is_other_in_front()
        && let Some(storage) = dom::local_storage()
    {
        let _ = storage.remove_item(FRONT);
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::component::transfer::sample;

    fn view(state: TransferState) -> TransferView {
        TransferView {
            state,
            ..sample::view()
        }
    }

    #[wasm_bindgen_test]
    fn ends_and_needs_are_told_once_and_what_a_person_did_is_not() {
        use TransferState::{Cancelled, Done, Failed, Running};
        let told = |state, was, is| said(&view(state), was, is);
        assert_eq!(
            told(Done, Group::Running, Group::Done).as_deref(),
            Some("Documents is safe in the drive")
        );
        assert_eq!(
            told(Failed, Group::Waiting, Group::NeedsYou).as_deref(),
            Some("Documents was not uploaded")
        );
        assert_eq!(
            told(Running, Group::Running, Group::NeedsYou).as_deref(),
            Some("Documents needs you")
        );
        for (state, was, is) in [
            (Cancelled, Group::Running, Group::Done),
            (Running, Group::Waiting, Group::Running),
            (Failed, Group::NeedsYou, Group::Done),
            (Failed, Group::NeedsYou, Group::NeedsYou),
            (Done, Group::Done, Group::Done),
        ] {
            assert_eq!(told(state, was, is), None, "{state:?}");
        }
    }

    #[wasm_bindgen_test]
    fn what_is_written_is_told_by_its_machine_and_what_is_kept_current_only_when_it_stops() {
        use TransferState::{Done, Failed, Running};
        let told = |task, state, was, is| said(&TransferView { task, ..view(state) }, was, is);
        assert_eq!(
            told(Task::Send, Done, Group::Running, Group::Done).as_deref(),
            Some("Documents is on desk")
        );
        assert_eq!(
            told(Task::Watch, Failed, Group::Kept, Group::NeedsYou).as_deref(),
            Some("Documents is not kept current any more")
        );
        assert_eq!(
            told(Task::Follow, Running, Group::Kept, Group::NeedsYou).as_deref(),
            Some("Documents needs you")
        );
    }
}
