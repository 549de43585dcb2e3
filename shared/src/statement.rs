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
    pub fn accept(&mut self, signed: &Signed<Statement>, account_key: &PublicKey) -> Result<Acceptance, BadStatement> {
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
    pub fn revoke(
        &self,
        account_key: &PublicKey,
        more: &[DeviceId],
        at: Timestamp,
    ) -> Result<Revocation, BadStatement> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        certificate::tests::{NOW, account, device},
        keys::AccountKey,
        wire::{FRAME_MAX, decode, encode},
    };

    fn sign(statement: Statement) -> Signed<Statement> {
        Signed::sign(&statement, account().signing())
    }

    fn revocation(number: u64, revoked: &[u8], lowest_epoch: u32) -> Signed<Statement> {
        sign(Statement::Revocation(Revocation {
            account: account().id(),
            number,
            at: Timestamp(NOW.0 + i64::try_from(number).unwrap()),
            revoked: revoked.iter().map(|seed| device(*seed).id()).collect(),
            lowest_epoch,
        }))
    }

    fn new_password(at: Timestamp) -> Signed<Statement> {
        sign(Statement::NewPassword(NewPassword {
            account: account().id(),
            at,
            auth_hash: Hash([2; 32]),
            salt: [3; 16],
            params: KdfParams::STANDARD,
            wrap_hash: Hash([4; 32]),
        }))
    }

    fn accept(standing: &mut Standing, signed: &Signed<Statement>) -> Result<Acceptance, BadStatement> {
        standing.accept(signed, &account().public())
    }

    #[test]
    fn the_bytes_of_statements_never_change() {
        assert_eq!(
            hex::encode(revocation(2, &[7], 1).bytes),
            "0084455a7f37229c289a4db0682d727caf568fef2401a9edccdb3184ae7fc98f180284f8b2e5bd680108c2ff808ea596a82215b3982808fb22c2c4fb4f5d7c259c7cf31b81c00bc68401"
        );
        assert_eq!(
            hex::encode(new_password(NOW).bytes),
            "0184455a7f37229c289a4db0682d727caf568fef2401a9edccdb3184ae7fc98f1880f8b2e5bd6802020202020202020202020202020202020202020202020202020202020202020303030303030303030303030303030380800403010404040404040404040404040404040404040404040404040404040404040404"
        );
        assert_eq!(
            hex::encode(new_password(NOW).signature),
            "c33b81f9368fa1efb8e3735942ba93bf2f2fef625bbfe3100580e1878d4275c6876dabe5b7066c210f59ef1599a5204e245dbe9d7df59cf7957d0822137acd0a"
        );
    }

    #[test]
    fn a_newer_revocation_is_taken_and_told_on() {
        let mut standing = Standing::default();
        let first = revocation(1, &[7], 0);
        assert_eq!(accept(&mut standing, &first), Ok(Acceptance::Accepted));
        let second = revocation(5, &[7, 8], 0);
        assert_eq!(accept(&mut standing, &second), Ok(Acceptance::Accepted));
        assert_eq!((standing.number(), standing.newest()), (5, Some(&second)));
        assert!(standing.is_revoked(&device(7).id()) && standing.is_revoked(&device(8).id()));
        assert!(!standing.is_revoked(&device(9).id()));
        assert_eq!(standing.latest_time(), Timestamp(NOW.0 + 5));
    }

    #[test]
    fn a_stale_revocation_changes_nothing() {
        let mut standing = Standing::default();
        accept(&mut standing, &revocation(5, &[7], 2)).unwrap();
        let before = standing.clone();
        for stale in [revocation(5, &[], 0), revocation(4, &[8], 9)] {
            assert_eq!(accept(&mut standing, &stale), Ok(Acceptance::Stale));
            assert_eq!(standing, before);
        }
    }

    #[test]
    fn a_revoked_device_stays_so_even_if_a_later_statement_forgets_it() {
        let mut standing = Standing::default();
        accept(&mut standing, &revocation(1, &[7], 0)).unwrap();
        accept(&mut standing, &revocation(2, &[8], 0)).unwrap();
        assert_eq!(standing.revoked().count(), 2);
    }

    #[test]
    fn a_higher_epoch_starts_the_list_anew_and_never_sinks() {
        let mut standing = Standing::default();
        accept(&mut standing, &revocation(1, &[7], 2)).unwrap();
        accept(&mut standing, &revocation(2, &[8], 4)).unwrap();
        assert_eq!(standing.revoked().collect::<Vec<_>>(), [&device(8).id()]);
        accept(&mut standing, &revocation(3, &[], 1)).unwrap();
        assert_eq!(standing.lowest_epoch(), 4);
    }

    #[test]
    fn a_statement_of_another_account_is_refused() {
        let mut standing = Standing::default();
        let other = AccountKey::from_bytes(&[2; 32]);
        let genuine = revocation(1, &[7], 0);
        let mismatch = BadStatement::Signature(BadSignature::Mismatch);
        assert_eq!(standing.accept(&genuine, &other.public()), Err(mismatch));
        let foreign = Signed::sign(&genuine.peek().unwrap(), other.signing());
        assert_eq!(standing.accept(&foreign, &account().public()), Err(mismatch));
        assert_eq!(standing.accept(&foreign, &other.public()), Err(BadStatement::Account));
        assert_eq!(standing, Standing::default());
    }

    #[test]
    fn a_new_password_moves_only_the_clock() {
        let mut standing = Standing::default();
        assert_eq!(accept(&mut standing, &new_password(NOW)), Ok(Acceptance::Accepted));
        assert_eq!(accept(&mut standing, &new_password(NOW)), Ok(Acceptance::Stale));
        assert_eq!((standing.number(), standing.newest()), (0, None));
        assert_eq!(standing.latest_time(), NOW);
    }

    #[test]
    fn the_later_of_clock_and_statement_counts() {
        let mut standing = Standing::default();
        assert_eq!(standing.effective_now(NOW), NOW);
        accept(&mut standing, &new_password(NOW)).unwrap();
        assert_eq!(standing.effective_now(Timestamp(5)), NOW);
        assert_eq!(standing.effective_now(Timestamp(NOW.0 + 5)), Timestamp(NOW.0 + 5));
    }

    #[test]
    fn the_next_revocation_names_all() {
        let mut standing = Standing::default();
        accept(&mut standing, &revocation(5, &[7], 2)).unwrap();
        let next = standing
            .revoke(&account().public(), &[device(8).id(), device(7).id()], NOW)
            .unwrap();
        assert_eq!((next.number, next.revoked.len(), next.lowest_epoch), (6, 2, 2));
        assert_eq!(
            accept(&mut standing, &sign(Statement::Revocation(next))),
            Ok(Acceptance::Accepted)
        );
    }

    #[test]
    fn a_full_statement_fits_into_a_control_frame_and_a_fuller_one_is_refused() {
        let mut standing = Standing::default();
        let ids: Vec<DeviceId> = (0..MAX_REVOKED)
            .map(|n| DeviceId(*blake3::hash(&n.to_le_bytes()).as_bytes()))
            .collect();
        let mut full = standing.revoke(&account().public(), &ids, NOW).unwrap();
        full.number = u64::MAX - 1;
        full.lowest_epoch = u32::MAX;
        let signed = sign(Statement::Revocation(full.clone()));
        assert!(encode(&signed).len() < FRAME_MAX - 2048);
        assert_eq!(accept(&mut standing, &signed), Ok(Acceptance::Accepted));

        let more = [DeviceId([0xee; 32])];
        assert_eq!(
            standing.revoke(&account().public(), &more, NOW),
            Err(BadStatement::TooMany)
        );
        full.revoked.extend(more);
        assert_eq!(
            accept(&mut standing, &sign(Statement::Revocation(full))),
            Err(BadStatement::TooMany)
        );
    }

    #[test]
    fn a_standing_survives_storage() {
        let mut standing = Standing::default();
        accept(&mut standing, &revocation(5, &[7, 8], 2)).unwrap();
        assert_eq!(decode::<Standing>(&encode(&standing)), Ok(standing));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_changed_bit_is_never_accepted(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = encode(&revocation(1, &[7, 8], 1));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let mut standing = Standing::default();
            if let Ok(signed) = decode::<Signed<Statement>>(&bytes) {
                prop_assert!(accept(&mut standing, &signed).is_err());
            }
            prop_assert_eq!(standing, Standing::default());
        }
    }
}
