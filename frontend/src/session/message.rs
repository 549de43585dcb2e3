//! What the page and its session worker say to each other, as postcard whose buffer is moved; what cannot be bytes goes
//! beside it.

use core::net::SocketAddr;

use beckon_shared::{
    api::account::SignedIn,
    browse::{Answer, Ask, Route},
    certificate::Chain,
    device::DeviceView,
    error::Refusal,
    id::DeviceId,
    signature::{PublicKey, Signed},
    statement::{Standing, Statement},
    wire,
};
use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use zeroize::{Zeroize, Zeroizing};

use crate::text::Lang;

/// Who the worker is to machines.
#[derive(Serialize, Deserialize)]
pub(super) struct Start {
    /// Both secrets of the device.
    pub(super) keys: Vec<u8>,
    pub(super) chain: Chain,
    pub(super) account_key: PublicKey,
    pub(super) standing: Standing,
    pub(super) signed_in: SignedIn,
    /// `scheme://host[:port]` from which the page came.
    pub(super) base: String,
}

impl Drop for Start {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

/// From the page.
#[derive(Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// The first message.
    Start(Box<Start>),
    /// The account said something.
    Standing(Box<Standing>),
    /// Asks a machine; answered by [`FromWorker::Answer`] with the same number.
    Ask {
        id: u32,
        machine: DeviceId,
        /// Of the words of what this end refuses.
        lang: Lang,
        body: Ask,
    },
    /// Answers [`FromWorker::Ask`].
    Answer { id: u32, result: Result<Told, Refusal> },
    /// A machine may be tried directly.
    Direct { machine: DeviceId, way: Box<Straight> },
    /// Sessions with a machine are to go by the relay.
    RelayOnly(DeviceId),
    /// For the downloads.
    Download(Vec<u8>),
}

/// What only the page can do: it has the control socket and the control list.
#[derive(Serialize, Deserialize)]
pub(super) enum Question {
    /// A machine, and a ticket for a session with it by the relay.
    Relay(DeviceId),
    /// Where to try a machine directly.
    Direct(DeviceId),
}

/// The page's answer.
#[derive(Serialize, Deserialize)]
pub(super) enum Told {
    /// To [`Question::Relay`]: the machine, and the ticket.
    Relay(Box<DeviceView>, Vec<u8>),
    /// To [`Question::Direct`]: nothing if it is not to be tried now.
    Direct(Option<Box<Straight>>),
}

/// A machine and where it may be reached directly.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Straight {
    pub(super) machine: DeviceView,
    /// What to try, best first.
    pub(super) candidates: Vec<SocketAddr>,
    /// All of them together, in milliseconds.
    pub(super) deadline: u32,
}

/// Why a machine was not reached directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Missed {
    /// No address answered as an endpoint does.
    Silent,
    /// Somebody answered who did not prove to be the machine.
    Another,
}

/// From the worker.
#[derive(Serialize, Deserialize)]
pub(super) enum FromWorker {
    /// Answers [`ToWorker::Ask`].
    Answer { id: u32, result: Result<Answer, Refusal> },
    /// Asks the page; answered by [`ToWorker::Answer`] with the same number.
    Ask { id: u32, question: Question },
    /// The best way that a session with this machine has now; nothing while there is none.
    Way { machine: DeviceId, route: Option<Route> },
    /// So many bytes a second are read of this machine.
    Rate { machine: DeviceId, rate: f64 },
    /// It was tried directly: it stands, or why not.
    Tried { machine: DeviceId, missed: Option<Missed> },
    /// A direct session broke or fell silent.
    Lost(DeviceId),
    /// A machine showed a statement of the account.
    Heard(Box<Signed<Statement>>),
    /// Of the downloads.
    Download(Vec<u8>),
}

/// A message for the other side, and what of it is moved there.
pub(super) fn pack<T: Serialize>(message: &T, beside: &JsValue) -> (JsValue, Array) {
    // A message may hold the device's keys.
    let bytes = Zeroizing::new(wire::encode(message));
    let bytes = Uint8Array::from(bytes.as_slice());
    let moved = Array::of1(&bytes.buffer());
    (Array::of2(&bytes, beside).into(), moved)
}

/// Reads a message.
pub(super) fn unpack<T: DeserializeOwned>(message: JsValue) -> Option<(T, JsValue)> {
    let parts: Array = message.dyn_into().ok()?;
    let bytes: Uint8Array = parts.get(0).dyn_into().ok()?;
    let bytes = Zeroizing::new(bytes.to_vec());
    Some((wire::decode(&bytes).ok()?, parts.get(1)))
}
