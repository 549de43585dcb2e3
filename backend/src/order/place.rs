//! A controller places an order.

use beckon_shared::{
    certificate::{Chain, Role},
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, Hash, RootId},
    order::{BadOrder, Order, SignedOrder},
    transfer::{Hold, Priority, Progress, Task, TransferState, TransferView},
};

use super::{
    next_revision,
    origin::{Whence, whence},
    push::push,
    record,
    supersede::supersede,
    tell, with_hold,
};
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
}

/// An order that stands, on its way to become a transfer.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    pub(super) account: AccountId,
    pub(super) order: &'a Order,
    pub(super) signed: &'a SignedOrder,
    pub(super) what: &'a str,
    pub(super) way: Way,
}

/// Who brought an order here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The controller that signed it.
    Placed,
    /// The machine that it is for.
    Shown,
}

/// What became of an order that was brought.
pub(super) enum Registered {
    /// It is a transfer now.
    New(Box<Transfer>),
    /// It was one already.
    Known(Box<TransferView>),
}

/// Records an order as a transfer and hands it to its machine. The same order twice is one transfer.
pub(crate) async fn place(app: &App, by: &Signer<'_>, signed: SignedOrder, what: &str) -> Result<TransferView, Error> {
    let order = check(by, &signed).map_err(bad_order)?;
    let account = by.account.id;
    let checked = Checked {
        account,
        order: &order,
        signed: &signed,
        what,
        way: Way::Placed,
    };
    let transfer = match register(app, &checked).await? {
        Registered::New(transfer) => transfer,
        Registered::Known(view) => return Ok(*view),
    };
    supersede(app, &transfer).await?;
    // Who works itself does not wait to be told.
    if transfer.is_own_work() || push(app, &account, &order.id).await? {
        return Ok(transfer.view);
    }
    let away = |view: &TransferView| Some(with_hold(view, Hold::Away));
    record(app, &account, &order.id, away).await
}

/// Records an order and tells the account of it, unless it is known.
pub(super) async fn register(app: &App, checked: &Checked<'_>) -> Result<Registered, Error> {
    let error = match record_new(app, checked).await {
        Ok(registered) => return Ok(registered),
        Err(error) => error,
    };
    // Where two writers meet (PostgreSQL), its other end may have brought it at the same moment.
    match meta::transfer::of_anyone(app.meta().read(), &checked.order.id).await? {
        Some(known) => again(app, known, checked),
        None => Err(error),
    }
}

async fn record_new(app: &App, checked: &Checked<'_>) -> Result<Registered, Error> {
    let account = &checked.account;
    let txn = app.meta().write().await?;
    if let Some(known) = meta::transfer::of_anyone(&txn, &checked.order.id).await? {
        return again(app, known, checked);
    }
    meta::transfer::check_room(&txn, account).await?;
    let machine = target(&txn, checked).await?;
    let whence = whence(&txn, checked, &machine).await?;
    let transfer = new_transfer(app, checked, &machine, whence)?;
    match checked.way {
        Way::Placed => check_selection(&txn, account, transfer.selection.as_ref()).await?,
        // The machine has it. It is kept here once the machine has begun.
        Way::Shown => check_signer(&txn, checked).await?,
    }
    meta::transfer::insert(&txn, &transfer).await?;
    txn.commit().await?;
    fault::point("order-recorded");
    tell(app, account, transfer.view.clone());
    Ok(Registered::New(Box::new(transfer)))
}

/// What the machine will check too, so that people hear of it now and not when it comes back: all but its time, which
/// is the machine's to judge, since nobody trusts this server's clock.
fn check(by: &Signer<'_>, signed: &SignedOrder) -> Result<Order, BadOrder> {
    let said = signed.order.peek()?;
    if said.signer != by.device {
        return Err(BadOrder::Signer);
    }
    stands(by.account, signed, &said.target)
}

/// The order, if a controller of the account signed it for `target` while it was one, and was not revoked since.
pub(super) fn stands(account: &Account, signed: &SignedOrder, target: &DeviceId) -> Result<Order, BadOrder> {
    let said = signed.order.peek()?;
    let chain: &Chain = &signed.signer;
    let signer = chain
        .verify_at(&account.key, Some(&said.signer), said.issued, &account.standing)
        .map_err(|_| BadOrder::Signer)?;
    let order = signed.verify(&said.signer, &signer.keys.sign, &account.id, target, said.issued)?;
    if signer.role != Role::Controller {
        return Err(BadOrder::Signer);
    }
    if order.body.space() != account.space {
        return Err(BadOrder::Target);
    }
    Ok(order)
}

fn again(app: &App, known: Transfer, checked: &Checked<'_>) -> Result<Registered, Error> {
    if known.account == checked.account && known.order.order == checked.signed.order {
        return Ok(Registered::Known(Box::new(app.live.newest(known.view))));
    }
    Err(Error::refused(
        ErrorCode::Conflict,
        "there is another order of this id; give the order again with a new one",
    ))
}

/// The machine that the order is for, or the signer itself, which then puts files into `Files`: that is all that a device
/// may order of itself.
async fn target(txn: &Txn, checked: &Checked<'_>) -> Result<Device, Error> {
    let machine = meta::device::find(txn, &checked.account, &checked.order.target).await?;
    let is_own_work = machine.id == checked.order.signer;
    if !is_own_work && machine.kind != DeviceKind::Agent {
        return Err(not_found().into());
    }
    if is_own_work && checked.order.body.task() != Task::Upload {
        return Err(bad_order(BadOrder::Target));
    }
    // Else a machine that was taken over could write where people keep what they put in by hand.
    if is_own_work != (checked.order.body.root() == RootId::of_files(&machine.id)) {
        return Err(bad_order(BadOrder::Root));
    }
    if machine.revoked {
        return Err(Refusal::new(ErrorCode::Revoked, "this machine was revoked; join it again").into());
    }
    Ok(machine)
}

/// Whoever signed an order that a machine shows has no socket here that a revocation would have ended.
async fn check_signer(txn: &Txn, checked: &Checked<'_>) -> Result<(), Error> {
    match meta::device::get(txn, &checked.account, &checked.order.signer).await? {
        Some(signer) if !signer.revoked => Ok(()),
        _ => Err(bad_order(BadOrder::Signer)),
    }
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

fn new_transfer(app: &App, checked: &Checked<'_>, machine: &Device, whence: Whence) -> Result<Transfer, Error> {
    let body = &checked.order.body;
    let now = app.clock.now();
    let view = TransferView {
        id: checked.order.id,
        device: machine.id,
        machine: machine.name.to_string(),
        root: machine.root_name(&body.root())?.to_string(),
        what: shown(checked.what),
        state: TransferState::Queued,
        hold: Hold::None,
        progress: Progress::default(),
        error: None,
        created: now,
        expires: checked.order.expires,
        ended: None,
        revision: next_revision(0, now),
        priority: Priority::default(),
        task: body.task(),
        from: whence.name,
        root_id: body.root(),
        origin: body.followed().cloned(),
    };
    Ok(Transfer {
        account: checked.account,
        order: checked.signed.clone(),
        space: body.space(),
        root: body.root(),
        origin: whence.origin,
        selection: body.beside(),
        signer: checked.order.signer,
        unheard: false,
        given_directly: checked.way == Way::Shown,
        view,
    })
}

pub(super) fn bad_order(bad: BadOrder) -> Error {
    Error::refused(ErrorCode::BadOrder, bad.to_string())
}

/// A text that can be shown on one line.
fn shown(what: &str) -> String {
    let end = what.floor_char_boundary(WHAT_MAX.min(what.len()));
    what[..end]
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect()
}
