//! Whether an order stands. The server only carries orders: everything is checked here, against the pinned account key.

use beckon_shared::{
    access::Principal,
    certificate::{DeviceCertificate, Role},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    order::{BadOrder, Order, SignedOrder},
    statement::Standing,
    time::Timestamp,
};

use crate::identity::Identity;

/// The order and in whose name it comes, if a controller of this machine's account signed exactly these bytes for this
/// machine, its certificate was valid at that time, and neither was the controller revoked nor has the order lapsed since.
///
/// `now` is this machine's clock; the latest time that the account signed counts where that clock is behind it.
pub(crate) fn verify(
    signed: &SignedOrder,
    machine: &Identity,
    standing: &Standing,
    now: Timestamp,
) -> Result<(Order, Principal), BadOrder> {
    let signer = signer(signed, machine, standing)?;
    let device = signer.keys.id();
    let now = standing.effective_now(now);
    let order = signed.verify(&device, &signer.keys.sign, &machine.account(), &machine.device(), now)?;
    Ok((order, Principal::Owner { device }))
}

/// As [`verify`], of an order that was taken on in its time and goes on until somebody ends it: it does not lapse any more.
pub(crate) fn verify_taken(
    signed: &SignedOrder,
    machine: &Identity,
    standing: &Standing,
) -> Result<(Order, Principal), BadOrder> {
    verify_for(signed, machine, &machine.device(), standing)
}

/// As [`verify_taken`], of an order for the device that shows it: whether it was taken on in its time that device knows, and
/// the server.
pub(crate) fn verify_shown(
    signed: &SignedOrder,
    machine: &Identity,
    shower: &DeviceId,
    standing: &Standing,
) -> Result<Order, BadOrder> {
    verify_for(signed, machine, shower, standing).map(|(order, _)| order)
}

fn verify_for(
    signed: &SignedOrder,
    machine: &Identity,
    target: &DeviceId,
    standing: &Standing,
) -> Result<(Order, Principal), BadOrder> {
    let signer = signer(signed, machine, standing)?;
    let device = signer.keys.id();
    let order = signed.verify_taken(&device, &signer.keys.sign, &machine.account(), target)?;
    Ok((order, Principal::Owner { device }))
}

/// The controller that signed, if its certificate was valid then and it was not revoked since.
fn signer(signed: &SignedOrder, machine: &Identity, standing: &Standing) -> Result<DeviceCertificate, BadOrder> {
    let claimed = signed.order.peek()?;
    let signer = signed
        .signer
        .verify_at(&machine.account_key, None, claimed.issued, standing)
        .map_err(|cause| {
            tracing::warn!(order = %claimed.id, %cause, "an order is refused");
            BadOrder::Signer
        })?;
    match signer.role.includes(Role::Controller) {
        true => Ok(signer),
        false => Err(BadOrder::Signer),
    }
}

/// In the words of the protocol.
pub(crate) fn refusal(bad: BadOrder) -> Refusal {
    let code = match bad {
        BadOrder::Clock => ErrorCode::BadClock,
        _ => ErrorCode::BadOrder,
    };
    Refusal::new(code, bad.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
