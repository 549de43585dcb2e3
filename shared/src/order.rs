//! The upload command of the patent: a signed, durable instruction to one machine.

mod what;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    certificate::Chain,
    commit::ChainHead,
    id::{AccountId, DeviceId, Hash, RootId, SpaceId, TransferId},
    path::{Label, RootPath},
    signature::{BadSignature, Context, PublicKey, Signable, Signed},
    time::Timestamp,
    transfer::Task,
};

pub use what::{WHAT_MAX, what};

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
    // A follow names two paths; with its chain it still fits a frame of the control socket.
    const MAX_BYTES: usize = 10 * 1024;
}

/// What is to be done. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderBody {
    /// Store what these paths hold.
    Upload(UploadOrder),
    /// Keep what a root holds stored, until somebody ends it.
    Watch(WatchOrder),
    /// Hold a copy of what another device stored.
    Follow(FollowOrder),
    /// Write these files, which the signer sends.
    Receive(ReceiveOrder),
}

impl OrderBody {
    /// What it is about, for people and lists.
    pub fn task(&self) -> Task {
        match self {
            Self::Upload(_) => Task::Upload,
            Self::Watch(_) => Task::Watch,
            Self::Follow(FollowOrder {
                extent: Extent::Kept, ..
            }) => Task::Follow,
            Self::Follow(_) => Task::Copy,
            Self::Receive(_) => Task::Send,
        }
    }

    /// Whether it goes on until somebody ends it. Such an order lapses only before it was taken on.
    pub fn is_standing(&self) -> bool {
        self.task().is_standing()
    }

    /// The root of the machine that it is about.
    pub fn root(&self) -> RootId {
        match self {
            Self::Upload(UploadOrder { root, .. })
            | Self::Watch(WatchOrder { root, .. })
            | Self::Follow(FollowOrder { root, .. })
            | Self::Receive(ReceiveOrder { root, .. }) => *root,
        }
    }

    /// What the signer calls that root.
    pub fn root_name(&self) -> &Label {
        match self {
            Self::Upload(UploadOrder { root_name, .. })
            | Self::Watch(WatchOrder { root_name, .. })
            | Self::Follow(FollowOrder { root_name, .. })
            | Self::Receive(ReceiveOrder { root_name, .. }) => root_name,
        }
    }

    /// What a copy is to be of.
    pub fn followed(&self) -> Option<&Followed> {
        match self {
            Self::Follow(order) => Some(&order.from),
            Self::Upload(_) | Self::Watch(_) | Self::Receive(_) => None,
        }
    }

    /// The space in which the content is or will be.
    pub fn space(&self) -> SpaceId {
        match self {
            Self::Upload(UploadOrder { space, .. })
            | Self::Watch(WatchOrder { space, .. })
            | Self::Follow(FollowOrder { space, .. })
            | Self::Receive(ReceiveOrder { space, .. }) => *space,
        }
    }

    /// The BLAKE3 of what travels beside the order, if something does.
    pub fn beside(&self) -> Option<Hash> {
        match self {
            Self::Upload(UploadOrder {
                selection: Selection::Detached(hash),
                ..
            }) => Some(*hash),
            Self::Receive(ReceiveOrder { files, .. }) => Some(*files),
            Self::Upload(_) | Self::Watch(_) | Self::Follow(_) => None,
        }
    }
}

/// Keep what a root holds stored. A machine has one such order for a root and a space: a later one takes the place of
/// the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchOrder {
    /// The root.
    pub root: RootId,
    /// What the signer calls the root.
    pub root_name: Label,
    /// The space to store it in.
    pub space: SpaceId,
}

/// Hold a copy of what another device stored of a root, at a place that the machine's owner marked for writing. The copy is
/// made only out of commits that the other device signed.
///
/// The other device, and who holds the same, lets the machine read those chunks when it is shown this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowOrder {
    /// The root to write in.
    pub root: RootId,
    /// What the signer calls it.
    pub root_name: Label,
    /// The place below it: what lies at `from.path` will lie here.
    pub path: RootPath,
    /// The space in which the content is.
    pub space: SpaceId,
    /// What is copied.
    pub from: Followed,
    /// How much of it.
    pub extent: Extent,
}

/// What a device stored at and below a place of one of its roots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// The device whose commits count.
    pub device: DeviceId,
    /// Its root.
    pub root: RootId,
    /// The place below that root.
    pub path: RootPath,
}

