//! Ways in: the first account or an invitation, the password, the recovery words, and what this browser kept.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use beckon_shared::{
    api::{
        Bytes, Packed,
        account::{ChangePassword, SignInFinish, SignUp, SignedIn},
    },
    certificate::Chain,
    error::ErrorCode,
    id::{AccountId, DeviceId},
    keys::{AccountKey, DeviceKeys},
    path::Label,
    recovery::RecoveryKey,
    signature::PublicKey,
    statement::Standing,
};
use leptos::prelude::Set;
use zeroize::Zeroizing;

use super::{Computer, Left, Problem, guest, key, leave, proof, tabs};
use crate::{
    api, dom,
    identity::{
        self, Identity,
        kept::{self, Known},
    },
    socket,
    store::Stores,
    vault::{self, Store},
};

/// An account that is not on the server yet: its owner writes the recovery words down first.
#[derive(Debug)]
pub(crate) struct Draft {
    name: Label,
    code: Zeroizing<String>,
    secrets: Rc<Secrets>,
    chosen: Rc<proof::Chosen>,
    /// Whether an answer of the server was lost, so that the account may exist after all.
    unsure: Cell<bool>,
}

/// What an account consists of.
#[derive(Debug)]
struct Secrets {
    key: AccountKey,
    words: RecoveryKey,
}

impl Draft {
    /// Makes keys and words, and derives what the password yields; takes about a second. `code` is the set-up code or an
    /// invitation's. The words of an `earlier` draft stay: they may be written down already.
    pub(crate) async fn new(
        name: Label,
        password: &str,
        code: Zeroizing<String>,
        earlier: Option<&Self>,
    ) -> Result<Self, Problem> {
        let fresh = || {
            Rc::new(Secrets {
                key: AccountKey::from_bytes(&Zeroizing::new(dom::random())),
                words: RecoveryKey::from_entropy(dom::random()),
            })
        };
        let secrets = earlier.map_or_else(fresh, |earlier| Rc::clone(&earlier.secrets));
        Ok(Self {
            name,
            code,
            chosen: Rc::new(proof::choose(password, &secrets.key).await?),
            secrets,
            unsure: Cell::new(false),
        })
    }

    /// The same account by another name or code: the password and the words stay.
    pub(crate) fn renamed(&self, name: Label, code: Zeroizing<String>) -> Self {
        Self {
            name,
            code,
            secrets: Rc::clone(&self.secrets),
            chosen: Rc::clone(&self.chosen),
            unsure: Cell::new(self.unsure.get()),
        }
    }

    /// The account's name.
    pub(crate) fn name(&self) -> &Label {
        &self.name
    }

    /// The recovery words.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.secrets.words.words()
    }
}

/// Makes the account and signs this browser in.
pub(crate) async fn sign_up(stores: Stores, draft: &Draft) -> Result<(), Problem> {
    match try_sign_up(stores, draft).await {
        Err(problem) if problem.is(ErrorCode::GoingAway) => {
            draft.unsure.set(true);
            Err(problem)
        }
        Err(_) if draft.unsure.get() => enter_made(stores, draft).await,
        tried => tried,
    }
}

async fn try_sign_up(stores: Stores, draft: &Draft) -> Result<(), Problem> {
    let (keys, Secrets { key, words }) = (new_keys(), &*draft.secrets);
    let chain = proof::certify(key, &keys, 0, Computer::Own);
    let request = SignUp {
        setup_code: draft.code.to_string(),
        name: draft.name.clone(),
        account_key: Packed(key.public()),
        password: draft.chosen.password.clone(),
        recovery_auth: Bytes(*words.auth().as_bytes()),
        recovery_wrapped: proof::wrap_by_words(words, key)?,
        device: proof::new_device(chain.clone(), Computer::Own)?,
    };
    let signed_in = api::post("/api/sign-up", &request).await?;
    let signed_in = checked(signed_in, draft.name.as_str(), key.id(), keys.id())?;
    let key = AccountKey::from_bytes(&key.to_bytes());
    let pass = Pass {
        keys,
        chain,
        standing: Standing::default(),
        computer: Computer::Own,
    };
    settle(stores, key, pass, signed_in).await;
    Ok(())
}

