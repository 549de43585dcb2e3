//! Certificates: the account, or an enrolment key that it vouches for, says which keys are a device of it and what
//! that device may be.

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    device::DeviceKind,
    id::{AccountId, DeviceId},
    keys::{AccountKey, DevicePublicKeys, account_id},
    order::CLOCK_GRACE,
    signature::{BadSignature, Context, PublicKey, Signable, Signed},
    statement::Standing,
    time::Timestamp,
};

/// The only suite so far: Ed25519 and X25519 keys, BLAKE3 ids.
pub const SUITE: u8 = 0;

/// What a device may be to the others of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Commands the machines.
    Controller,
    /// Serves and uploads what its owner opened.
    Source,
    /// As a source, and may hold copies of other machines' files.
    Copy,
}

impl Role {
    /// Whether a device of this role may act as `needed`.
    pub fn includes(self, needed: Self) -> bool {
        self == needed || (self == Self::Copy && needed == Self::Source)
    }
}

/// Says that keys belong to a device of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCertificate {
    /// [`SUITE`].
    pub suite: u8,
    /// The account.
    pub account: AccountId,
    /// The device's keys; its id is their hash.
    pub keys: DevicePublicKeys,
    /// The sort of program.
    pub kind: DeviceKind,
    /// What it may be.
    pub role: Role,
    /// When it was signed, by the signer's clock.
    pub issued: Timestamp,
    /// When it ends; machines' do not.
    pub not_after: Option<Timestamp>,
    /// All certificates of an epoch end together, when a statement says so.
    pub epoch: u32,
}

impl Signable for DeviceCertificate {
    const CONTEXT: Context = Context::DeviceCert;
    const MAX_BYTES: usize = 256;
}

/// Says that a key, known to whoever knows a join code, may certify machines of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentCertificate {
    /// [`SUITE`].
    pub suite: u8,
    /// The account.
    pub account: AccountId,
    /// The key that may certify.
    pub key: PublicKey,
    /// The most that a machine certified by it may be; never a controller.
    pub role: Role,
    /// When it was signed, by the signer's clock.
    pub issued: Timestamp,
    /// When it ends; what it certified before stays.
    pub not_after: Timestamp,
    /// How many machines may join; only the server can count them.
    pub uses: u32,
    /// The epoch of every certificate made with it, so that raising the epoch ends them too.
    pub epoch: u32,
}

impl Signable for EnrolmentCertificate {
    const CONTEXT: Context = Context::EnrolCert;
    const MAX_BYTES: usize = 256;
}

/// Why a certificate was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// A signature in the chain does not fit, or its bytes are malformed.
    #[error("a certificate is not genuine ({0}); sign in or join again on that device")]
    Signature(#[from] BadSignature),
    /// Made by a newer program.
    #[error("a certificate is of a newer kind than this program knows; update it")]
    Suite,
    /// It is of another account than the one asked for.
    #[error("a certificate belongs to another account; sign in with the right account")]
    Account,
    /// It is of another device than the one asked for.
    #[error("a certificate belongs to another device; reload the list of devices and try again")]
    Device,
    /// A join code cannot make what this device claims to be.
    #[error("a join code does not allow this role; make one with the role that is needed")]
    Enrolment,
    /// It was made outside the time in which the join code counted.
    #[error("the join code had expired when it was used; make a new one and compare the clocks of both devices")]
    EnrolmentTime,
    /// It has ended, or had not begun.
    #[error("a certificate has expired; sign in again on that device, or set its clock")]
    Expired,
    /// A statement ended all certificates of its epoch.
    #[error("a certificate is of a past epoch; sign in or join again on that device")]
    Epoch,
    /// A statement revoked the device.
    #[error("this device was revoked; sign in or join again with new keys if that was a mistake")]
    Revoked,
}

/// A device's certificate with all that is needed to follow it to the account key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Of the device.
    pub device: Signed<DeviceCertificate>,
    /// Of the key that signed `device`, unless that was the account key.
    pub enrolment: Option<Signed<EnrolmentCertificate>>,
}

/// What a chain says of itself, unverified: good for finding the account and device to verify it with, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
}

impl Chain {
    /// The account itself certifies a device.
    pub fn by_account(certificate: &DeviceCertificate, key: &AccountKey) -> Self {
        Self {
            device: Signed::sign(certificate, key.signing()),
            enrolment: None,
        }
    }