/// Which states of an [`Followed`] are copied. Numbers of variants are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// The newest, and each that follows.
    Kept,
    /// The newest, once.
    Once,
    /// The one after this commit, once. What leads there is believed by its hash, whatever became of the device that signed it.
    At(ChainHead),
}

impl FollowOrder {
    /// Whether it goes by the word of the device that is followed, and so ends when that is revoked.
    pub fn trusts_origin(&self) -> bool {
        match self.extent {
            Extent::Kept | Extent::Once => true,
            Extent::At(_) => false,
        }
    }
}

/// Write these files below a place that the machine's owner marked for writing. The signer sends their chunks to the server
/// for this transfer alone; nothing of them stays in the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveOrder {
    /// The root to write in.
    pub root: RootId,
    /// What the signer calls it.
    pub root_name: Label,
    /// The folder below it.
    pub path: RootPath,
    /// The space in which the chunks are for the while.
    pub space: SpaceId,
    /// BLAKE3 of the encoded `Vec<`[`SentFile`]`>`, which travels beside the order.
    pub files: Hash,
}

/// One entry that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    /// Below the order's folder.
    pub path: RootPath,
    /// The encoded [`Manifest`](crate::manifest::Manifest).
    #[serde(with = "serde_bytes")]
    pub manifest: Vec<u8>,
}

/// What is sent, if it is what the order names.
pub fn sent_files(files: &Hash, beside: &[u8]) -> Result<Vec<SentFile>, BadOrder> {
    if beside.len() > SELECTION_MAX || Hash::of(beside) != *files {
        return Err(BadOrder::Selection);
    }
    crate::wire::decode(beside).map_err(|_| BadOrder::Malformed)
}

/// Store what the selected paths of a root hold, folders with all that is below them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadOrder {
    /// The root.
    pub root: RootId,
    /// What the signer calls the root. The machine compares, so that nobody can pass one root off as another.
    pub root_name: Label,
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