/// The account was made, only the answer was lost.
async fn enter_made(stores: Stores, draft: &Draft) -> Result<(), Problem> {
    let opened = proof::open_by_secrets(draft.name.as_str(), &draft.chosen.secrets, None).await?;
    enter(stores, draft.name.as_str(), opened, new_keys(), Computer::Own).await
}

/// Signs in with the password.
pub(crate) async fn sign_in(stores: Stores, name: &str, password: &str, computer: Computer) -> Result<(), Problem> {
    let known = kept::known(name).await;
    let opened = proof::open(name, password, pinned(known.as_ref())).await?;
    let keys = usable_keys(known.filter(|_| computer.is_own()), &opened.standing);
    enter(stores, name, opened, keys, computer).await
}

/// Puts a new password in the place of a lost one, by the recovery words, and signs in with it. All other sessions end.
pub(crate) async fn recover(
    stores: Stores,
    name: &str,
    words: &str,
    password: &str,
    computer: Computer,
) -> Result<(), Problem> {
    beckon_shared::password::check_new(password)?;
    let words = RecoveryKey::parse(words)?;
    let known = kept::known(name).await;
    let opened = proof::open_by_words(name, &words, pinned(known.as_ref())).await?;
    let chosen = proof::choose(password, &opened.key).await?;
    let request = ChangePassword {
        ticket: opened.ticket.clone(),
        statement: Packed(chosen.statement(&opened.key)),
        password: chosen.password.clone(),
    };
    api::tell("/api/recover/finish", &request).await?;
    let keys = usable_keys(known.filter(|_| computer.is_own()), &opened.standing);
    let pinned = (opened.key.public(), opened.standing);
    let opened = proof::open_by_secrets(name, &chosen.secrets, Some((&pinned.0, &pinned.1))).await?;
    enter(stores, name, opened, keys, computer).await
}

/// Forgets the account key that was pinned for a name, for when an account was made anew on a new server.
pub(crate) async fn unpin(name: &str) {
    kept::forget(name).await;
}

fn pinned(known: Option<&Known>) -> Option<(&PublicKey, &Standing)> {
    known.map(|known| (&known.account_key, &known.standing))
}

/// The keys of the last time, so that the device stays the same row of the control list; new ones if those were revoked.
fn usable_keys(known: Option<Known>, standing: &Standing) -> DeviceKeys {
    match known {
        Some(known) if !standing.is_revoked(&known.keys.id()) => known.keys,
        _ => new_keys(),
    }
}

fn new_keys() -> DeviceKeys {
    DeviceKeys::from_bytes(&Zeroizing::new(dom::random()))
}

async fn enter(
    stores: Stores,
    name: &str,
    opened: proof::Opened,
    keys: DeviceKeys,
    computer: Computer,
) -> Result<(), Problem> {
    let (chain, signed_in) = finish(name, &opened, &keys, computer).await?;
    let pass = Pass {
        keys,
        chain,
        standing: opened.standing,
        computer,
    };
    settle(stores, opened.key, pass, signed_in).await;
    Ok(())
}

/// Opens a session for a device that is certified for it.
pub(super) async fn finish(
    name: &str,
    opened: &proof::Opened,
    keys: &DeviceKeys,
    computer: Computer,
) -> Result<(Chain, SignedIn), Problem> {
    let chain = proof::certify(&opened.key, keys, opened.standing.lowest_epoch(), computer);
    let request = SignInFinish {
        ticket: opened.ticket.clone(),
        device: proof::new_device(chain.clone(), computer)?,
    };
    let signed_in = api::post("/api/sign-in/finish", &request).await?;
    Ok((chain, checked(signed_in, name, opened.key.id(), keys.id())?))
}

/// What the server says of a session counts only for the account that was opened, by the name that was asked for: what is
/// kept under that name must not come into the place of what is known of another account.
fn checked(signed_in: SignedIn, name: &str, account: AccountId, device: DeviceId) -> Result<SignedIn, Problem> {
    let is_same_name = signed_in.account_name.to_lowercase() == name.to_lowercase();
    if !is_same_name || signed_in.account != account || signed_in.device != device {
        return Err(Problem::OtherAccount);
    }
    Ok(signed_in)
}

/// What this browser shows from now on.
struct Pass {
    keys: DeviceKeys,
    chain: Chain,
    standing: Standing,
    computer: Computer,
}

