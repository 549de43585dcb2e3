//! Orders: made and signed here, placed through the control socket.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{DeviceId, Hash, RootId, TransferId},
    order::{LONGEST_WAIT, Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::{Label, RootPath},
    signature::Signed,
    transfer::TransferView,
    wire::{Reply, Request},
};

use crate::{
    api, dom, format,
    identity::{self, Identity},
    socket,
    store::Stores,
    text,
};

/// What people are shown of a selection has at most so many bytes (`wire::Request::PlaceOrder`).
const WHAT_MAX: usize = 200;

/// What was selected for an order: paths of a root.
#[derive(Debug, Clone)]
struct Selected {
    root: RootId,
    paths: Vec<RootPath>,
}

thread_local! {
    /// What was ordered in this tab; no server tells what a transfer covers.
    static ORDERED: RefCell<HashMap<TransferId, Selected>> = RefCell::default();
    /// Orders the upload of the rows that are dragged.
    static DRAGGED: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Whether a transfer covers a path; nothing if it was not ordered in this tab.
pub(crate) fn covers(transfer: TransferId, root: RootId, path: &RootPath) -> Option<bool> {
    ORDERED.with_borrow(|ordered| {
        let selected = ordered.get(&transfer)?;
        Some(selected.root == root && selected.paths.iter().any(|chosen| chosen.holds(path)))
    })
}

/// Rows of a machine are dragged from now on, or none any more; `upload` orders what a drop on the drive means.
pub(crate) fn drag(upload: Option<Rc<dyn Fn()>>) {
    DRAGGED.set(upload);
}

/// Whether rows of a machine are dragged.
pub(crate) fn is_dragged() -> bool {
    DRAGGED.with_borrow(Option::is_some)
}

/// The dragged rows were dropped on the drive.
pub(crate) fn drop_on_drive() {
    if let Some(upload) = DRAGGED.take() {
        upload();
    }
}

/// Orders a machine to upload these entries of a root, with all that is below them. The transfer is in the stores when
/// this returns.
pub(crate) async fn upload(
    stores: Stores,
    machine: DeviceId,
    root: RootId,
    paths: Vec<RootPath>,
) -> Result<TransferView, Refusal> {
    let name = stores
        .devices
        .peek(machine)
        .and_then(|view| view.roots.into_iter().find(|known| known.id == root))
        .map(|root| root.name)
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, text::error::no_machine()))?;
    place(stores, machine, (root, name), paths).await
}

/// The same for a root of this name, which the control list need not know: that of this browser's own files has none.
pub(crate) async fn place(
    stores: Stores,
    target: DeviceId,
    root: (RootId, Label),
    paths: Vec<RootPath>,
) -> Result<TransferView, Refusal> {
    let me = identity::current().ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn, text::error::signed_out()))?;
    let what = what(&paths);
    let selected = Selected {
        root: root.0,
        paths: paths.clone(),
    };
    let (selection, detached) = Selection::of(paths);
    if let Some(bytes) = detached {
        let hash = Hash::of(&bytes);
        api::put_bytes(&format!("/api/selections/{hash}"), bytes).await?;
    }
    let order = Box::new(sign(&me, target, root, selection));
    match socket::request(Request::PlaceOrder { order, what }).await? {
        Reply::Transfer(view) => {
            ORDERED.with_borrow_mut(|ordered| ordered.insert(view.id, selected));
            stores.transfers.put((*view).clone());
            Ok(*view)
        }
        _ => Err(api::not_understood()),
    }
}

fn sign(me: &Identity, target: DeviceId, (root, root_name): (RootId, Label), selection: Selection) -> SignedOrder {
    let (account, issued) = (me.account(), dom::now());
    let order = Order {
        suite: 0,
        signer: me.device(),
        signer_account: account,
        target_account: account,
        target,
        id: TransferId::new(issued, dom::random()),
        issued,
        expires: issued + LONGEST_WAIT,
        body: OrderBody::Upload(UploadOrder {
            root,
            root_name,
            space: me.signed_in.space,
            selection,
        }),
    };
    SignedOrder {
        order: Signed::sign(&order, me.keys.signing()),
        signer: me.chain.clone(),
    }
}

/// The selection for people, in no language: as many paths as fit, and how many more there are.
pub(crate) fn what(paths: &[RootPath]) -> String {
    let room = WHAT_MAX - format!(" +{}", paths.len()).len();
    let mut text = String::new();
    for (at, path) in paths.iter().enumerate() {
        let separator = if at == 0 { "" } else { ", " };
        let next = format!("{separator}{}", format::name(&path.display()));
        if text.len() + next.len() <= room {
            text.push_str(&next);
            continue;
        }
        if at == 0 {
            text = shorten(&next, room);
        }
        let more = paths.len() - at.max(1);
        if more > 0 {
            text.push_str(&format!(" +{more}"));
        }
        break;
    }
    text
}

/// The end of a path tells more than its start.
fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut from = text.len() - (max - '…'.len_utf8());
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("…{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn paths(texts: &[&str]) -> Vec<RootPath> {
        texts.iter().filter_map(|text| RootPath::new(*text).ok()).collect()
    }

    #[wasm_bindgen_test]
    fn a_selection_is_told_by_its_paths() {
        assert_eq!(what(&paths(&["a/b"])), "a/b");
        assert_eq!(what(&paths(&["a", "b"])), "a, b");
        assert_eq!(what(&paths(&[""])), "");
        let long = "x".repeat(90);
        assert_eq!(what(&paths(&[&long, &long, &long])), format!("{long}, {long} +1"));
    }

    #[wasm_bindgen_test]
    fn what_is_told_always_fits() {
        for name in ["é", "x", "长"] {
            let path = name.repeat(250);
            for count in [1, 2, 1000] {
                let many = vec![path.as_str(); count];
                let told = what(&paths(&many));
                assert!(told.len() <= WHAT_MAX && told.starts_with('…'), "{told}");
            }
        }
    }
}
