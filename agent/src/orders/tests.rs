//! What an evil server may try with orders, each attempt refused.

use std::{sync::LazyLock, time::Duration};

use beckon_shared::{
    certificate::{Chain, DeviceCertificate, SUITE},
    device::DeviceKind,
    id::{DeviceId, RootId, SpaceId, TransferId},
    keys::{AccountKey, DeviceKeys},
    order::{LONGEST_WAIT, OrderBody, Selection, UploadOrder},
    path::{Label, RootPath},
    signature::{Context, Signable, Signed},
    statement::Statement,
    wire::{AuthClaim, ControlVersion},
};
use serde::{Deserialize, Serialize};

use super::*;
use crate::clock;

const HOUR: Duration = Duration::from_secs(3600);

/// One moment for all tests, so that they can do sums with it.
static NOW: LazyLock<Timestamp> = LazyLock::new(clock::now);

/// An account with one controller and one machine.
pub(crate) struct Family {
    pub(crate) account: AccountKey,
    pub(crate) controller: DeviceKeys,
    pub(crate) machine: Identity,
}

impl Family {
    pub(crate) fn new(seed: u8) -> Self {
        let account = AccountKey::from_bytes(&[seed; 32]);
        let controller = DeviceKeys::from_bytes(&[seed.wrapping_add(1); 64]);
        let keys = DeviceKeys::from_bytes(&[seed.wrapping_add(2); 64]);
        let chain = certify(&account, &keys, Role::Source, None);
        let machine = Identity {
            account_key: account.public(),
            keys,
            chain,
        };
        Self {
            account,
            controller,
            machine,
        }
    }

    pub(crate) fn controller_chain(&self) -> Chain {
        certify(
            &self.account,
            &self.controller,
            Role::Controller,
            Some(*NOW + 24 * HOUR),
        )
    }

    pub(crate) fn order(&self, issued: Timestamp) -> Order {
        Order {
            suite: 0,
            signer: self.controller.id(),
            signer_account: self.account.id(),
            target_account: self.account.id(),
            target: self.machine.device(),
            id: TransferId::new(issued, [9; 10]),
            issued,
            expires: issued + LONGEST_WAIT,
            body: OrderBody::Upload(UploadOrder {
                root: RootId([1; 16]),
                root_name: Label::new("Documents").unwrap(),
                space: SpaceId::new(*NOW, [2; 10]),
                selection: Selection::Inline(vec![RootPath::new("photos").unwrap()]),
            }),
        }
    }

    pub(crate) fn order_for(&self, root: RootId) -> Order {
        let mut order = self.order(clock::now());
        let OrderBody::Upload(upload) = &mut order.body else {
            unreachable!("an upload");
        };
        upload.root = root;
        order
    }

    pub(crate) fn sign(&self, order: &Order) -> SignedOrder {
        SignedOrder {
            order: Signed::sign(order, self.controller.signing()),
            signer: self.controller_chain(),
        }
    }

    fn judge(&self, signed: &SignedOrder) -> Result<Order, BadOrder> {
        self.judge_with(signed, &Standing::default(), *NOW)
    }

    fn judge_with(&self, signed: &SignedOrder, standing: &Standing, now: Timestamp) -> Result<Order, BadOrder> {
        verify(signed, &self.machine, standing, now).map(|(order, _)| order)
    }

    fn revoked(&self, device: DeviceId, at: Timestamp) -> Standing {
        let mut standing = Standing::default();
        let revocation = standing.revoke(&self.account.public(), &[device], at).unwrap();
        let signed = Signed::sign(&Statement::Revocation(revocation), self.account.signing());
        standing.accept(&signed, &self.account.public()).unwrap();
        standing
    }
}

pub(crate) fn certify(account: &AccountKey, keys: &DeviceKeys, role: Role, not_after: Option<Timestamp>) -> Chain {
    let kind = if role == Role::Controller {
        DeviceKind::Cli
    } else {
        DeviceKind::Agent
    };
    let issued = NOW.before(24 * HOUR);
    let certificate = DeviceCertificate {
        suite: SUITE,
        account: account.id(),
        keys: keys.public(),
        kind,
        role,
        issued,
        not_after,
        epoch: 0,
    };
    Chain::by_account(&certificate, account)
}

#[test]
fn a_genuine_order_stands_in_its_owners_name() {
    let family = Family::new(10);
    let order = family.order(*NOW);
    let (verified, principal) = verify(&family.sign(&order), &family.machine, &Standing::default(), *NOW).unwrap();
    assert_eq!(verified, order);
    assert_eq!(
        principal,
        Principal::Owner {
            device: family.controller.id()
        }
    );
}

#[test]
fn an_order_signed_by_anybody_else_is_refused() {
    let family = Family::new(10);
    let stranger = DeviceKeys::from_bytes(&[99; 64]);
    let forged = SignedOrder {
        order: Signed::sign(&family.order(*NOW), stranger.signing()),
        signer: family.controller_chain(),
    };
    assert_eq!(family.judge(&forged), Err(BadOrder::Signature));
    // Nor does the machine's own key command it, though its certificate is genuine.
    let mut order = family.order(*NOW);
    order.signer = family.machine.device();
    let own = SignedOrder {
        order: Signed::sign(&order, family.machine.keys.signing()),
        signer: family.machine.chain.clone(),
    };
    assert_eq!(family.judge(&own), Err(BadOrder::Signer));
}

