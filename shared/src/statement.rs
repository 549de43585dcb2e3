//! Statements: what the account says to all its devices and the server, and what a device keeps of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, DeviceId, Hash},
    keys::account_id,
    password::KdfParams,
    signature::{BadSignature, Context, PublicKey, Signable, Signed},
    time::Timestamp,
};

/// So many devices that the statement still fits into one frame of the control socket (12 KiB of 16). For more, raise the
/// lowest epoch and start the list anew.
pub const MAX_REVOKED: usize = 384;

/// A thing that only the account key can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// Which devices no longer count.
    Revocation(Revocation),
    /// That the password was changed by the account itself; of interest to the server alone.
    NewPassword(NewPassword),
}

/// Which devices no longer count: the newest one names them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The account.
    pub account: AccountId,
    /// One more than the revocation before; the first is 1.
    pub number: u64,
    /// When it was signed, by the signer's clock.
    pub at: Timestamp,
    /// All revoked devices, at most [`MAX_REVOKED`].
    pub revoked: Vec<DeviceId>,
    /// Certificates of earlier epochs do not count, whoever holds them.
    pub lowest_epoch: u32,
}

/// What takes the place of the account's old password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPassword {
    /// The account.
    pub account: AccountId,
    /// When it was signed; the server takes only what is later than the last one.
    pub at: Timestamp,
    /// [`crate::password::AuthSecret::hash`] of the new auth secret.
    pub auth_hash: Hash,
    /// The new salt.
    pub salt: [u8; 16],
    /// The new parameters.
    pub params: KdfParams,
    /// [`crate::password::WrappedKey::hash`] of the new wrap.
    pub wrap_hash: Hash,
}

impl Statement {
    /// The account that it says to be of.
    pub fn account(&self) -> AccountId {
        match self {
            Self::Revocation(revocation) => revocation.account,
            Self::NewPassword(password) => password.account,
        }
    }

    /// When it was signed.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Revocation(revocation) => revocation.at,
            Self::NewPassword(password) => password.at,
        }
    }

    /// The statement, if this account made it.
    pub fn verify(signed: &Signed<Self>, account_key: &PublicKey) -> Result<Self, BadStatement> {
        let statement = signed.verify(account_key)?;
        if statement.account() != account_id(account_key) {
            return Err(BadStatement::Account);
        }
        match &statement {
            Self::Revocation(revocation) if revocation.revoked.len() > MAX_REVOKED => Err(BadStatement::TooMany),
            _ => Ok(statement),
        }
    }
}

impl Signable for Statement {
    const CONTEXT: Context = Context::Statement;
    const MAX_BYTES: usize = MAX_REVOKED * DeviceId::LEN + 128;
}

/// Why a statement was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStatement {
    /// It is not by this account key, or malformed.
    #[error("a statement is not genuine ({0}); ask the account's owner to make it again")]
    Signature(#[from] BadSignature),
    /// It is about another account.
    #[error("a statement belongs to another account; sign in with the right account")]
    Account,
    /// It names more than [`MAX_REVOKED`] devices.
    #[error("a statement names at most 384 devices; raise the lowest epoch and start the list anew")]
    TooMany,
}

/// What became of a statement that was genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It is news; store the standing, and end what it revokes.
    Accepted,
    /// The same or a later one was known; nothing is to be done.
    Stale,
}

/// What a device keeps of its account's statements. It only ever goes forward.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    newest: Option<Signed<Statement>>,
    number: u64,
    latest: Timestamp,
    revoked: BTreeSet<DeviceId>,
    lowest_epoch: u32,
}

impl Standing {
    /// Takes in a statement of the account that `account_key` belongs to.
    pub fn accept(
        &mut self,
        signed: &Signed<Statement>,
        account_key: &PublicKey,
    ) -> Result<Acceptance, BadStatement> {
        let statement = Statement::verify(signed, account_key)?;
        let is_later = statement.at() > self.latest;
        self.latest = self.latest.max(statement.at());
        match statement {
            Statement::Revocation(revocation) if revocation.number > self.number => {
                self.newest = Some(signed.clone());
                self.apply(revocation);
                Ok(Acceptance::Accepted)
            }
            Statement::NewPassword(_) if is_later => Ok(Acceptance::Accepted),
            _ => Ok(Acceptance::Stale),
        }
    }

    /// A higher epoch starts a new list. Otherwise what was revoked stays so, even if a controller that had been kept
    /// from the news left it out.
    fn apply(&mut self, revocation: Revocation) {
        if revocation.lowest_epoch > self.lowest_epoch {
            self.lowest_epoch = revocation.lowest_epoch;
            self.revoked.clear();
        }
        self.number = revocation.number;
        self.revoked.extend(revocation.revoked);
    }

    /// The next revocation: all that are revoked already, and `more`. The caller may raise its epoch (and then empty its list).
    pub fn revoke(&self, account_key: &PublicKey, more: &[DeviceId], at: Timestamp) -> Result<Revocation, BadStatement> {
        let revoked: BTreeSet<DeviceId> = self.revoked.iter().chain(more).copied().collect();
        if revoked.len() > MAX_REVOKED {
            return Err(BadStatement::TooMany);
        }
        Ok(Revocation {
            account: account_id(account_key),
            number: self.number + 1,
            at,
            revoked: revoked.into_iter().collect(),
            lowest_epoch: self.lowest_epoch,
        })
    }

    /// The number of the newest revocation, 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The newest revocation as it was signed, to be told on.
    pub fn newest(&self) -> Option<&Signed<Statement>> {
        self.newest.as_ref()
    }

    /// Whether the device was revoked.
    pub fn is_revoked(&self, device: &DeviceId) -> bool {
        self.revoked.contains(device)
    }

    /// Every revoked device.
    pub fn revoked(&self) -> impl Iterator<Item = &DeviceId> {
        self.revoked.iter()
    }

    /// Certificates of earlier epochs do not count.
    pub fn lowest_epoch(&self) -> u32 {
        self.lowest_epoch
    }

    /// The latest time in any statement of the account.
    pub fn latest_time(&self) -> Timestamp {
        self.latest
    }

    /// The time by which certificates end: one's own clock, or the latest statement's time if one's own is behind it.
    pub fn effective_now(&self, own: Timestamp) -> Timestamp {
        own.max(self.latest)
    }
}
