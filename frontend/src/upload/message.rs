//! What the page and the upload worker say to each other, as postcard; `File` objects go beside it as JavaScript values.

use beckon_shared::{
    bulk::UploadGrant,
    chunk::ChunkKey,
    commit::Commit,
    error::Refusal,
    id::{DeviceId, RootId, TransferId},
    path::RootPath,
    signature::Signed,
    transfer::{Hold, Problem, Progress, TransferState},
    wire,
};
use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};

/// Where files of this browser go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into `Files/` of the drive, which this browser ordered itself to do.
    Drive,
    /// Onto a machine, which it ordered to write what it sends.
    Machine,
}

/// An entry to be put into the drive, or onto a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Below the root, which is the folder `Files`, or below the folder of the machine.
    pub(crate) path: RootPath,
    /// Size and time of a file; nothing for a folder that is empty.
    pub(crate) file: Option<Facts>,
}

/// What the browser says of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Bytes.
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modified: i64,
}

/// Work for the worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The order's id.
    pub(crate) transfer: TransferId,
    /// What to do with the entries.
    pub(crate) errand: Errand,
}

/// What the worker does with entries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Errand {
    /// Puts them into the drive.
    Store {
        /// This browser.
        device: DeviceId,
        /// Its root in the drive.
        root: RootId,
        /// What could not be planned.
        problems: Vec<Problem>,
        /// Bytes that earlier runs put on the wire.
        sent: u64,
    },
    /// Reads them and tells their manifests; nothing is sent.
    Measure {
        /// For the chunk ids.
        key: ChunkKey,
    },
    /// Sends their chunks.
    Send,
}

/// From the page.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// The first message.
    Job(Job),
    /// Some entries; an array beside has the `File` of each, null for a folder.
    Entries(Vec<Entry>),
    /// Those were all: begin.
    Go,
    /// Stand still.
    Pause,
    /// Go on.
    Resume,
    /// Answers [`FromWorker::Ask`].
    Answer {
        /// The question's number.
        id: u32,
        /// The answer.
        result: Result<Answer, Refusal>,
    },
}

/// What the worker cannot do itself: the page has the keys and the control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Begin the transfer, or renew its ticket.
    Begin,
    /// Tell the server what could not be stored, after `offset` others.
    Report {
        /// How many were told before.
        offset: u64,
        /// What could not be stored.
        problems: Vec<Problem>,
    },
    /// Sign a commit with the device's key.
    Sign(Commit),
}

/// The page's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// To [`Ask::Begin`].
    Grant(Box<UploadGrant>),
    /// To [`Ask::Report`].
    Done,
    /// To [`Ask::Sign`].
    Signed(Box<Signed<Commit>>),
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// Asks the page.
    Ask {
        /// Not in use.
        id: u32,
        /// The question.
        ask: Ask,
    },
    /// How far it is, at most four times a second.
    Progress {
        /// Why it stands still.
        hold: Hold,
        /// The counts.
        progress: Progress,
    },
    /// Manifests of entries that were measured, each with the entry's place among all.
    Measured(Vec<(u32, Vec<u8>)>),
    /// Entries that could not be measured or sent.
    Unread(Vec<Problem>),
    /// It is over; of an upload the server is to be told.
    Ended {
        /// Done, partly done or failed.
        state: TransferState,
        /// The final counts.
        progress: Progress,
        /// What went wrong with the whole of it.
        error: Option<Refusal>,
    },
}

/// A message as the browser hands it over: its bytes, and what cannot be bytes beside them.
pub(crate) fn pack<T: Serialize>(message: &T, beside: &JsValue) -> JsValue {
    let bytes = Uint8Array::from(wire::encode(message).as_slice());
    Array::of2(&bytes, beside).into()
}

/// Reads a message.
pub(crate) fn unpack<T: DeserializeOwned>(message: JsValue) -> Option<(T, JsValue)> {
    let parts: Array = message.dyn_into().ok()?;
    let bytes: Uint8Array = parts.get(0).dyn_into().ok()?;
    Some((wire::decode(&bytes.to_vec()).ok()?, parts.get(1)))
}
