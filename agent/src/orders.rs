//! Whether an order stands. The server only carries orders: everything is checked here, against the pinned account key.

use beckon_shared::{
    access::Principal,
    certificate::Role,
    error::{ErrorCode, Refusal},
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
    let claimed = signed.order.peek()?;
    let signer = signed
        .signer
        .verify_at(&machine.account_key, None, claimed.issued, standing)
        .map_err(|cause| {
            tracing::warn!(order = %claimed.id, %cause, "an order is refused");
            BadOrder::Signer
        })?;
    if !signer.role.includes(Role::Controller) {
        return Err(BadOrder::Signer);
    }
    let device = signer.keys.id();
    let now = standing.effective_now(now);
    let order = signed.verify(&device, &signer.keys.sign, &machine.account(), &machine.device(), now)?;
    Ok((order, Principal::Owner { device }))
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
