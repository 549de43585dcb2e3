//! A machine shows an order that a controller gave to it directly.

use beckon_shared::{
    id::{AccountId, DeviceId},
    order::{BadOrder, Order, SignedOrder},
    transfer::TransferView,
};

use super::{
    place::{Checked, Registered, Way, bad_order, register, stands},
    supersede::supersede,
};
use crate::{
    app::App,
    error::not_found,
    store::{
        Error,
        meta::{self, account::Account},
    },
};

/// Records the order as a transfer, as if its signer had placed it. The same order twice, from whichever end, is one
/// transfer. Its machine is not told: it has the order, and begins.
pub(crate) async fn show(
    app: &App,
    account: &AccountId,
    machine: &DeviceId,
    signed: SignedOrder,
    what: &str,
) -> Result<TransferView, Error> {
    // As it is now, and not when this machine came: its signer may have been revoked since.
    let account = meta::account::by_id(app.meta().read(), account)
        .await?
        .ok_or_else(not_found)?;
    let order = check(&account, machine, &signed).map_err(bad_order)?;
    let checked = Checked {
        account: account.id,
        order: &order,
        signed: &signed,
        what,
        way: Way::Shown,
    };
    let transfer = match register(app, &checked).await? {
        Registered::New(transfer) => transfer,
        Registered::Known(view) => return Ok(*view),
    };
    supersede(app, &transfer).await?;
    Ok(transfer.view)
}

/// What was signed for another device is none of this machine's business, and what a device ordered of itself it places
/// itself. Time is the machine's to judge; one that has lapsed becomes a transfer all the same, and fails when it is begun,
/// so that people hear of it.
fn check(account: &Account, machine: &DeviceId, signed: &SignedOrder) -> Result<Order, BadOrder> {
    let order = stands(account, signed, machine)?;
    match order.signer == *machine {
        true => Err(BadOrder::Signer),
        false => Ok(order),
    }
}
