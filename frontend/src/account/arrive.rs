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
    key: AccountKey,
    words: RecoveryKey,
    chosen: proof::Chosen,
    /// Whether an answer of the server was lost, so that the account may exist after all.
    unsure: Cell<bool>,
}

impl Draft {
    /// Makes keys and words, and derives what the password yields; takes about a second. `code` is the set-up code or an
    /// invitation's.
    pub(crate) async fn new(name: Label, password: &str, code: Zeroizing<String>) -> Result<Self, Problem> {
        let key = AccountKey::from_bytes(&Zeroizing::new(dom::random()));
        Ok(Self {
            name,
            code,
            words: RecoveryKey::from_entropy(dom::random()),
            chosen: proof::choose(password, &key).await?,
            key,
            unsure: Cell::new(false),
        })
    }

    /// The account's name.
    pub(crate) fn name(&self) -> &Label {
        &self.name
    }

    /// The recovery words.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.words.words()
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
    let keys = new_keys();
    let chain = proof::certify(&draft.key, &keys, 0, Computer::Own);
    let request = SignUp {
        setup_code: draft.code.to_string(),
        name: draft.name.clone(),
        account_key: Packed(draft.key.public()),
        password: draft.chosen.password.clone(),
        recovery_auth: Bytes(*draft.words.auth().as_bytes()),
        recovery_wrapped: proof::wrap_by_words(&draft.words, &draft.key)?,
        device: proof::new_device(chain.clone())?,
    };
    let signed_in = api::post("/api/sign-up", &request).await?;
    let key = AccountKey::from_bytes(&draft.key.to_bytes());
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
    enter(stores, opened, new_keys(), Computer::Own).await
}

/// Signs in with the password.
pub(crate) async fn sign_in(stores: Stores, name: &str, password: &str, computer: Computer) -> Result<(), Problem> {
    let known = kept::known(name).await;
    let opened = proof::open(name, password, pinned(known.as_ref())).await?;
    let keys = usable_keys(known.filter(|_| computer.is_own()), &opened.standing);
    enter(stores, opened, keys, computer).await
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
    enter(stores, opened, keys, computer).await
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

async fn enter(stores: Stores, opened: proof::Opened, keys: DeviceKeys, computer: Computer) -> Result<(), Problem> {
    let chain = proof::certify(&opened.key, &keys, opened.standing.lowest_epoch(), computer);
    let signed_in = finish(&opened, &chain).await?;
    let pass = Pass {
        keys,
        chain,
        standing: opened.standing,
        computer,
    };
    settle(stores, opened.key, pass, signed_in).await;
    Ok(())
}

pub(super) async fn finish(opened: &proof::Opened, chain: &Chain) -> Result<SignedIn, Problem> {
    let request = SignInFinish {
        ticket: opened.ticket.clone(),
        device: proof::new_device(chain.clone())?,
    };
    Ok(api::post("/api/sign-in/finish", &request).await?)
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
    if kept::last_name()
        .await
        .is_some_and(|name| name != signed_in.account_name)
    {
        // What this browser read for another account is not this one's.
        vault::clear(Store::Folder).await;
    }
    let identity = Rc::new(Identity {
        keys: pass.keys,
        chain: pass.chain,
        account_key: account_key.public(),
        standing: RefCell::new(pass.standing),
        signed_in,
        kept: pass.computer.is_own(),
    });
    if pass.computer.is_own() {
        kept::keep(&identity).await;
    } else {
        guest::begin();
    }
    key::hold(account_key);
    take_up(stores, identity);
    tabs::tell(tabs::Word::SignedIn);
}

fn take_up(stores: Stores, identity: Rc<Identity>) {
    vault::keep_nothing(!identity.kept);
    let signed_in = identity.signed_in.clone();
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
        Ok(now) if now.device == device => {
            identity.signed_in = now;
            kept::keep(&identity).await;
        }
        Ok(_) => return leave::give_up(&identity, Left::Ended).await,
        Err(refusal) if leave::is_over(&refusal) => return leave::give_up(&identity, Left::of(&refusal)).await,
        // Nobody can be asked now; the banner says so, and what was known is shown.
        Err(_) => {}
    }
    take_up(stores, Rc::new(identity));
}

/// Whether the certificate is worth showing, by this browser's own clock and what it knows of revocations.
fn stands(identity: &Identity) -> bool {
    let standing = identity.standing.borrow();
    let (key, device) = (&identity.account_key, identity.device());
    identity.chain.verify(key, Some(&device), dom::now(), &standing).is_ok()
}