#[test]
fn an_order_with_any_altered_bit_is_refused() {
    let family = Family::new(10);
    let genuine = family.sign(&family.order(*NOW));
    for at in 0..genuine.order.bytes.len() {
        let mut altered = genuine.clone();
        altered.order.bytes[at] ^= 1;
        assert!(family.judge(&altered).is_err(), "byte {at}");
    }
    for at in 0..genuine.order.signature.len() {
        let mut altered = genuine.clone();
        altered.order.signature[at] ^= 1;
        assert_eq!(family.judge(&altered), Err(BadOrder::Signature), "byte {at}");
    }
}

#[test]
fn an_order_for_another_machine_or_account_is_refused() {
    let (family, other) = (Family::new(10), Family::new(50));
    let mut order = family.order(*NOW);
    order.target = DeviceId([7; 32]);
    assert_eq!(family.judge(&family.sign(&order)), Err(BadOrder::Target));
    let mut order = family.order(*NOW);
    order.target_account = other.account.id();
    assert_eq!(family.judge(&family.sign(&order)), Err(BadOrder::Target));
    // Another account's controller names this machine.
    let mut order = other.order(*NOW);
    order.target = family.machine.device();
    order.target_account = family.account.id();
    assert_eq!(family.judge(&other.sign(&order)), Err(BadOrder::Signer));
    // And even says that it were of this account.
    order.signer_account = family.account.id();
    assert_eq!(family.judge(&other.sign(&order)), Err(BadOrder::Signer));
}

#[test]
fn an_order_counts_only_in_its_time() {
    let family = Family::new(10);
    let signed = family.sign(&family.order(*NOW));
    let judge = |now| family.judge_with(&signed, &Standing::default(), now).map(|_| ());
    assert_eq!(judge(NOW.before(Duration::from_secs(9 * 60))), Ok(()));
    assert_eq!(judge(NOW.before(24 * HOUR)), Err(BadOrder::Clock));
    assert_eq!(judge(*NOW + LONGEST_WAIT), Ok(()));
    assert_eq!(judge(*NOW + LONGEST_WAIT + HOUR), Err(BadOrder::Expired));
    let mut endless = family.order(*NOW);
    endless.expires = *NOW + LONGEST_WAIT + HOUR;
    assert_eq!(family.judge(&family.sign(&endless)), Err(BadOrder::TooLong));
    assert_eq!(refusal(BadOrder::Clock).code, ErrorCode::BadClock);
}

#[test]
fn a_clock_set_back_does_not_bring_an_expired_order_to_life() {
    let family = Family::new(10);
    let signed = family.sign(&family.order(*NOW));
    // The account said something later than the order's end; the machine's own clock lies.
    let standing = family.revoked(DeviceId([3; 32]), *NOW + LONGEST_WAIT + HOUR);
    assert_eq!(family.judge_with(&signed, &standing, *NOW), Err(BadOrder::Expired));
}

#[test]
fn an_order_of_a_revoked_controller_is_refused() {
    let family = Family::new(10);
    let signed = family.sign(&family.order(*NOW));
    let standing = family.revoked(family.controller.id(), *NOW + HOUR);
    assert_eq!(family.judge_with(&signed, &standing, *NOW), Err(BadOrder::Signer));
}

#[test]
fn an_order_signed_after_its_certificate_ended_is_refused() {
    let family = Family::new(10);
    let signed = family.sign(&family.order(*NOW + 48 * HOUR));
    assert_eq!(
        family.judge_with(&signed, &Standing::default(), *NOW + 48 * HOUR),
        Err(BadOrder::Signer)
    );
    // One signed while it was valid waits for its machine all the same.
    let signed = family.sign(&family.order(*NOW));
    assert!(
        family
            .judge_with(&signed, &Standing::default(), *NOW + 48 * HOUR)
            .is_ok()
    );
}

#[test]
fn nothing_that_was_signed_for_another_purpose_is_an_order() {
    /// The bytes of an order, signed as something else.
    #[derive(Serialize, Deserialize)]
    struct Disguised(Order);
    impl Signable for Disguised {
        const CONTEXT: Context = Context::Auth;
        const MAX_BYTES: usize = 6 * 1024;
    }
    let family = Family::new(10);
    let disguised = Signed::sign(&Disguised(family.order(*NOW)), family.controller.signing());
    let order = crate::orders::tests::recast(&disguised.bytes, &disguised.signature);
    let signed = SignedOrder {
        order,
        signer: family.controller_chain(),
    };
    assert_eq!(family.judge(&signed), Err(BadOrder::Signature));
    let claim = AuthClaim {
        origin: "http://evil".to_owned(),
        device: family.controller.id(),
        server_nonce: [0; 32],
        own_nonce: [0; 32],
        version: ControlVersion::V1,
    };
    let claim = Signed::sign(&claim, family.controller.signing());
    let signed = SignedOrder {
        order: recast(&claim.bytes, &claim.signature),
        signer: family.controller_chain(),
    };
    assert!(family.judge(&signed).is_err());
}

/// Signed bytes of one kind, passed off as another, as a server can do with anything that it carries.
fn recast(bytes: &[u8], signature: &[u8]) -> Signed<Order> {
    let pair = beckon_shared::wire::encode(&(bytes.to_vec(), signature.to_vec()));
    beckon_shared::wire::decode(&pair).unwrap()
}