/// Somebody is signed in: keeps what is to be kept, and connects.
async fn settle(stores: Stores, account_key: AccountKey, pass: Pass, signed_in: SignedIn) {
    vault::keep_nothing(!pass.computer.is_own());
    let identity = Rc::new(Identity {
        keys: pass.keys,
        chain: pass.chain,
        account_key: account_key.public(),
        standing: RefCell::new(pass.standing),
        signed_in,
        kept: pass.computer.is_own(),
    });
    if pass.computer.is_own() {
        clear_of_others(&identity.signed_in.account_name).await;
        kept::keep(&identity).await;
        guest::end();
    } else {
        guest::begin();
    }
    key::hold(account_key);
    let device = identity.device();
    take_up(stores, identity).await;
    tabs::tell(tabs::Word::SignedIn(device));
}

/// What this browser read and sent for another account is not this one's.
async fn clear_of_others(name: &str) {
    if kept::last_name().await.is_some_and(|last| last != name) {
        vault::clear(Store::Folder).await;
        vault::clear(Store::Upload).await;
    }
}

async fn take_up(stores: Stores, identity: Rc<Identity>) {
    let signed_in = identity.signed_in.clone();
    let confirmed = kept::confirmed(&identity).await;
    stores.confirmed.set(confirmed);
    identity::set_current(Some(identity));
    stores.me.set(Some(signed_in));
    socket::start(stores);
}

/// At the start of the page: takes up the identity that this browser keeps, if its session still stands, and connects.
pub(crate) async fn resume(stores: Stores) {
    leave::listen(stores);
    guest::clean_up().await;
    let Some(name) = kept::last_name().await else { return };
    let Some(known) = kept::known(&name).await else { return };
    let Some((chain, last)) = known.entry else { return };
    let device = known.keys.id();
    let mut identity = Identity {
        keys: known.keys,
        chain,
        account_key: known.account_key,
        standing: RefCell::new(known.standing),
        signed_in: last,
        kept: true,
    };
    if !stands(&identity) {
        leave::give_up(&identity, Left::Ended).await;
        return;
    }
    match api::get::<SignedIn>("/api/sessions/current").await {
        Ok(now) => match checked(now, &name, identity.account(), device) {
            Ok(now) => {
                identity.signed_in = now;
                kept::keep(&identity).await;
            }
            Err(_) => return leave::give_up(&identity, Left::Ended).await,
        },
        Err(refusal) if leave::is_over(&refusal) => return leave::give_up(&identity, Left::of(&refusal)).await,
        // Nobody can be asked now; the banner says so, and what was known is shown.
        Err(_) => {}
    }
    take_up(stores, Rc::new(identity)).await;
}

/// Whether the certificate is worth showing, by this browser's own clock and what it knows of revocations.
fn stands(identity: &Identity) -> bool {
    let standing = identity.standing.borrow();
    let (key, device) = (&identity.account_key, identity.device());
    identity.chain.verify(key, Some(&device), dom::now(), &standing).is_ok()
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{SignInId, SpaceId},
        time::Timestamp,
    };
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const MINE: AccountId = AccountId([1; AccountId::LEN]);
    const HERE: DeviceId = DeviceId([2; DeviceId::LEN]);

    fn session(name: &str, account: AccountId, device: DeviceId) -> SignedIn {
        SignedIn {
            account,
            account_name: name.to_owned(),
            admin: false,
            space: SpaceId(uuid::Uuid::nil()),
            device,
            device_name: "Firefox on Windows".to_owned(),
            session: SignInId(uuid::Uuid::nil()),
            expires: Timestamp(0),
        }
    }

    #[wasm_bindgen_test]
    fn a_session_of_somebody_else_is_not_taken_for_ones_own() {
        let is_taken = |session| checked(session, "lin.mei", MINE, HERE).is_ok();
        assert!(is_taken(session("Lin.Mei", MINE, HERE)));
        assert!(!is_taken(session("bob", MINE, HERE)));
        assert!(!is_taken(session("lin.mei", AccountId([9; AccountId::LEN]), HERE)));
        assert!(!is_taken(session("lin.mei", MINE, DeviceId([9; DeviceId::LEN]))));
    }
}
