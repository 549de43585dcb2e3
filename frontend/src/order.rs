//! Orders: made and signed here, placed through the control socket, or given to the machine itself while the server is
//! out of reach.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use beckon_shared::{
    browse::{Answer, Ask, BESIDE_MAX},
    error::{ErrorCode, Refusal},
    id::{DeviceId, Hash, RootId, TransferId},
    order::{
        Extent, FollowOrder, Followed, LONGEST_WAIT, Order, OrderBody, ReceiveOrder, Selection, SignedOrder,
        UploadOrder, WatchOrder,
    },
    path::{Label, RootPath},
    signature::Signed,
    transfer::TransferView,
    wire::{Reply, Request},
};

use leptos::prelude::*;

use crate::{
    api, dom, format,
    identity::{self, Identity},
    session::{self, reach},
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

/// A server that is silent so long is taken for away by who reaches the machine directly. Milliseconds.
const SILENT_MS: u32 = 5_000;

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
/// this returns, unless only the machine could be told.
pub(crate) async fn upload(
    stores: Stores,
    machine: DeviceId,
    root: RootId,
    paths: Vec<RootPath>,
) -> Result<(), Refusal> {
    let (me, root_name) = (me()?, root_name(stores, machine, root)?);
    let what = what(&paths);
    let selected = Selected {
        root,
        paths: paths.clone(),
    };
    let (selection, beside) = Selection::of(paths);
    let body = OrderBody::Upload(UploadOrder {
        root,
        root_name,
        space: me.signed_in.space,
        selection,
    });
    let draft = Draft { body, what, beside };
    let id = fresh_id();
    ORDERED.with_borrow_mut(|ordered| ordered.insert(id, selected));
    let placed = draft.place(stores, &me, machine, id).await;
    if placed.is_err() {
        ORDERED.with_borrow_mut(|ordered| ordered.remove(&id));
    }
    placed
}

/// Orders a machine to keep a root uploaded.
pub(crate) async fn watch(stores: Stores, machine: DeviceId, root: RootId) -> Result<(), Refusal> {
    let (me, root_name) = (me()?, root_name(stores, machine, root)?);
    let body = OrderBody::Watch(WatchOrder {
        root,
        root_name,
        space: me.signed_in.space,
    });
    Draft::of(body, String::new())
        .place(stores, &me, machine, fresh_id())
        .await
}

/// A place of a machine that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The machine.
    pub(crate) machine: DeviceId,
    /// Its root.
    pub(crate) root: RootId,
    /// The folder below it.
    pub(crate) path: RootPath,
}

/// Orders a machine to hold a copy.
pub(crate) async fn follow(stores: Stores, to: &Target, from: Followed, extent: Extent) -> Result<(), Refusal> {
    let (me, root_name) = (me()?, root_name(stores, to.machine, to.root)?);
    let body = OrderBody::Follow(FollowOrder {
        root: to.root,
        root_name,
        path: to.path.clone(),
        space: me.signed_in.space,
        from,
        extent,
    });
    let what = what(std::slice::from_ref(&to.path));
    Draft::of(body, what).place(stores, &me, to.machine, fresh_id()).await
}

/// Orders a machine to write what this browser is going to send: the encoded list `files`, whose tops are `tops`. The
/// transfer is in the stores when this returns.
pub(crate) async fn receive(
    stores: Stores,
    id: TransferId,
    to: &Target,
    tops: &[RootPath],
    files: Vec<u8>,
) -> Result<(), Refusal> {
    let (me, root_name) = (me()?, root_name(stores, to.machine, to.root)?);
    let body = OrderBody::Receive(ReceiveOrder {
        root: to.root,
        root_name,
        path: to.path.clone(),
        space: me.signed_in.space,
        files: Hash::of(&files),
    });
    let order = sign(&me, to.machine, id, body);
    stores.transfers.put(register(order, what(tops), Some(files)).await?);
    Ok(())
}

/// The id of an order to be.
pub(crate) fn fresh_id() -> TransferId {
    TransferId::new(dom::now(), dom::random())
}

fn me() -> Result<Rc<Identity>, Refusal> {
    identity::current().ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn, text::error::signed_out()))
}