    /// The holder of a join code certifies a machine.
    pub fn by_enrolment(
        certificate: &DeviceCertificate,
        enrolment: Signed<EnrolmentCertificate>,
        key: &SigningKey,
    ) -> Self {
        Self {
            device: Signed::sign(certificate, key),
            enrolment: Some(enrolment),
        }
    }

    /// Whose certificate this says it is.
    pub fn peek(&self) -> Result<Claim, BadCertificate> {
        let certificate = self.device.peek()?;
        Ok(Claim {
            account: certificate.account,
            device: certificate.keys.id(),
        })
    }

    /// The certificate, if it stands now: genuine, of this account (and of the device `expected`), neither expired nor revoked.
    ///
    /// `now` is one's own clock, never the server's; the latest time in the account's statements counts too.
    pub fn verify(
        &self,
        account_key: &PublicKey,
        expected: Option<&DeviceId>,
        now: Timestamp,
        standing: &Standing,
    ) -> Result<DeviceCertificate, BadCertificate> {
        let certificate = self.verify_but_time(account_key, expected, standing)?;
        certificate.check_end(standing.effective_now(now))?;
        Ok(certificate)
    }

    /// The certificate, if it stood at `issued`, when its device signed an order, and the device is not revoked today.
    pub fn verify_at(
        &self,
        account_key: &PublicKey,
        expected: Option<&DeviceId>,
        issued: Timestamp,
        standing: &Standing,
    ) -> Result<DeviceCertificate, BadCertificate> {
        let certificate = self.verify_but_time(account_key, expected, standing)?;
        if issued + CLOCK_GRACE < certificate.issued {
            return Err(BadCertificate::Expired);
        }
        certificate.check_end(issued)?;
        Ok(certificate)
    }

    fn verify_but_time(
        &self,
        account_key: &PublicKey,
        expected: Option<&DeviceId>,
        standing: &Standing,
    ) -> Result<DeviceCertificate, BadCertificate> {
        let certificate = self.verify_signatures(account_key)?;
        let device = certificate.keys.id();
        if expected.is_some_and(|expected| *expected != device) {
            return Err(BadCertificate::Device);
        }
        if certificate.epoch < standing.lowest_epoch() {
            return Err(BadCertificate::Epoch);
        }
        if standing.is_revoked(&device) {
            return Err(BadCertificate::Revoked);
        }
        Ok(certificate)
    }

    fn verify_signatures(&self, account_key: &PublicKey) -> Result<DeviceCertificate, BadCertificate> {
        let account = account_id(account_key);
        let certificate = match &self.enrolment {
            None => self.device.verify(account_key)?,
            Some(enrolment) => {
                let enrolment = EnrolmentCertificate::verify(enrolment, account_key)?;
                let certificate = self.device.verify(&enrolment.key)?;
                enrolment.check(&certificate)?;
                certificate
            }
        };
        if certificate.suite != SUITE {
            return Err(BadCertificate::Suite);
        }
        if certificate.account != account {
            return Err(BadCertificate::Account);
        }
        Ok(certificate)
    }
}

impl DeviceCertificate {
    fn check_end(&self, now: Timestamp) -> Result<(), BadCertificate> {
        match self.not_after {
            Some(end) if now > end + CLOCK_GRACE => Err(BadCertificate::Expired),
            _ => Ok(()),
        }
    }
}

impl EnrolmentCertificate {
    /// The certificate of an enrolment key, if this account signed it and it is of a kind that may be; its time is not looked at.
    pub(crate) fn verify(signed: &Signed<Self>, account_key: &PublicKey) -> Result<Self, BadCertificate> {
        let certificate = signed.verify(account_key)?;
        if certificate.suite != SUITE {
            return Err(BadCertificate::Suite);
        }
        if certificate.account != account_id(account_key) {
            return Err(BadCertificate::Account);
        }
        if certificate.role == Role::Controller {
            return Err(BadCertificate::Enrolment);
        }
        Ok(certificate)
    }

