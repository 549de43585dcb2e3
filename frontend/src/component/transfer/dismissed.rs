//! What failed and was put away in this browser: it then stands among what is done.

use std::collections::BTreeSet;

use beckon_shared::id::TransferId;
use leptos::prelude::*;

use crate::{dom, store::Stores};

const KEY: &str = "beckon.dismissed";

/// More than this is not kept; the oldest goes first, because ids grow with time.
const MOST: usize = 200;

/// What was put away when the page was last open.
pub(crate) fn load() -> BTreeSet<TransferId> {
    let kept = dom::local_storage().and_then(|storage| storage.get_item(KEY).ok()?);
    kept.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Puts a transfer away.
pub(super) fn put_away(stores: Stores, id: TransferId) {
    change(stores, |all| {
        all.insert(id);
    });
}

/// Takes it out again, because it runs again.
pub(super) fn take_out(stores: Stores, id: TransferId) {
    if stores.transfers.dismissed.with_untracked(|all| all.contains(&id)) {
        change(stores, |all| {
            all.remove(&id);
        });
    }
}

fn change(stores: Stores, change: impl FnOnce(&mut BTreeSet<TransferId>)) {
    stores.transfers.dismissed.update(|all| {
        change(all);
        while all.len() > MOST {
            all.pop_first();
        }
        if let (Some(storage), Ok(text)) = (dom::local_storage(), serde_json::to_string(&*all)) {
            let _ = storage.set_item(KEY, &text);
        }
    });
}
