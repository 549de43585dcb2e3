//! Who takes part, with every secret at hand: accounts, and devices that they certified.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use beckon_shared::{
    certificate::{Chain, DeviceCertificate, Role, SUITE},
    device::DeviceKind,
    id::{AccountId, DeviceId, TransferId},
    keys::{AccountKey, DeviceKeys},
    order::{Order, SignedOrder},
    signature::{PublicKey, Signed},
    statement::{Revocation, Statement},
    time::Timestamp,
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Of every certificate, so that there is an epoch before.
pub(super) const EPOCH: u32 = 1;

/// The clock.
pub(super) fn now() -> Timestamp {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(passed.as_millis().try_into().unwrap())
}

/// An id that no other order of this process has.
pub(super) fn new_transfer_id() -> TransferId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    TransferId::new(now(), random)
}

/// An account. Equal seeds are the same one.
pub(super) struct Account(AccountKey);

/// A device with its certificate.
pub(super) struct Device {
    pub(super) keys: DeviceKeys,
    pub(super) chain: Chain,
}

impl Account {
    pub(super) fn new(seed: u8) -> Self {
        Self(AccountKey::from_bytes(&[seed; AccountKey::LEN]))
    }

    pub(super) fn key(&self) -> &AccountKey {
        &self.0
    }

    pub(super) fn id(&self) -> AccountId {
        self.0.id()
    }

    pub(super) fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// A command line that signed in.
    pub(super) fn controller(&self, seed: u8) -> Device {
        self.device(seed, |_| {})
    }

    /// As [`Self::controller`], but for what `change` makes of the certificate before it is signed.
    pub(super) fn device(&self, seed: u8, change: impl FnOnce(&mut DeviceCertificate)) -> Device {
        let keys = device_keys(seed);
        let mut certificate = self.certificate(&keys);
        change(&mut certificate);
        Device {
            chain: Chain::by_account(&certificate, &self.0),
            keys,
        }
    }

    /// What a command line is certified as.
    pub(super) fn certificate(&self, keys: &DeviceKeys) -> DeviceCertificate {
        DeviceCertificate {
            suite: SUITE,
            account: self.id(),
            keys: keys.public(),
            kind: DeviceKind::Cli,
            role: Role::Controller,
            issued: now().before(2 * HOUR),
            not_after: Some(now() + 30 * DAY),
            epoch: EPOCH,
        }
    }

    /// The account's revocation of that number.
    pub(super) fn revocation(&self, number: u64, revoked: &[DeviceId]) -> Signed<Statement> {
        let revocation = Revocation {
            account: self.id(),
            number,
            at: now(),
            revoked: revoked.to_vec(),
            lowest_epoch: 0,
        };
        self.state(&Statement::Revocation(revocation))
    }

    pub(super) fn state(&self, statement: &Statement) -> Signed<Statement> {
        Signed::sign(statement, self.0.signing())
    }
}

impl Device {
    pub(super) fn id(&self) -> DeviceId {
        self.keys.id()
    }

    /// Signs an order, whoever it says to be of.
    pub(super) fn sign(&self, order: &Order) -> SignedOrder {
        SignedOrder {
            order: Signed::sign(order, self.keys.signing()),
            signer: self.chain.clone(),
        }
    }
}

pub(super) fn device_keys(seed: u8) -> DeviceKeys {
    DeviceKeys::from_bytes(&[seed; DeviceKeys::LEN])
}
