//! Who this browser is to the server and to machines: its keys, its certificate, and the account that it pinned.

pub(crate) mod kept;
pub(crate) mod this_browser;

use std::{cell::RefCell, rc::Rc};

use beckon_shared::{
    api::account::SignedIn,
    certificate::Chain,
    device::DeviceView,
    id::{AccountId, DeviceId},
    keys::{DeviceKeys, account_id},
    signature::PublicKey,
    statement::Standing,
};

/// A browser that is signed in.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The device's keys.
    pub(crate) keys: DeviceKeys,
    /// Its certificate.
    pub(crate) chain: Chain,
    /// The account's key, pinned at the first sign-in.
    pub(crate) account_key: PublicKey,
    /// What the account has said so far, verified.
    pub(crate) standing: RefCell<Standing>,
    /// The HTTP session that goes with it.
    pub(crate) signed_in: SignedIn,
    /// Whether keys are kept when the page is left; not on a computer that is somebody else's.
    pub(crate) kept: bool,
}

impl Identity {
    /// The account.
    pub(crate) fn account(&self) -> AccountId {
        account_id(&self.account_key)
    }

    /// The device.
    pub(crate) fn device(&self) -> DeviceId {
        self.keys.id()
    }

    /// Whether the account key itself certified a device, rather than a join code or nobody.
    pub(crate) fn vouches_for(&self, device: &DeviceView) -> bool {
        let certificate = device.certificate.device.verify(&self.account_key);
        certificate.is_ok_and(|certificate| certificate.keys.id() == device.id)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Identity>>> = const { RefCell::new(None) };
}

/// The identity in use.
pub(crate) fn current() -> Option<Rc<Identity>> {
    CURRENT.with_borrow(Clone::clone)
}

/// From now on this browser is that one, or nobody.
pub(crate) fn set_current(identity: Option<Rc<Identity>>) {
    CURRENT.set(identity);
}
