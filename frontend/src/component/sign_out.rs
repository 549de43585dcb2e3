//! Signing out, and the question before it while uploads or downloads of this tab are under way.

use leptos::{prelude::*, task::spawn_local};

use super::dialog::Confirm;
use crate::{account, download, identity, store::Stores, text::account as words, upload};

/// How far somebody is on the way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignOut {
    stores: Stores,
    /// Whether the question is asked.
    asked: RwSignal<bool>,
    /// Whether the server is being told.
    pub(crate) busy: RwSignal<bool>,
}

impl SignOut {
    /// Nobody wants to leave yet.
    pub(crate) fn new(stores: Stores) -> Self {
        Self {
            stores,
            asked: RwSignal::new(false),
            busy: RwSignal::new(false),
        }
    }

    /// Signs out; where that stops uploads or downloads, [`SignOutQuestion`] is asked first.
    pub(crate) fn begin(self) {
        if upload::is_under_way() || download::is_under_way(self.stores) {
            self.asked.set(true);
        } else {
            self.finish();
        }
    }

    fn finish(self) {
        self.busy.set(true);
        spawn_local(async move {
            account::sign_out(self.stores).await;
            let _ = self.busy.try_set(false);
            let _ = self.asked.try_set(false);
        });
    }

    fn says(self) -> String {
        let goes_on = self.asked.get() && identity::current().is_some_and(|me| me.kept);
        let says = if goes_on {
            words::leave_says()
        } else {
            words::leave_guest_says()
        };
        says.to_owned()
    }
}

/// Asks whether to sign out although uploads or downloads stop by it.
#[component]
pub(crate) fn SignOutQuestion(
    /// The way out.
    way: SignOut,
) -> impl IntoView {
    view! {
        <Confirm
            open=way.asked title=words::leave_title().to_owned() says=Signal::derive(move || way.says())
            keep=words::stay().to_owned() verb=words::sign_out().to_owned() busy=way.busy act=move |()| way.finish()
        />
    }
}