    /// Whether `device` is a certificate that this key may make.
    fn check(&self, device: &DeviceCertificate) -> Result<(), BadCertificate> {
        if device.kind != DeviceKind::Agent || !self.role.includes(device.role) {
            return Err(BadCertificate::Enrolment);
        }
        if device.epoch != self.epoch {
            return Err(BadCertificate::Epoch);
        }
        let begin = self.issued.before(CLOCK_GRACE);
        if device.issued < begin || device.issued > self.not_after + CLOCK_GRACE {
            return Err(BadCertificate::EnrolmentTime);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        keys::DeviceKeys,
        statement::Statement,
        wire::{decode, encode},
    };

    pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    pub(crate) fn account() -> AccountKey {
        AccountKey::from_bytes(&[1; 32])
    }

    pub(crate) fn device(seed: u8) -> DeviceKeys {
        DeviceKeys::from_bytes(&[seed; DeviceKeys::LEN])
    }

    /// A controller's certificate for 30 days.
    pub(crate) fn certificate(keys: &DeviceKeys) -> DeviceCertificate {
        DeviceCertificate {
            suite: SUITE,
            account: account().id(),
            keys: keys.public(),
            kind: DeviceKind::Browser,
            role: Role::Controller,
            issued: NOW,
            not_after: Some(NOW + 30 * DAY),
            epoch: 3,
        }
    }

    pub(crate) fn chain(certificate: &DeviceCertificate) -> Chain {
        Chain::by_account(certificate, &account())
    }

    /// Knows of a revocation of these devices, at [`NOW`].
    pub(crate) fn standing_without(devices: &[DeviceId], lowest_epoch: u32) -> Standing {
        let mut standing = Standing::default();
        let mut revocation = standing.revoke(&account().public(), devices, NOW).unwrap();
        revocation.lowest_epoch = lowest_epoch;
        let signed = Signed::sign(&Statement::Revocation(revocation), account().signing());
        standing.accept(&signed, &account().public()).unwrap();
        standing
    }

    fn enrolment_key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn enrolment(role: Role) -> EnrolmentCertificate {
        EnrolmentCertificate {
            suite: SUITE,
            account: account().id(),
            key: PublicKey::from(&enrolment_key()),
            role,
            issued: NOW,
            not_after: NOW + Duration::from_secs(900),
            uses: 1,
            epoch: 3,
        }
    }

    fn machine(role: Role) -> DeviceCertificate {
        DeviceCertificate {
            kind: DeviceKind::Agent,
            role,
            not_after: None,
            ..certificate(&device(7))
        }
    }

    fn joined(device: &DeviceCertificate, enrolment: &EnrolmentCertificate) -> Chain {
        Chain::by_enrolment(device, Signed::sign(enrolment, account().signing()), &enrolment_key())
    }

    fn verify(chain: &Chain, now: Timestamp) -> Result<DeviceCertificate, BadCertificate> {
        chain.verify(&account().public(), None, now, &Standing::default())
    }

    #[test]
    fn the_bytes_of_a_certificate_never_change() {
        let chain = chain(&certificate(&device(7)));
        assert_eq!(
            hex::encode(&chain.device.bytes),
            "0084455a7f37229c289a4db0682d727caf568fef2401a9edccdb3184ae7fc98f18ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c13be4feaeaf204c7fd3358fc9c00721881d174278128227ec674f37f7fe97b6d010080f8b2e5bd68018098a98dd16803"
        );
        assert_eq!(
            hex::encode(&chain.device.signature),
            "1b1c4a54d2c1013b499e692e82d7e3ba2e77b12018dbc114b752265c7fd8252ad7d98c0b7ac9e004467ff5afce9aef811a58d7c60fb7594d410335a6b4c95204"
        );
        let joined = joined(&machine(Role::Source), &enrolment(Role::Copy));
        assert_eq!(
            hex::encode(&joined.enrolment.unwrap().bytes),
            "0084455a7f37229c289a4db0682d727caf568fef2401a9edccdb3184ae7fc98f186e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf10280f8b2e5bd68c0e6a0e6bd680103"
        );
    }

    #[test]
    fn a_certificate_of_the_account_stands() {
        let certificate = certificate(&device(7));
        let chain = chain(&certificate);
        let key = account().public();
        let id = device(7).id();
        assert_eq!(
            chain.peek(),
            Ok(Claim {
                account: account().id(),
                device: id
            })
        );
        assert_eq!(
            chain.verify(&key, Some(&id), NOW, &Standing::default()),
            Ok(certificate)
        );
    }

    #[test]
    fn a_certificate_survives_the_wire() {
        let chain = joined(&machine(Role::Source), &enrolment(Role::Source));
        let back: Chain = decode(&encode(&chain)).unwrap();
        assert_eq!(back, chain);
        assert_eq!(verify(&back, NOW), Ok(machine(Role::Source)));
    }

    #[test]
    fn another_device_or_account_is_refused() {
        let chain = chain(&certificate(&device(7)));
        let other = device(8).id();
        assert_eq!(
            chain.verify(&account().public(), Some(&other), NOW, &Standing::default()),
            Err(BadCertificate::Device)
        );
        let stranger = AccountKey::from_bytes(&[2; 32]).public();
        assert_eq!(
            chain.verify(&stranger, None, NOW, &Standing::default()),
            Err(BadCertificate::Signature(BadSignature::Mismatch))
        );
    }

    #[test]
    fn an_account_cannot_certify_for_another() {
        let other = AccountKey::from_bytes(&[2; 32]);
        let chain = Chain::by_account(&certificate(&device(7)), &other);
        assert_eq!(
            chain.verify(&other.public(), None, NOW, &Standing::default()),
            Err(BadCertificate::Account)
        );
        let enrolment = EnrolmentCertificate {
            account: other.id(),
            ..enrolment(Role::Source)
        };
        assert_eq!(
            verify(&joined(&machine(Role::Source), &enrolment), NOW),
            Err(BadCertificate::Account)
        );
    }

    #[test]
    fn an_unknown_suite_is_refused() {
        let newer = DeviceCertificate {
            suite: 1,
            ..certificate(&device(7))
        };
        assert_eq!(verify(&chain(&newer), NOW), Err(BadCertificate::Suite));
        let newer = EnrolmentCertificate {
            suite: 1,
            ..enrolment(Role::Source)
        };
        assert_eq!(
            verify(&joined(&machine(Role::Source), &newer), NOW),
            Err(BadCertificate::Suite)
        );
    }

    #[test]
    fn a_certificate_ends_ten_minutes_after_its_time() {
        let chain = chain(&certificate(&device(7)));
        let end = NOW + 30 * DAY + CLOCK_GRACE;
        assert!(verify(&chain, end).is_ok());
        assert_eq!(
            verify(&chain, end + Duration::from_millis(1)),
            Err(BadCertificate::Expired)
        );
    }

    #[test]
    fn a_clock_set_back_does_not_revive_a_certificate() {
        let old = DeviceCertificate {
            not_after: Some(NOW.before(DAY)),
            ..certificate(&device(7))
        };
        let standing = standing_without(&[], 0);
        assert_eq!(
            chain(&old).verify(&account().public(), None, NOW.before(2 * DAY), &standing),
            Err(BadCertificate::Expired)
        );
    }

    #[test]
    fn a_machine_without_end_stands_for_ever() {
        let chain = joined(&machine(Role::Source), &enrolment(Role::Source));
        assert!(verify(&chain, Timestamp(i64::MAX)).is_ok());
    }

    #[test]
    fn a_revoked_device_is_refused() {
        let chain = chain(&certificate(&device(7)));
        let standing = standing_without(&[device(7).id()], 0);
        let key = account().public();
        assert_eq!(chain.verify(&key, None, NOW, &standing), Err(BadCertificate::Revoked));
        assert_eq!(
            chain.verify_at(&key, None, NOW, &standing),
            Err(BadCertificate::Revoked)
        );
        assert!(
            chain
                .verify(&key, None, NOW, &standing_without(&[device(8).id()], 3))
                .is_ok()
        );
    }

    #[test]
    fn a_past_epoch_is_refused() {
        let chain = chain(&certificate(&device(7)));
        let standing = standing_without(&[], 4);
        assert_eq!(
            chain.verify(&account().public(), None, NOW, &standing),
            Err(BadCertificate::Epoch)
        );
    }

    #[test]
    fn an_order_counts_if_it_was_signed_while_the_certificate_stood() {
        let certificate = certificate(&device(7));
        let chain = chain(&certificate);
        let at = |issued| chain.verify_at(&account().public(), None, issued, &Standing::default());
        assert_eq!(at(NOW.before(CLOCK_GRACE)), Ok(certificate));
        assert!(at(NOW + 30 * DAY + CLOCK_GRACE).is_ok());
        assert_eq!(
            at(NOW.before(CLOCK_GRACE + Duration::from_millis(1))),
            Err(BadCertificate::Expired)
        );
        assert_eq!(at(NOW + 31 * DAY), Err(BadCertificate::Expired));
    }

    #[test]
    fn an_enrolment_key_makes_no_controller() {
        let controller = certificate(&device(7));
        for role in [Role::Source, Role::Copy, Role::Controller] {
            assert_eq!(
                verify(&joined(&controller, &enrolment(role)), NOW),
                Err(BadCertificate::Enrolment)
            );
        }
        let source = machine(Role::Source);
        assert_eq!(
            verify(&joined(&source, &enrolment(Role::Controller)), NOW),
            Err(BadCertificate::Enrolment)
        );
    }

    #[test]
    fn an_enrolment_key_makes_machines_only() {
        for kind in [DeviceKind::Browser, DeviceKind::Cli] {
            let terminal = DeviceCertificate {
                kind,
                ..machine(Role::Source)
            };
            assert_eq!(
                verify(&joined(&terminal, &enrolment(Role::Source)), NOW),
                Err(BadCertificate::Enrolment)
            );
        }
    }

    #[test]
    fn an_enrolment_key_makes_nothing_beyond_its_role() {
        let made = |device, allowed| verify(&joined(&machine(device), &enrolment(allowed)), NOW).is_ok();
        assert!(made(Role::Source, Role::Source));
        assert!(made(Role::Source, Role::Copy));
        assert!(made(Role::Copy, Role::Copy));
        assert!(!made(Role::Copy, Role::Source));
    }

    #[test]
    fn an_enrolment_key_makes_nothing_outside_its_time() {
        let at = |issued| {
            let device = DeviceCertificate {
                issued,
                ..machine(Role::Source)
            };
            verify(&joined(&device, &enrolment(Role::Source)), NOW)
        };
        let (begin, end) = (NOW.before(CLOCK_GRACE), NOW + Duration::from_secs(900) + CLOCK_GRACE);
        assert!(at(begin).is_ok() && at(end).is_ok());
        assert_eq!(
            at(begin.before(Duration::from_millis(1))),
            Err(BadCertificate::EnrolmentTime)
        );
        assert_eq!(at(end + Duration::from_millis(1)), Err(BadCertificate::EnrolmentTime));
    }

    #[test]
    fn a_leaked_join_code_does_not_outlive_its_epoch() {
        let later = DeviceCertificate {
            epoch: 9,
            ..machine(Role::Source)
        };
        assert_eq!(
            verify(&joined(&later, &enrolment(Role::Source)), NOW),
            Err(BadCertificate::Epoch)
        );
    }

    #[test]
    fn a_certificate_signed_by_a_device_is_worth_nothing() {
        let rogue = device(7);
        let chain = Chain {
            device: Signed::sign(&certificate(&device(8)), rogue.signing()),
            enrolment: Some(Signed::sign(
                &EnrolmentCertificate {
                    key: rogue.public().sign,
                    ..enrolment(Role::Copy)
                },
                rogue.signing(),
            )),
        };
        assert_eq!(
            verify(&chain, NOW),
            Err(BadCertificate::Signature(BadSignature::Mismatch))
        );
    }

    #[test]
    fn what_was_signed_as_one_thing_is_not_taken_for_another() {
        let as_device = Signed::sign(&certificate(&device(7)), account().signing());
        let as_enrolment: Signed<EnrolmentCertificate> = decode(&encode(&as_device)).unwrap();
        assert_eq!(as_enrolment.verify(&account().public()), Err(BadSignature::Mismatch));
        let as_statement: Signed<Statement> = decode(&encode(&as_device)).unwrap();
        assert_eq!(as_statement.verify(&account().public()), Err(BadSignature::Mismatch));
        let enrolment = Signed::sign(&enrolment(Role::Copy), account().signing());
        let enrolment: Signed<DeviceCertificate> = decode(&encode(&enrolment)).unwrap();
        assert_eq!(enrolment.verify(&account().public()), Err(BadSignature::Mismatch));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_changed_bit_never_verifies(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = encode(&joined(&machine(Role::Source), &enrolment(Role::Source)));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(chain) = decode::<Chain>(&bytes) {
                let _ = chain.peek();
                prop_assert!(verify(&chain, NOW).is_err());
            }
        }

        #[test]
        fn any_bytes_are_safe_to_look_at(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(chain) = decode::<Chain>(&bytes) {
                let _ = chain.peek();
                prop_assert!(verify(&chain, NOW).is_err());
            }
        }
    }
}
