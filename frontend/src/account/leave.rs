//! Ways out: by hand, because the session ended elsewhere, or because the account revoked this browser.

use std::cell::Cell;

use beckon_shared::{
    api::account::SignedIn,
    error::{ErrorCode, Refusal},
    signature::Signed,
    statement::{Acceptance, Statement},
};
use leptos::task::spawn_local;

use super::{confirm, guest, key, tabs};
use crate::{
    api,
    identity::{self, Identity, kept},
    route, session, socket,
    store::Stores,
    upload,
    vault::{self, Store},
};

/// Why nobody is signed in (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The person signed out.
    ByHand,
    /// The person signed out, and the server could not be told.
    Untold,
    /// The session ended by itself or was ended elsewhere.
    Ended,
    /// The account revoked this browser.
    Revoked,
}

impl Left {
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal.code {
            ErrorCode::Revoked => Self::Revoked,
            _ => Self::Ended,
        }
    }
}

thread_local! {
    static LEFT: Cell<Option<Left>> = const { Cell::new(None) };
    static STORES: Cell<Option<Stores>> = const { Cell::new(None) };
    static ASKING: Cell<bool> = const { Cell::new(false) };
    /// Whether the person is signing out just now: the session's end is then no news.
    static LEAVING: Cell<bool> = const { Cell::new(false) };
}

/// Why nobody is signed in, for the sign-in page.
pub(crate) fn left() -> Option<Left> {
    LEFT.get()
}

/// The address of the sign-in page: it leads back to where the page is now, unless the person left by hand.
pub(crate) fn way_in() -> String {
    match left() {
        Some(Left::ByHand | Left::Untold) => route::SIGN_IN.to_owned(),
        _ => route::sign_in_for_here(),
    }
}

/// That was read, or is past.
pub(crate) fn forget_left() {
    LEFT.set(None);
}

/// Hears from now on what other tabs do, and what the server answers.
pub(super) fn listen(stores: Stores) {
    STORES.set(Some(stores));
    tabs::listen(move |word| match word {
        tabs::Word::SignedOut if identity::current().is_some() => {
            spawn_local(async move { leave(stores, Left::ByHand).await });
        }
        tabs::Word::SignedIn(device) => match identity::current() {
            // The cookie is another one now; this tab begins anew with it.
            None => reload(),
            // What this tab asked from now on would be asked in another's name.
            Some(me) if me.device() != device => spawn_local(async move { leave(stores, Left::Ended).await }),
            Some(_) => {}
        },
        tabs::Word::Confirmed(device) if identity::current().is_some() => confirm::heard(stores, device),
        _ => {}
    });
}

fn reload() {
    let _ = crate::dom::window().location().reload();
}

/// Signs out: the session ends here and on the server. Device keys stay, the certificate goes.
pub(crate) async fn sign_out(stores: Stores) {
    LEAVING.set(true);
    let told = api::tell("/api/sign-out", &()).await;
    LEAVING.set(false);
    let left = match told {
        Err(refusal) if !is_over(&refusal) => Left::Untold,
        _ => Left::ByHand,
    };
    if left == Left::ByHand {
        guest::end();
    }
    tabs::tell(tabs::Word::SignedOut);
    leave(stores, left).await;
}

/// The server refused this browser's control socket.
pub(crate) async fn refused(stores: Stores, refusal: &Refusal) {
    if refusal.code == ErrorCode::Revoked {
        leave(stores, Left::Revoked).await;
    } else if is_over(refusal) || refusal.code == ErrorCode::NotAllowed {
        // A disabled account's sockets end with the latter.
        ask(stores).await;
    }
}

/// The account said something: takes it in and keeps it. A browser that is revoked by it is signed out.
pub(crate) async fn heard(stores: Stores, statement: &Signed<Statement>) {
    let Some(identity) = identity::current() else { return };
    let accepted = identity.standing.borrow_mut().accept(statement, &identity.account_key);
    if accepted != Ok(Acceptance::Accepted) {
        return;
    }
    session::news(&identity);
    if identity.standing.borrow().is_revoked(&identity.device()) {
        leave(stores, Left::Revoked).await;
    } else {
        kept::keep(&identity).await;
    }
}

/// A request was answered as if nobody were signed in: asks once whether that is so.
pub(crate) fn doubted() {
    if let (Some(stores), Some(_), false) = (STORES.get(), identity::current(), ASKING.get()) {
        ASKING.set(true);
        spawn_local(async move {
            ask(stores).await;
            ASKING.set(false);
        });
    }
}

async fn ask(stores: Stores) {
    let Some(identity) = identity::current() else { return };
    match api::get::<SignedIn>("/api/sessions/current").await {
        Ok(now) if now.device == identity.device() => {}
        Ok(_) => leave(stores, Left::Ended).await,
        Err(refusal) if is_over(&refusal) => leave(stores, Left::of(&refusal)).await,
        Err(_) => {}
    }
}

/// Whether this answer says that the session is no more.
pub(super) fn is_over(refusal: &Refusal) -> bool {
    matches!(refusal.code, ErrorCode::NotSignedIn | ErrorCode::Revoked)
}

async fn leave(stores: Stores, left: Left) {
    let Some(identity) = identity::current() else { return };
    if left == Left::Ended && LEAVING.get() {
        return;
    }
    LEFT.set(Some(left));
    socket::stop();
    session::close_all();
    key::forget();
    identity::set_current(None);
    guest::let_go();
    stores.forget();
    clear_up(&identity, left).await;
}

/// What was kept does not count any more.
pub(super) async fn give_up(identity: &Identity, left: Left) {
    LEFT.set(Some(left));
    clear_up(identity, left).await;
}

/// Leaves in this browser what may stay there. The pinned account key always does, for a server that only says that it
/// revoked this browser could show another one at the next sign-in.
async fn clear_up(identity: &Identity, left: Left) {
    if !identity.kept {
        // A guest keeps nothing, and what is here is somebody else's.
        return;
    }
    match left {
        Left::Revoked => kept::keep_pin(identity).await,
        _ => kept::keep_keys(identity).await,
    }
    if matches!(left, Left::ByHand | Left::Untold) {
        upload::drop_files().await;
    }
    // What is still being read now must not come after this.
    vault::keep_nothing(true);
    if left != Left::Ended {
        vault::clear(Store::Folder).await;
    }
    if left == Left::Revoked {
        vault::clear(Store::Upload).await;
    }
}
