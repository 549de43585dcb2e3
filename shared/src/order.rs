//! The upload command of the patent: a signed, durable instruction to one machine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    certificate::Chain,
    id::{AccountId, DeviceId, Hash, RootId, SpaceId, TransferId},
    path::RootPath,
    signature::{BadSignature, Context, PublicKey, Signable, Signed},
    time::Timestamp,
};

/// How long an order may wait for its machine at the most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far two honest clocks may differ.
pub const CLOCK_GRACE: Duration = Duration::from_secs(600);

/// A selection up to this many encoded bytes travels inside its order.
pub const INLINE_SELECTION_MAX: usize = 4096;

/// A selection is at most this many encoded bytes.
pub const SELECTION_MAX: usize = 16 << 20;

/// What a controller tells a machine to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Signature suite: 0 is Ed25519 over postcard.
    pub suite: u8,
    /// The controller that signs.
    pub signer: DeviceId,
    /// The signer's account.
    pub signer_account: AccountId,
    /// The machine's account.
    pub target_account: AccountId,
    /// The machine.
    pub target: DeviceId,
    /// Names the order and the transfer that it starts.
    pub id: TransferId,
    /// When it was signed, by the signer's clock.
    pub issued: Timestamp,
    /// When it lapses, at most [`LONGEST_WAIT`] after `issued`.
    pub expires: Timestamp,
    /// What is to be done.
    pub body: OrderBody,
}

impl Signable for Order {
    const CONTEXT: Context = Context::Order;
    const MAX_BYTES: usize = 6 * 1024;
}

/// What is to be done. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderBody {
    /// Store what these paths hold.
    Upload(UploadOrder),
}

/// Store what the selected paths of a root hold, folders with all that is below them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadOrder {
    /// The root.
    pub root: RootId,
    /// The space to store it in.
    pub space: SpaceId,
    /// What to store.
    pub selection: Selection,
}

/// Paths below one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selection {
    /// The paths themselves, in at most [`INLINE_SELECTION_MAX`] bytes.
    Inline(Vec<RootPath>),
    /// The BLAKE3 of the paths' encoding, which travels beside the order.
    Detached(Hash),
}

impl Selection {
    /// Splits paths into what the order says and, if they are too many for it, what travels beside it.
    pub fn of(paths: Vec<RootPath>) -> (Self, Option<Vec<u8>>) {
        let bytes = crate::wire::encode(&paths);
        if bytes.len() <= INLINE_SELECTION_MAX {
            return (Self::Inline(paths), None);
        }
        (Self::Detached(Hash::of(&bytes)), Some(bytes))
    }

    /// The paths; `detached` is what came beside the order.
    pub fn paths(&self, detached: Option<&[u8]>) -> Result<Vec<RootPath>, BadOrder> {
        match (self, detached) {
            (Self::Inline(paths), None) => Ok(paths.clone()),
            (Self::Detached(hash), Some(bytes)) if bytes.len() <= SELECTION_MAX && Hash::of(bytes) == *hash => {
                crate::wire::decode(bytes).map_err(|_| BadOrder::Malformed)
            }
            _ => Err(BadOrder::Selection),
        }
    }
}

/// An order with the proof of who signed it, as it is stored and pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOrder {
    /// The order.
    pub order: Signed<Order>,
    /// Of the signer.
    pub signer: Chain,
}

/// Why a machine does not carry out an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// The bytes are no order.
    #[error("the order is malformed; update the older of the two programs")]
    Malformed,
    /// The signature is not by the named signer.
    #[error("the order's signature does not fit; give the order again")]
    Signature,
    /// The signer's certificate does not stand.
    #[error("the signer may not command this machine; sign in again and give the order again")]
    Signer,
    /// It is for another machine or account.
    #[error("the order is for another machine")]
    Target,
    /// It has lapsed.
    #[error("the order has expired; give it again")]
    Expired,
    /// It was signed in the future of this machine's clock.
    #[error("the order was signed in this machine's future; set the clocks of both machines right and give it again")]
    Clock,
    /// It waits longer than orders may.
    #[error("an order waits 30 days at the most; give it again")]
    TooLong,
    /// The selection beside it is not the one that was signed.
    #[error("the selection does not belong to the order; give the order again")]
    Selection,
}

impl From<BadSignature> for BadOrder {
    fn from(bad: BadSignature) -> Self {
        match bad {
            BadSignature::Mismatch => Self::Signature,
            BadSignature::Malformed => Self::Malformed,
        }
    }
}

impl SignedOrder {
    /// The order, if `signer_key` (from a certificate that the caller verified) signed it for this machine and its time has come.
    ///
    /// `now` is the machine's clock or the latest time that its account signed, whichever is later.
    pub fn verify(&self, signer: &DeviceId, signer_key: &PublicKey, account: &AccountId, target: &DeviceId, now: Timestamp) -> Result<Order, BadOrder> {
        let order = self.order.verify(signer_key)?;
        if order.suite != 0 {
            return Err(BadOrder::Malformed);
        }
        if order.signer != *signer || order.signer_account != *account {
            return Err(BadOrder::Signer);
        }
        if order.target != *target || order.target_account != *account {
            return Err(BadOrder::Target);
        }
        if order.expires > order.issued + LONGEST_WAIT {
            return Err(BadOrder::TooLong);
        }
        if order.issued > now + CLOCK_GRACE {
            return Err(BadOrder::Clock);
        }
        if now > order.expires + CLOCK_GRACE {
            return Err(BadOrder::Expired);
        }
        Ok(order)
    }
}
