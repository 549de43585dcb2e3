//! What only the account key can do: join codes, revocations, a new password, a new certificate.

use std::{rc::Rc, time::Duration};

use beckon_shared::{
    api::{
        Bytes, Packed,
        account::{ChangePassword, SignInView},
        device::NewStatement,
        join::NewJoinCode,
    },
    certificate::Role,
    error::{ErrorCode, Refusal},
    id::{DeviceId, Hash, SignInId},
    join::{JoinCode, Terms},
    keys::{AccountKey, DeviceKeys},
    signature::Signed,
    statement::Statement,
    time::Timestamp,
};
use leptos::prelude::Set;
use zeroize::Zeroizing;

use super::{Computer, Problem, arrive, key, proof};
use crate::{
    api, dom,
    identity::{self, Identity, kept},
    session,
    store::Stores,
    text,
};

/// A certificate that ends sooner than this is made anew when the password is typed anyway.
const RENEW_BELOW: Duration = Duration::from_secs(20 * 24 * 3600);

/// A join code that was made.
#[derive(Debug, Clone)]
pub(crate) struct MadeCode {
    /// `bk1-...`, for the machine that is to join.
    pub(crate) text: Zeroizing<String>,
    /// Under which it is withdrawn: `DELETE /api/join-codes/{lookup}`.
    pub(crate) lookup: Hash,
    /// When it lapses.
    pub(crate) expires: Timestamp,
}

/// Makes a code by which machines join. The server learns what it proves, and not the code. `None` if the account key is
/// not in memory.
pub(crate) async fn join_code(role: Role, life: Duration, uses: u32) -> Result<Option<MadeCode>, Refusal> {
    let Some(account) = key::unlocked()? else {
        return Ok(None);
    };
    let identity = current()?;
    let (code, issued) = (JoinCode::new(dom::random()), dom::now());
    let terms = Terms {
        role,
        issued,
        not_after: issued + life,
        uses,
        epoch: identity.standing.borrow().lowest_epoch(),
    };
    let (offer, mac) = code
        .offer(&account, &terms)
        .map_err(|bad| Refusal::new(ErrorCode::BadRequest, bad.to_string()))?;
    let request = NewJoinCode {
        lookup: code.lookup(),
        offer: Packed(offer),
        mac: Bytes(mac),
    };
    api::tell("/api/join-codes", &request).await?;
    Ok(Some(MadeCode {
        text: code.text(),
        lookup: code.lookup(),
        expires: terms.not_after,
    }))
}

/// Revokes a device: locked out for good, everywhere, within seconds. False if the account key is not in memory.
pub(crate) async fn revoke(stores: Stores, device: DeviceId) -> Result<bool, Refusal> {
    let Some(account) = key::unlocked()? else {
        return Ok(false);
    };
    let identity = current()?;
    let revocation = identity
        .standing
        .borrow()
        .revoke(&identity.account_key, &[device], dom::now());
    let revocation = revocation.map_err(|bad| Refusal::new(ErrorCode::TooLarge, bad.to_string()))?;
    let statement = Signed::sign(&Statement::Revocation(revocation), account.signing());
    let said = NewStatement {
        statement: Packed(statement.clone()),
    };
    api::tell("/api/statements", &said).await?;
    super::heard(stores, &statement).await;
    Ok(true)
}

/// The account's open sessions, newest first.
pub(crate) async fn sessions() -> Result<Vec<SignInView>, Refusal> {
    api::get("/api/sessions").await
}

/// Ends a session, and the sockets of its device.
pub(crate) async fn end_session(id: SignInId) -> Result<(), Refusal> {
    api::delete(&format!("/api/sessions/{id}")).await
}

/// Puts a new password in the place of the old one. All other sessions end.
pub(crate) async fn change_password(stores: Stores, old: &str, new: &str) -> Result<(), Problem> {
    beckon_shared::password::check_new(new)?;
    let run = key::run();
    let opened = open_again(stores, &*current()?, old).await?;
    // What was said meanwhile may have revoked this browser.
    current()?;
    let chosen = proof::choose(new, &opened.key).await?;
    let request = ChangePassword {
        ticket: opened.ticket.clone(),
        statement: Packed(chosen.statement(&opened.key)),
        password: chosen.password,
    };
    api::tell("/api/password", &request).await?;
    if key::run() == run {
        key::hold(opened.key);
    }
    Ok(())
}

/// The account key of who is signed in, by the password; a certificate that ends soon is renewed on this occasion. `None`
/// if that was called off meanwhile.
pub(super) async fn reopen(stores: Stores, password: &str) -> Result<Option<AccountKey>, Problem> {
    let run = key::run();
    let identity = current()?;
    let opened = open_again(stores, &identity, password).await?;
    if key::run() == run && ends_soon(&identity) {
        // The old one still counts for a while, so this may fail.
        let _ = renew(stores, &identity, &opened).await;
    }
    Ok((key::run() == run).then_some(opened.key))
}

/// What the server then says of the account is taken into what is known here, which goes on meanwhile, and is never put in
/// its place.
async fn open_again(stores: Stores, identity: &Identity, password: &str) -> Result<proof::Opened, Problem> {
    let standing = identity.standing.borrow().clone();
    let pinned = Some((&identity.account_key, &standing));
    let opened = proof::open(&identity.signed_in.account_name, password, pinned).await?;
    if let Some(newest) = opened.standing.newest() {
        super::heard(stores, newest).await;
    }
    Ok(opened)
}

fn ends_soon(identity: &Identity) -> bool {
    let end = identity
        .chain
        .device
        .peek()
        .ok()
        .and_then(|certificate| certificate.not_after);
    identity.kept && end.is_some_and(|end| end.since(dom::now()) < RENEW_BELOW)
}

async fn renew(stores: Stores, identity: &Rc<Identity>, opened: &proof::Opened) -> Result<(), Problem> {
    let keys = DeviceKeys::from_bytes(&identity.keys.to_bytes());
    let (chain, signed_in) = arrive::finish(&identity.signed_in.account_name, opened, &keys, Computer::Own).await?;
    if !identity::current().is_some_and(|now| Rc::ptr_eq(&now, identity)) {
        // Signed out meanwhile: the session that was opened just now must not outlive that.
        return Ok(end_session(signed_in.session).await?);
    }
    let renewed = Rc::new(Identity {
        keys,
        chain,
        account_key: identity.account_key,
        standing: identity.standing.clone(),
        signed_in: signed_in.clone(),
        kept: true,
    });
    identity::set_current(Some(Rc::clone(&renewed)));
    session::renewed(&renewed);
    stores.me.set(Some(signed_in));
    kept::keep(&renewed).await;
    Ok(())
}

fn current() -> Result<Rc<Identity>, Refusal> {
    identity::current().ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn, text::account::ended()))
}
