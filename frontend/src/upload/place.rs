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

use crate::{api, dom, identity, identity::Identity, socket};

/// What people are shown of a selection has at most so many bytes (`wire::Request::PlaceOrder`).
const WHAT_MAX: usize = 200;

/// The id of an order to be.
pub(super) fn fresh_id() -> TransferId {
    TransferId::new(dom::now(), dom::random())
}

/// Places the order to put what these paths name into the drive.
pub(super) async fn place(id: TransferId, tops: Vec<RootPath>) -> Result<TransferView, Refusal> {
    let me = identity::current().ok_or_else(signed_out)?;
    let what = what(&tops);
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

/// The selection for people: as many names as fit, and how many more there are.
fn what(tops: &[RootPath]) -> String {
    let names: Vec<String> = tops
        .iter()
        .filter_map(|path| path.split_last())
        .map(|(_, name)| name.display())
        .collect();
    let mut shown = names.len();
    while shown > 0 {
        let text = match names.len() - shown {
            0 => names.join(", "),
            more => format!("{} and {more} more", names[..shown].join(", ")),
        };
        if text.len() <= WHAT_MAX {
            return text;
        }
        // Most selections are short; a long one is cut quickly.
        shown = if shown > 16 { 16 } else { shown - 1 };
    }
    let first = names.first().map(String::as_str).unwrap_or_default();
    let mut end = first.len().min(WHAT_MAX - '…'.len_utf8());
    while !first.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &first[..end])
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn said(names: &[&str]) -> String {
        let paths: Vec<_> = names
            .iter()
            .map(|name| RootPath::new(format!("a/{name}")).unwrap())
            .collect();
        what(&paths)
    }

    #[wasm_bindgen_test]
    fn people_read_as_many_names_as_fit() {
        assert_eq!(said(&["one", "two"]), "one, two");
        let many: Vec<_> = (0..3000).map(|n| format!("photo {n}.jpg")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let text = said(&many);
        assert!(
            text.starts_with("photo 0.jpg, ") && text.ends_with(" more") && text.len() <= WHAT_MAX,
            "{text}"
        );
        let long = "长".repeat(100);
        assert!(said(&[&long]).len() <= WHAT_MAX);
    }
}
