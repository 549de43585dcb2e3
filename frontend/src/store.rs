//! What the app knows, as signals: who is signed in, the control list, transfers, the drive's revision, messages.

mod call;
mod device;
mod download;
mod link;
mod rows;
mod toast;
mod transfer;

use std::collections::BTreeSet;

use beckon_shared::{
    api::account::{SignedIn, Usage},
    id::DeviceId,
    time::Timestamp,
};
use leptos::prelude::*;

pub(crate) use call::{Call, Calls};
pub(crate) use device::Devices;
pub(crate) use download::{Download, Downloads, State as DownloadState};
pub(crate) use link::Link;
pub(crate) use toast::{Toast, Toasts};
pub(crate) use transfer::{LISTED, Transfers};

use crate::{dom, prefs::Prefs};

/// All of it. Small, and the same signals wherever it is copied to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stores {
    /// Who is signed in; nothing while that is not known or nobody is.
    pub(crate) me: RwSignal<Option<SignedIn>>,
    /// How the connection to the server stands.
    pub(crate) link: RwSignal<Link>,
    /// The control list.
    pub(crate) devices: Devices,
    /// Machines of which this browser knows that they are the account's own, though a join code vouches for them; nothing
    /// until the control list was seen.
    pub(crate) confirmed: RwSignal<Option<BTreeSet<DeviceId>>>,
    /// Machines that are being woken.
    pub(crate) calls: Calls,
    /// Transfers of the account.
    pub(crate) transfers: Transfers,
    /// Downloads straight from machines.
    pub(crate) downloads: Downloads,
    /// Grows when the drive changed: read again what is on the screen.
    pub(crate) drive: RwSignal<u64>,
    /// How full the drive is; read again after the drive changed.
    pub(crate) usage: RwSignal<Option<Usage>>,
    /// What was chosen for this browser.
    pub(crate) prefs: Prefs,
    /// Short messages about what is done and can be undone.
    pub(crate) toasts: Toasts,
    /// This browser's clock, moved every 10 s, for times that are told relative to now.
    pub(crate) now: RwSignal<Timestamp>,
}

impl Stores {
    /// Empty stores, and the choices that were kept.
    pub(crate) fn new() -> Self {
        let now = RwSignal::new(dom::now());
        let tick = move || now.set(dom::now());
        // The interval lives as long as the page does.
        let _ = set_interval_with_handle(tick, std::time::Duration::from_secs(10));
        Self {
            me: RwSignal::new(None),
            link: RwSignal::new(Link::Connecting),
            devices: Devices::default(),
            confirmed: RwSignal::new(None),
            calls: Calls::default(),
            transfers: Transfers::default(),
            downloads: Downloads::default(),
            drive: RwSignal::new(0),
            usage: RwSignal::new(None),
            prefs: Prefs::load(),
            toasts: Toasts::default(),
            now,
        }
    }

    /// Whether what is on the screen may be old, since the server cannot be reached; tracked.
    pub(crate) fn is_cut_off(self) -> bool {
        matches!(*self.link.read(), Link::Lost { .. } | Link::Refused(_))
    }

    /// Forgets what belongs to the account that was signed in.
    pub(crate) fn forget(self) {
        self.me.set(None);
        self.devices.forget();
        self.confirmed.set(None);
        self.calls.forget();
        self.transfers.forget();
        self.downloads.forget();
        self.usage.set(None);
        self.toasts.forget();
    }
}

/// The stores, in any component.
pub(crate) fn stores() -> Stores {
    expect_context()
}
