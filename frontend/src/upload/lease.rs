//! Which tab carries on an upload: a short lease in local storage, renewed while the tab lives.
//!
//! It saves work and is not needed to be right: two tabs that carry on the same upload store the same, once.

use beckon_shared::{id::TransferId, time::Timestamp};

use crate::dom;

/// A tab that has not renewed its lease for so long is gone. Milliseconds; timers of hidden tabs run once a minute at worst.
const LIFE_MS: i64 = 90_000;

thread_local! {
    static TAB: String = hex::encode(dom::random::<8>());
}

fn key(transfer: TransferId) -> String {
    format!("beckon.upload.{transfer}")
}

/// Takes or renews the lease, unless another tab has it.
pub(super) fn take(transfer: TransferId) -> bool {
    // Without storage there are no files kept either, so no other tab could carry on.
    let Some(storage) = dom::local_storage() else {
        return true;
    };
    let held = storage.get_item(&key(transfer)).ok().flatten();
    let now = dom::now();
    let mine = TAB.with(|tab| held.as_deref().is_none_or(|held| is_free(held, tab, now)));
    if mine {
        let lease = TAB.with(|tab| format!("{tab} {}", now.0 + LIFE_MS));
        let _ = storage.set_item(&key(transfer), &lease);
    }
    mine
}

/// Whether another tab has it.
pub(super) fn is_elsewhere(transfer: TransferId) -> bool {
    let held = dom::local_storage().and_then(|storage| storage.get_item(&key(transfer)).ok().flatten());
    held.is_some_and(|held| TAB.with(|tab| !is_free(&held, tab, dom::now())))
}

/// Gives the lease back, if it is this tab's.
pub(super) fn release(transfer: TransferId) {
    let Some(storage) = dom::local_storage() else { return };
    let held = storage.get_item(&key(transfer)).ok().flatten();
    if held.is_some_and(|held| TAB.with(|tab| held.starts_with(tab.as_str()))) {
        let _ = storage.remove_item(&key(transfer));
    }
}

fn is_free(held: &str, tab: &str, now: Timestamp) -> bool {
    match held.split_once(' ') {
        Some((owner, until)) => owner == tab || until.parse().is_ok_and(|until: i64| until < now.0),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_lease_is_free_for_its_tab_and_for_all_when_it_is_over() {
        let now = Timestamp(1_000);
        assert!(is_free("mine 5000", "mine", now));
        assert!(!is_free("other 5000", "mine", now));
        assert!(is_free("other 900", "mine", now));
        assert!(is_free("damaged", "mine", now));
    }
}
