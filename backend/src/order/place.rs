//! A controller places an order.

use beckon_shared::{
    certificate::{Chain, Role},
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, Hash, RootId},
    order::{BadOrder, Order, OrderBody, Selection, SignedOrder},
    signature::PublicKey,
    transfer::{Hold, Priority, Progress, TransferState, TransferView},
};

use super::{next_revision, push::push, record, tell, with_hold};
use crate::{
    app::App,
    error::not_found,
    fault,
    store::{
        Error,
        meta::{
            self, Txn,
            account::Account,
            device::Device,
            transfer::{Transfer, selection},
        },
    },
};

/// The text that describes a selection to people has at most so many bytes.
const WHAT_MAX: usize = 200;

/// Who places an order: the device of the socket that it came over.
#[derive(Debug)]
pub(crate) struct Signer<'a> {
    /// Its account.
    pub(crate) account: &'a Account,
    /// Its id.
    pub(crate) device: DeviceId,
    /// What it signs with.
    pub(crate) key: PublicKey,
}

/// Records an order as a transfer and hands it to its machine. The same order twice is one transfer.
pub(crate) async fn place(app: &App, by: &Signer<'_>, signed: SignedOrder, what: &str) -> Result<TransferView, Error> {
    let order = check(by, &signed).map_err(|bad| Error::refused(ErrorCode::BadOrder, bad.to_string()))?;
    let account = by.account.id;
    let txn = app.meta().write().await?;
    if let Some(known) = meta::transfer::of_anyone(&txn, &order.id).await? {
        return again(app, known, &account, &signed);
    }
    meta::transfer::check_room(&txn, &account).await?;
    let machine = target(&txn, by, &order).await?;
    let transfer = new_transfer(app, by, &order, &signed, &machine, what)?;
    check_selection(&txn, &account, transfer.selection.as_ref()).await?;
    meta::transfer::insert(&txn, &transfer).await?;
    txn.commit().await?;
    fault::point("order-recorded");
    tell(app, &account, transfer.view.clone());
    // Who works itself does not wait to be told.
    if transfer.is_own_work() || push(app, &account, &order.id).await? {
        return Ok(transfer.view);
    }
    let away = |view: &TransferView| Some(with_hold(view, Hold::Away));
    record(app, &account, &order.id, away).await
}

/// What the machine will check too, so that people hear of it now and not when it comes back: all but its time, which
/// is the machine's to judge, since nobody trusts this server's clock.
fn check(by: &Signer<'_>, signed: &SignedOrder) -> Result<Order, BadOrder> {
    let said = signed.order.peek()?;
    let order = signed.verify(&by.device, &by.key, &by.account.id, &said.target, said.issued)?;
    let chain: &Chain = &signed.signer;
    let standing = &by.account.standing;
    let signer = chain
        .verify_at(&by.account.key, Some(&by.device), order.issued, standing)
        .map_err(|_| BadOrder::Signer)?;
    if signer.role != Role::Controller {
        return Err(BadOrder::Signer);
    }
    let OrderBody::Upload(upload) = &order.body;
    if upload.space != by.account.space {
        return Err(BadOrder::Target);
    }
    Ok(order)
}

fn again(app: &App, known: Transfer, account: &AccountId, signed: &SignedOrder) -> Result<TransferView, Error> {
    if known.account == *account && known.order.order == signed.order {
        return Ok(app.live.newest(known.view));
    }
    Err(Error::refused(
        ErrorCode::Conflict,
        "there is another order of this id; give the order again with a new one",
    ))
}

/// The machine that the order is for, or the signer itself, which then puts files into `Files`.
async fn target(txn: &Txn, by: &Signer<'_>, order: &Order) -> Result<Device, Error> {
    let OrderBody::Upload(upload) = &order.body;
    let machine = meta::device::find(txn, &by.account.id, &order.target).await?;
    let is_own_work = machine.id == by.device;
    if !is_own_work && machine.kind != DeviceKind::Agent {
        return Err(not_found().into());
    }
    // Else a machine that was taken over could write where people keep what they put in by hand.
    if is_own_work != (upload.root == RootId::of_files(&machine.id)) {
        return Err(Error::refused(ErrorCode::BadOrder, BadOrder::Root.to_string()));
    }
    if machine.revoked {
        return Err(Refusal::new(ErrorCode::Revoked, "this machine was revoked; join it again").into());
    }
    Ok(machine)
}

async fn check_selection(txn: &Txn, account: &AccountId, hash: Option<&Hash>) -> Result<(), Error> {
    let Some(hash) = hash else { return Ok(()) };
    if selection::exists(txn, account, hash).await? {
        return Ok(());
    }
    Err(Error::refused(
        ErrorCode::BadOrder,
        "the order's selection has not come yet; send it to /api/selections first",
    ))
}

fn new_transfer(
    app: &App,
    by: &Signer<'_>,
    order: &Order,
    signed: &SignedOrder,
    machine: &Device,
    what: &str,
) -> Result<Transfer, Error> {
    let OrderBody::Upload(upload) = &order.body;
    let now = app.clock.now();
    let view = TransferView {
        id: order.id,
        device: machine.id,
        machine: machine.name.to_string(),
        root: machine.root_name(&upload.root)?.to_string(),
        what: shown(what),
        state: TransferState::Queued,
        hold: Hold::None,
        progress: Progress::default(),
        error: None,
        created: now,
        expires: order.expires,
        ended: None,
        revision: next_revision(0, now),
        priority: Priority::default(),
    };
    let selection = match &upload.selection {
        Selection::Detached(hash) => Some(*hash),
        Selection::Inline(_) => None,
    };
    Ok(Transfer {
        account: by.account.id,
        order: signed.clone(),
        space: upload.space,
        root: upload.root,
        selection,
        signer: by.device,
        unheard: false,
        view,
    })
}

/// A text that can be shown on one line.
fn shown(what: &str) -> String {
    let end = what.floor_char_boundary(WHAT_MAX.min(what.len()));
    what[..end]
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect()
}
