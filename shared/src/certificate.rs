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
        Self { device: Signed::sign(certificate, key.signing()), enrolment: None }
    }

    /// The holder of a join code certifies a machine.
    pub fn by_enrolment(
        certificate: &DeviceCertificate,
        enrolment: Signed<EnrolmentCertificate>,
        key: &SigningKey,
    ) -> Self {
        Self { device: Signed::sign(certificate, key), enrolment: Some(enrolment) }
    }

    /// Whose certificate this says it is.
    pub fn peek(&self) -> Result<Claim, BadCertificate> {
        let certificate = self.device.peek()?;
        Ok(Claim { account: certificate.account, device: certificate.keys.id() })
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
        if !self.role.includes(device.role) {
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
