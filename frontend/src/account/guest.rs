//! A computer that is somebody else's: keys stay in memory, and the session ends with the tab.

mod hold;

use std::cell::Cell;

use beckon_shared::route;
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::RequestInit;

use super::{leave, tabs};
use crate::{api, dom, identity};

/// Whose computer this browser runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Computer {
    /// One's own: what one is signed in with is kept.
    Own,
    /// Somebody else's: nothing is kept.
    Foreign,
}

impl Computer {
    pub(super) fn is_own(self) -> bool {
        self == Self::Own
    }
}

/// In local storage until the server has said that a guest's session is over, so that one that no tab holds any more is
/// found and ended, however its tab came to its end.
const MARK: &str = "beckon.guest";

thread_local! {
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

fn is_here() -> bool {
    identity::current().is_some_and(|identity| !identity.kept)
}

/// A guest signed in: the session ends when the tab is closed or left.
pub(super) fn begin() {
    if let Some(storage) = dom::local_storage() {
        let _ = storage.set_item(MARK, "1");
    }
    hold::take();
    if LISTENS.replace(true) {
        return;
    }
    let gone = Closure::<dyn FnMut()>::new(|| {
        if is_here() {
            sign_out_behind();
            hold::let_go();
        }
    });
    let listening = dom::window().add_event_listener_with_callback("pagehide", gone.as_ref().unchecked_ref());
    if listening.is_ok() {
        gone.forget();
    }
    let back = Closure::<dyn FnMut()>::new(|| {
        // The browser kept the page as it was; the session is no more.
        if is_here() {
            let _ = dom::window().location().reload();
        }
    });
    let listening = dom::window().add_event_listener_with_callback("pageshow", back.as_ref().unchecked_ref());
    if listening.is_ok() {
        back.forget();
    }
}

/// The guest's session has ended, or its cookie is somebody else's now.
pub(super) fn end() {
    if let Some(storage) = dom::local_storage() {
        let _ = storage.remove_item(MARK);
    }
}

/// This tab is a guest's no more.
pub(super) fn let_go() {
    hold::let_go();
}

/// At the start: ends the session of a guest whose tab ended without a word. A tab that lives has the lock; where the browser
/// has none for the page, it answers when asked, unless it is frozen.
pub(super) async fn clean_up() {
    let mark = dom::local_storage().and_then(|storage| storage.get_item(MARK).ok()?);
    if mark.is_none() || hold::is_taken().await || tabs::is_any_signed_in().await {
        return;
    }
    if api::tell("/api/sign-out", &())
        .await
        .map_or_else(|refusal| leave::is_over(&refusal), |()| true)
    {
        end();
    }
}

/// Signs out by a request that outlives the page.
fn sign_out_behind() {
    let init = RequestInit::new();
    init.set_method("POST");
    let headers = js_sys::Object::new();
    let _ = js_sys::Reflect::set(&headers, &route::MUTATION_HEADER.into(), &"1".into());
    init.set_headers(&headers);
    let _ = js_sys::Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE);
    let _ = dom::window().fetch_with_str_and_init("/api/sign-out", &init);
}
