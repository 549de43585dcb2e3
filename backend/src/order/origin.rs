//! What an order is to write on a machine, and where that comes from: checked and named when the order is recorded.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::RootId,
    order::{BadOrder, Extent, FollowOrder, OrderBody},
};

use super::place::{Checked, bad_order};
use crate::{
    access::{Opens, Origin, TransferAccess},
    store::{
        Error,
        meta::{self, Txn, device::Device, source},
    },
};

/// Where the content of a transfer comes from, if not from its own machine.
#[derive(Debug, Default)]
pub(super) struct Whence {
    /// Of a copy.
    pub(super) origin: Option<Origin>,
    /// As people call it.
    pub(super) name: Option<String>,
}

/// Checks that the machine lets itself be written to, and finds what it is to write.
pub(super) async fn whence(txn: &Txn, checked: &Checked<'_>, machine: &Device) -> Result<Whence, Error> {
    match &checked.order.body {
        OrderBody::Upload(_) | OrderBody::Watch(_) => Ok(Whence::default()),
        OrderBody::Follow(follow) => {
            must_be_writable(machine, &follow.root)?;
            of_copy(txn, checked, follow).await
        }
        OrderBody::Receive(receive) => {
            must_be_writable(machine, &receive.root)?;
            let sender = meta::device::get(txn, &checked.account, &checked.order.signer).await?;
            Ok(Whence {
                origin: None,
                name: sender.map(|sender| sender.name.to_string()),
            })
        }
    }
}

/// Stops an order to write where the machine's owner does not want it.
fn must_be_writable(machine: &Device, root: &RootId) -> Result<(), Refusal> {
    let Some(root) = machine.roots.iter().find(|known| known.id == *root) else {
        let message = format!("{} has no such root (any more); look at what it has open", machine.name);
        return Err(Refusal::new(ErrorCode::BadOrder, message));
    };
    if root.writable {
        return Ok(());
    }
    let (machine, root) = (&machine.name, &root.name);
    let message = format!(
        "nothing may be written in {root} on {machine}; run `beckon roots writable {root} on` there, or choose another place"
    );
    Err(Refusal::new(ErrorCode::NotAllowed, message))
}

async fn of_copy(txn: &Txn, checked: &Checked<'_>, follow: &FollowOrder) -> Result<Whence, Error> {
    let from = &follow.from;
    let is_same_root = (from.device, from.root) == (checked.order.target, follow.root);
    // An older state may be put back where it was, once.
    if is_same_root && follow.extent == Extent::Kept && (from.path.holds(&follow.path) || follow.path.holds(&from.path))
    {
        return Err(Error::refused(
            ErrorCode::BadOrder,
            "a folder cannot be a copy of itself; choose another place",
        ));
    }
    let device = meta::device::find(txn, &checked.account, &from.device).await?;
    if device.revoked && follow.trusts_origin() {
        return Err(Error::refused(
            ErrorCode::Revoked,
            "the device that this is to be copied from was revoked; restore what it stored from the drive instead",
        ));
    }
    let origin = Origin {
        device: from.device,
        root: from.root,
    };
    let root = root_name(txn, checked, &device, &origin).await?;
    let names = [device.name.to_string(), root, from.path.display()];
    let names = names.iter().map(String::as_str).filter(|name| !name.is_empty());
    Ok(Whence {
        origin: Some(origin),
        name: Some(names.collect::<Vec<_>>().join("/")),
    })
}

/// What people call the root that is copied: it is one that the device has open, or of which something is in the drive.
async fn root_name(txn: &Txn, checked: &Checked<'_>, device: &Device, origin: &Origin) -> Result<String, Error> {
    if device.roots.iter().any(|known| known.id == origin.root) {
        return Ok(device.root_name(&origin.root)?.to_string());
    }
    let access = TransferAccess {
        account: checked.account,
        device: checked.order.target,
        transfer: checked.order.id,
        space: checked.order.body.space(),
        root: checked.order.body.root(),
        opens: Opens::Copy(*origin),
    };
    let stored = source::folder_name(txn, &access.granted(), origin.device, origin.root).await?;
    stored.ok_or_else(|| bad_order(BadOrder::Root))
}