fn root_name(stores: Stores, machine: DeviceId, root: RootId) -> Result<Label, Refusal> {
    let view = stores.devices.peek(machine);
    let root = view.and_then(|view| view.roots.into_iter().find(|known| known.id == root));
    root.map(|root| root.name)
        .ok_or_else(|| Refusal::new(ErrorCode::NotFound, text::error::no_machine()))
}

/// What is to be ordered.
struct Draft {
    body: OrderBody,
    /// For people, in no language.
    what: String,
    /// What travels beside the order.
    beside: Option<Vec<u8>>,
}

impl Draft {
    fn of(body: OrderBody, what: String) -> Self {
        Self {
            body,
            what,
            beside: None,
        }
    }

    /// Signs and places it. The transfer is in the stores when this returns, unless only the machine could be told.
    async fn place(self, stores: Stores, me: &Identity, target: DeviceId, id: TransferId) -> Result<(), Refusal> {
        let Self { body, what, beside } = self;
        let order = sign(me, target, id, body);
        let placed = register(order.clone(), what, beside.clone());
        let is_direct = untrack(|| reach::is_direct(target));
        // Who reaches the machine without the server does not wait for a server that is silent. Placed and given, it is one order.
        let placed = match is_direct && may_be_given(beside.as_deref()) {
            true => dom::within(SILENT_MS, placed)
                .await
                .unwrap_or_else(|| Err(api::offline())),
            false => placed.await,
        };
        match placed {
            Ok(view) => {
                stores.transfers.put(view);
                Ok(())
            }
            Err(refusal) if refusal.code == ErrorCode::GoingAway && is_direct => {
                give(stores, target, order, beside).await
            }
            Err(refusal) => Err(refusal),
        }
    }
}

/// Places an order with the server.
pub(crate) async fn register(
    order: SignedOrder,
    what: String,
    detached: Option<Vec<u8>>,
) -> Result<TransferView, Refusal> {
    if let Some(bytes) = detached {
        let hash = Hash::of(&bytes);
        api::put_bytes(&format!("/api/selections/{hash}"), bytes).await?;
    }
    let order = Box::new(order);
    match socket::request(Request::PlaceOrder { order, what }).await? {
        Reply::Transfer(view) => Ok(*view),
        _ => Err(api::not_understood()),
    }
}

/// Whether a machine takes an order with this selection beside it. A larger one only the server takes, and sending it takes
/// its time.
fn may_be_given(detached: Option<&[u8]>) -> bool {
    detached.is_none_or(|selection| selection.len() <= BESIDE_MAX)
}

/// Gives an order to the machine itself, which tells the server when it reaches it.
async fn give(stores: Stores, machine: DeviceId, order: SignedOrder, detached: Option<Vec<u8>>) -> Result<(), Refusal> {
    if !may_be_given(detached.as_deref()) {
        return Err(Refusal::new(ErrorCode::TooLarge, text::error::request_too_large()));
    }
    let order = Box::new(order);
    let ask = match detached {
        None => Ask::Order(order),
        Some(selection) => Ask::OrderWith { order, selection },
    };
    match session::ask(stores, machine, ask).await? {
        Answer::Done => {
            let view = stores.devices.peek(machine);
            let name = view.map(|view| format::name(view.name.as_str())).unwrap_or_default();
            stores.toasts.say(text::reach::given(&name), None);
            Ok(())
        }
        _ => Err(session::misunderstood()),
    }
}

/// Signs an order of this device.
pub(crate) fn sign(me: &Identity, target: DeviceId, id: TransferId, body: OrderBody) -> SignedOrder {
    let (account, issued) = (me.account(), dom::now());
    let order = Order {
        suite: 0,
        signer: me.device(),
        signer_account: account,
        target_account: account,
        target,
        id,
        issued,
        expires: issued + LONGEST_WAIT,
        body,
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
    fn a_selection_that_only_the_server_takes_is_not_given_to_a_machine() {
        assert!(may_be_given(None));
        assert!(may_be_given(Some(&vec![0; BESIDE_MAX])));
        assert!(!may_be_given(Some(&vec![0; BESIDE_MAX + 1])));
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
