//! The order that an upload stands under: this browser orders itself, signs, and has it recorded.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{Hash, RootId, TransferId},
    order::{LONGEST_WAIT, Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::{Label, RootPath},
    signature::Signed,
    transfer::TransferView,
    wire::{Reply, Request},
};

use crate::{api, dom, identity, identity::Identity, order, socket};

/// The id of an order to be.
pub(super) fn fresh_id() -> TransferId {
    TransferId::new(dom::now(), dom::random())
}

/// Places the order to put what these paths name into the drive.
pub(super) async fn place(id: TransferId, tops: Vec<RootPath>) -> Result<TransferView, Refusal> {
    let me = identity::current().ok_or_else(signed_out)?;
    let what = order::what(&tops);
    let (selection, detached) = Selection::of(tops);
    if let Some(bytes) = detached {
        api::put_bytes(&format!("/api/selections/{}", Hash::of(&bytes)), bytes).await?;
    }
    let order = Box::new(sign(&me, id, selection)?);
    match socket::request(Request::PlaceOrder { order, what }).await? {
        Reply::Transfer(view) => Ok(*view),
        _ => Err(api::not_understood()),
    }
}

fn sign(me: &Identity, id: TransferId, selection: Selection) -> Result<SignedOrder, Refusal> {
    let issued = dom::now();
    let (account, device) = (me.account(), me.device());
    let order = Order {
        suite: 0,
        signer: device,
        signer_account: account,
        target_account: account,
        target: device,
        id,
        issued,
        expires: issued + LONGEST_WAIT,
        body: OrderBody::Upload(UploadOrder {
            root: RootId::of_files(&device),
            root_name: Label::new("Files").map_err(|_| api::not_understood())?,
            space: me.signed_in.space,
            selection,
        }),
    };
    Ok(SignedOrder {
        order: Signed::sign(&order, me.keys.signing()),
        signer: me.chain.clone(),
    })
}

pub(super) fn signed_out() -> Refusal {
    Refusal::new(ErrorCode::NotSignedIn, "sign in again, then put the files in again")
}