/// The first paths of a selection that travels beside its order, and how many it has; nothing if it is malformed as far as
/// that. Reads no further, because it can be long.
pub fn first_selected(detached: &[u8], most: usize) -> Option<(Vec<RootPath>, u64)> {
    let (total, mut rest) = postcard::take_from_bytes::<u64>(detached).ok()?;
    let mut paths = Vec::new();
    while paths.len() < most && (paths.len() as u64) < total {
        let (path, behind) = postcard::take_from_bytes(rest).ok()?;
        paths.push(path);
        rest = behind;
    }
    Some((paths, total))
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
    /// The machine's root of this id has another name.
    #[error(
        "the order names a root that the machine calls otherwise; list the machine's roots and give the order again"
    )]
    Root,
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
    pub fn verify(
        &self,
        signer: &DeviceId,
        signer_key: &PublicKey,
        account: &AccountId,
        target: &DeviceId,
        now: Timestamp,
    ) -> Result<Order, BadOrder> {
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

    /// As [`Self::verify`], of an order that was taken on in its time: it does not lapse any more.
    pub fn verify_taken(
        &self,
        signer: &DeviceId,
        signer_key: &PublicKey,
        account: &AccountId,
        target: &DeviceId,
    ) -> Result<Order, BadOrder> {
        let issued = self.order.peek()?.issued;
        self.verify(signer, signer_key, account, target, issued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{AccountKey, DeviceKeys};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    struct Scene {
        account: AccountId,
        signer: DeviceKeys,
        machine: DeviceId,
    }

    fn scene() -> Scene {
        Scene {
            account: AccountKey::from_bytes(&[1; 32]).id(),
            signer: DeviceKeys::from_bytes(&[2; 64]),
            machine: DeviceKeys::from_bytes(&[3; 64]).id(),
        }
    }

    impl Scene {
        fn order(&self) -> Order {
            Order {
                suite: 0,
                signer: self.signer.id(),
                signer_account: self.account,
                target_account: self.account,
                target: self.machine,
                id: TransferId::new(NOW, [0; 10]),
                issued: NOW,
                expires: NOW + Duration::from_secs(3600),
                body: OrderBody::Upload(UploadOrder {
                    root: RootId([0; 16]),
                    root_name: Label::new("Documents").unwrap(),
                    space: SpaceId::new(NOW, [1; 10]),
                    selection: Selection::Inline(vec![RootPath::root()]),
                }),
            }
        }

        fn verdict(&self, order: &Order, now: Timestamp) -> Result<Order, BadOrder> {
            self.verdict_on(Signed::sign(order, self.signer.signing()), now)
        }

        fn verdict_on(&self, order: Signed<Order>, now: Timestamp) -> Result<Order, BadOrder> {
            let signed = SignedOrder {
                order,
                signer: Chain {
                    device: unsigned(),
                    enrolment: None,
                },
            };
            signed.verify(
                &self.signer.id(),
                &self.signer.public().sign,
                &self.account,
                &self.machine,
                now,
            )
        }
    }

    fn unsigned() -> Signed<crate::certificate::DeviceCertificate> {
        crate::wire::decode(&[0, 0]).unwrap()
    }

    #[test]
    fn a_genuine_order_stands_and_an_altered_one_does_not() {
        let scene = scene();
        let order = scene.order();
        assert_eq!(scene.verdict(&order, NOW), Ok(order.clone()));
        for at in 0..crate::wire::encode(&order).len() {
            let mut signed = Signed::sign(&order, scene.signer.signing());
            signed.bytes[at] ^= 1;
            assert_eq!(scene.verdict_on(signed, NOW), Err(BadOrder::Signature));
        }
    }

    #[test]
    fn an_order_for_another_machine_or_account_is_refused() {
        let scene = scene();
        let elsewhere = Order {
            target: DeviceId([9; 32]),
            ..scene.order()
        };
        assert_eq!(scene.verdict(&elsewhere, NOW), Err(BadOrder::Target));
        let foreign = Order {
            target_account: AccountId([9; 32]),
            ..scene.order()
        };
        assert_eq!(scene.verdict(&foreign, NOW), Err(BadOrder::Target));
        let foreigner = Order {
            signer_account: AccountId([9; 32]),
            ..scene.order()
        };
        assert_eq!(scene.verdict(&foreigner, NOW), Err(BadOrder::Signer));
    }

    #[test]
    fn an_order_counts_only_in_its_time_give_or_take_ten_minutes() {
        let scene = scene();
        let order = scene.order();
        let day = Duration::from_secs(86_400);
        assert_eq!(scene.verdict(&order, NOW + day), Err(BadOrder::Expired));
        assert_eq!(scene.verdict(&order, NOW.before(day)), Err(BadOrder::Clock));
        assert!(scene.verdict(&order, order.expires + CLOCK_GRACE).is_ok());
        assert!(scene.verdict(&order, NOW.before(CLOCK_GRACE)).is_ok());
        let endless = Order {
            expires: NOW + LONGEST_WAIT + Duration::from_secs(1),
            ..order
        };
        assert_eq!(scene.verdict(&endless, NOW), Err(BadOrder::TooLong));
    }

    #[test]
    fn a_long_selection_travels_beside_the_order_and_cannot_be_swapped() {
        let paths: Vec<_> = (0..2000)
            .map(|n| RootPath::new(format!("folder/file {n}")).unwrap())
            .collect();
        let (selection, detached) = Selection::of(paths.clone());
        let bytes = detached.unwrap();
        assert_eq!(selection.paths(Some(&bytes)), Ok(paths));
        assert_eq!(selection.paths(None), Err(BadOrder::Selection));
        assert_eq!(selection.paths(Some(&bytes[1..])), Err(BadOrder::Selection));
        assert_eq!(Selection::of(vec![RootPath::root()]).1, None);
    }

    #[test]
    fn the_first_of_a_long_selection_are_read_without_the_rest() {
        let paths: Vec<_> = (0..2000)
            .map(|n| RootPath::new(format!("folder/file {n}")).unwrap())
            .collect();
        let bytes = Selection::of(paths.clone()).1.unwrap();
        assert_eq!(first_selected(&bytes, 3), Some((paths[..3].to_vec(), 2000)));
        assert_eq!(first_selected(&bytes[..100], 3), Some((paths[..3].to_vec(), 2000)));
        assert_eq!(first_selected(&bytes, 5000), Some((paths, 2000)));
        assert_eq!(first_selected(&bytes[..100], 50), None);
        assert_eq!(first_selected(&[], 3), None);
    }
}
