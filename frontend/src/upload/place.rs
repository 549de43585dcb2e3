//! The order that an upload stands under: this browser orders itself, signs, and has it recorded.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{RootId, TransferId},
    order::{OrderBody, Selection, UploadOrder},
    path::{Label, RootPath},
    transfer::TransferView,
};

use crate::{api, identity, order};

/// Places the order to put what these paths name into the drive.
pub(super) async fn place(id: TransferId, tops: Vec<RootPath>) -> Result<TransferView, Refusal> {
    let me = identity::current().ok_or_else(signed_out)?;
    let (device, what) = (me.device(), order::what(&tops));
    let (selection, beside) = Selection::of(tops);
    let body = OrderBody::Upload(UploadOrder {
        root: RootId::of_files(&device),
        root_name: Label::new("Files").map_err(|_| api::not_understood())?,
        space: me.signed_in.space,
        selection,
    });
    order::register(order::sign(&me, device, id, body), what, beside).await
}

pub(super) fn signed_out() -> Refusal {
    Refusal::new(ErrorCode::NotSignedIn, "sign in again, then put the files in again")
}
