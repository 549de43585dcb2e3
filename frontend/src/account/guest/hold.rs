//! A lock that a guest's tab holds for as long as it lives, so that other tabs know it from one that is gone: the browser
//! gives a lock back when a tab ends and not when it only freezes. There are locks where the page is a secure context.

use std::cell::RefCell;

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use wasm_bindgen_futures::JsFuture;

use crate::dom;

/// Of the lock.
const NAME: &str = "beckon.guest";

thread_local! {
    /// Gives this tab's lock back.
    static RELEASE: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Takes the lock beside whoever has it already.
pub(super) fn take() {
    let_go();
    let Some((locks, request)) = method("request") else {
        return;
    };
    let held = Promise::new(&mut |done, _| drop(RELEASE.replace(Some(done))));
    let hold = Closure::once_into_js(move |_: JsValue| held);
    let options = Object::new();
    let _ = Reflect::set(&options, &"mode".into(), &"shared".into());
    let _ = request.call3(&locks, &NAME.into(), &options, &hold);
}

/// Gives it back.
pub(super) fn let_go() {
    if let Some(release) = RELEASE.take() {
        let _ = release.call0(&JsValue::NULL);
    }
}

/// Whether any tab has it.
pub(super) async fn is_taken() -> bool {
    names().await.is_some_and(|names| names.iter().any(|name| name == NAME))
}

/// The locks that the tabs of this browser hold.
async fn names() -> Option<Vec<String>> {
    let (locks, query) = method("query")?;
    let asked: Promise = query.call0(&locks).ok()?.dyn_into().ok()?;
    let found = JsFuture::from(asked).await.ok()?;
    let held: Array = Reflect::get(&found, &"held".into()).ok()?.dyn_into().ok()?;
    let name = |lock: JsValue| Reflect::get(&lock, &"name".into()).ok()?.as_string();
    Some(held.iter().filter_map(name).collect())
}

/// The browser's locks, and one of their methods.
fn method(name: &str) -> Option<(JsValue, Function)> {
    let navigator = dom::window().navigator();
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    let method = Reflect::get(&locks, &name.into()).ok()?.dyn_into().ok()?;
    Some((locks, method))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// The browser takes and gives a lock back a moment after it was asked to.
    async fn becomes(taken: bool) -> bool {
        for _ in 0..100 {
            if is_taken().await == taken {
                return true;
            }
        }
        false
    }

    #[wasm_bindgen_test]
    async fn a_tab_of_a_guest_is_known_until_it_lets_go() {
        assert!(!is_taken().await);
        take();
        assert!(becomes(true).await);
        take();
        assert!(becomes(true).await);
        let_go();
        assert!(becomes(false).await, "the lock is still held");
    }
}
