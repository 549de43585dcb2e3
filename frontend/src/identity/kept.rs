//! What a browser keeps of an identity: its device keys outlive sign-out, so that it is the same row of the control list
//! the next time; the certificate does not.

use std::collections::BTreeSet;

use beckon_shared::{
    api::account::SignedIn,
    certificate::Chain,
    id::DeviceId,
    keys::{DeviceKeys, account_id},
    signature::PublicKey,
    statement::Standing,
    wire,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::Identity;
use crate::{
    dom,
    vault::{self, Store},
};

/// Of the records; others are not read.
const VERSION: u8 = 1;
/// Under which the name of the account stands that was signed in last.
const LAST: &str = "last";

/// What this browser knows of an account from the last time.
#[derive(Debug)]
pub(crate) struct Known {
    /// The device's keys.
    pub(crate) keys: DeviceKeys,
    /// The account's key, pinned at the first sign-in.
    pub(crate) account_key: PublicKey,
    /// What the account has said so far.
    pub(crate) standing: Standing,
    /// The certificate and the session, while it is signed in.
    pub(crate) entry: Option<(Chain, SignedIn)>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    keys: Vec<u8>,
    account_key: PublicKey,
    standing: Standing,
    entry: Option<(Chain, SignedIn)>,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

/// What is known of the account of this name.
pub(crate) async fn known(name: &str) -> Option<Known> {
    let bytes = Zeroizing::new(vault::get(Store::Identity, &place(name)).await?);
    decode(&bytes)
}

/// The account that was signed in last.
pub(crate) async fn last_name() -> Option<String> {
    String::from_utf8(vault::get(Store::Identity, LAST).await?).ok()
}

/// Keeps an identity, unless it is one that is not to be kept.
pub(crate) async fn keep(identity: &Identity) {
    if !identity.kept {
        return;
    }
    let name = &identity.signed_in.account_name;
    catch_up(identity).await;
    write(name, &record(identity, true)).await;
    vault::put(Store::Identity, LAST, name.as_bytes()).await;
}

/// Keeps the keys and forgets the certificate.
pub(crate) async fn keep_keys(identity: &Identity) {
    if identity.kept {
        catch_up(identity).await;
        write(&identity.signed_in.account_name, &record(identity, false)).await;
    }
}

/// Keeps what the account is, and forgets the keys, in whose place others come that nobody knows.
pub(crate) async fn keep_pin(identity: &Identity) {
    if identity.kept {
        catch_up(identity).await;
        let mut record = record(identity, false);
        record.keys.zeroize();
        record.keys = dom::random::<{ DeviceKeys::LEN }>().to_vec();
        write(&identity.signed_in.account_name, &record).await;
    }
}

/// Each tab hears the account's news by itself: what another one kept is taken in, and never replaced by less.
async fn catch_up(identity: &Identity) {
    let known = known(&identity.signed_in.account_name).await;
    if let Some(newest) = known.as_ref().and_then(|known| known.standing.newest()) {
        // Nothing comes of what another account said, as of one that was made anew under this name.
        let _ = identity.standing.borrow_mut().accept(newest, &identity.account_key);
    }
}

/// Forgets all that is known of the account of this name.
pub(crate) async fn forget(name: &str) {
    if let Some(known) = known(name).await {
        vault::delete(Store::Identity, &confirmed_place(&known.account_key)).await;
    }
    vault::delete(Store::Identity, &place(name)).await;
}

/// The machines that are known to be the account's own though a join code vouches for them; nothing before the first control
/// list was seen.
pub(crate) async fn confirmed(identity: &Identity) -> Option<BTreeSet<DeviceId>> {
    let bytes = vault::get(Store::Identity, &confirmed_place(&identity.account_key)).await?;
    wire::decode(&bytes).ok()
}

/// Keeps them beside those that another tab kept.
pub(crate) async fn keep_confirmed(identity: &Identity, mut ids: BTreeSet<DeviceId>) {
    if identity.kept {
        ids.extend(confirmed(identity).await.unwrap_or_default());
        vault::put(
            Store::Identity,
            &confirmed_place(&identity.account_key),
            &wire::encode(&ids),
        )
        .await;
    }
}

fn record(identity: &Identity, with_entry: bool) -> Record {
    Record {
        keys: identity.keys.to_bytes().to_vec(),
        account_key: identity.account_key,
        standing: identity.standing.borrow().clone(),
        entry: with_entry.then(|| (identity.chain.clone(), identity.signed_in.clone())),
    }
}

async fn write(name: &str, record: &Record) {
    let bytes = Zeroizing::new(encode(record));
    vault::put(Store::Identity, &place(name), &bytes).await;
}

fn encode(record: &Record) -> Vec<u8> {
    [&[VERSION], Zeroizing::new(wire::encode(record)).as_slice()].concat()
}

fn decode(bytes: &[u8]) -> Option<Known> {
    let (VERSION, rest) = bytes.split_first().map(|(version, rest)| (*version, rest))? else {
        return None;
    };
    let mut record: Record = wire::decode(rest).ok()?;
    let mut keys = Zeroizing::new([0; DeviceKeys::LEN]);
    if record.keys.len() != keys.len() {
        return None;
    }
    keys.copy_from_slice(&record.keys);
    Some(Known {
        keys: DeviceKeys::from_bytes(&keys),
        account_key: record.account_key,
        standing: std::mem::take(&mut record.standing),
        entry: record.entry.take(),
    })
}

/// Of the account and not of its name: one that is made anew under the name has other machines.
fn confirmed_place(account_key: &PublicKey) -> String {
    format!("confirmed:{}", account_id(account_key))
}

/// Names are unique without case.
fn place(name: &str) -> String {
    format!("account:{}", name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use beckon_shared::{
        certificate::{DeviceCertificate, Role, SUITE},
        device::DeviceKind,
        id::{SignInId, SpaceId},
        keys::AccountKey,
        signature::Signed,
        statement::Statement,
        time::Timestamp,
    };
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn sample() -> Record {
        Record {
            keys: vec![7; DeviceKeys::LEN],
            account_key: AccountKey::from_bytes(&[1; 32]).public(),
            standing: Standing::default(),
            entry: None,
        }
    }

    #[wasm_bindgen_test]
    fn a_record_reads_as_it_was_written() {
        let known = decode(&encode(&sample()));
        let keys = known.as_ref().map(|known| known.keys.to_bytes().to_vec());
        assert_eq!(keys, Some(vec![7; DeviceKeys::LEN]));
        assert_eq!(known.map(|known| known.account_key), Some(sample().account_key));
    }

    #[wasm_bindgen_test]
    fn a_record_of_another_version_or_cut_short_is_not_read() {
        let mut bytes = encode(&sample());
        assert!(decode(&bytes[..bytes.len() - 1]).is_none());
        bytes[0] = VERSION + 1;
        assert!(decode(&bytes).is_none());
        assert!(decode(&[]).is_none());
    }

    #[wasm_bindgen_test]
    async fn what_was_kept_is_known_under_the_name_in_any_case() {
        write("Lin.Mei", &sample()).await;
        assert!(known("lin.mei").await.is_some());
        forget("LIN.MEI").await;
        assert!(known("lin.mei").await.is_none());
    }

    fn identity(account: &AccountKey) -> Identity {
        let keys = DeviceKeys::from_bytes(&[7; DeviceKeys::LEN]);
        let certificate = DeviceCertificate {
            suite: SUITE,
            account: account.id(),
            keys: keys.public(),
            kind: DeviceKind::Browser,
            role: Role::Controller,
            issued: Timestamp(0),
            not_after: None,
            epoch: 0,
        };
        let signed_in = SignedIn {
            account: account.id(),
            account_name: "ann".to_owned(),
            admin: false,
            space: SpaceId(uuid::Uuid::nil()),
            device: keys.id(),
            device_name: "Firefox on Windows".to_owned(),
            session: SignInId(uuid::Uuid::nil()),
            expires: Timestamp(0),
        };
        Identity {
            chain: Chain::by_account(&certificate, account),
            keys,
            account_key: account.public(),
            standing: RefCell::default(),
            signed_in,
            kept: true,
        }
    }

    #[wasm_bindgen_test]
    async fn what_another_tab_heard_is_never_replaced_by_less() {
        let (account, lost) = (
            AccountKey::from_bytes(&[1; AccountKey::LEN]),
            DeviceId([9; DeviceId::LEN]),
        );
        let (ahead, behind) = (identity(&account), identity(&account));
        let revocation = Standing::default().revoke(&account.public(), &[lost], Timestamp(1));
        let said = Signed::sign(&Statement::Revocation(revocation.unwrap()), account.signing());
        ahead.standing.borrow_mut().accept(&said, &account.public()).unwrap();
        keep_keys(&ahead).await;
        keep_keys(&behind).await;
        assert!(known("ann").await.is_some_and(|known| known.standing.is_revoked(&lost)));
        assert!(behind.standing.borrow().is_revoked(&lost));
        keep_pin(&behind).await;
        let left = known("ann")
            .await
            .map(|known| (known.account_key, known.keys.id() == behind.device()));
        assert_eq!(left, Some((account.public(), false)));
        forget("ann").await;
    }

    #[wasm_bindgen_test]
    async fn machines_that_were_confirmed_are_kept_together_and_forgotten_with_the_account() {
        let me = identity(&AccountKey::from_bytes(&[4; AccountKey::LEN]));
        let [one, other] = [8, 9].map(|seed| DeviceId([seed; DeviceId::LEN]));
        assert_eq!(confirmed(&me).await, None);
        keep_confirmed(&me, BTreeSet::new()).await;
        assert_eq!(confirmed(&me).await, Some(BTreeSet::new()));
        keep_keys(&me).await;
        keep_confirmed(&me, [one].into()).await;
        keep_confirmed(&me, [other].into()).await;
        assert_eq!(confirmed(&me).await, Some([one, other].into()));
        forget("ann").await;
        assert_eq!(confirmed(&me).await, None);
    }
}
