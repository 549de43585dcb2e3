//! The frames of the control socket and the encoding of everything binary (postcard 1.x).

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    api::transfer::Act,
    bulk::{CopyGrant, UploadGrant},
    certificate::Chain,
    chunk::ChunkKey,
    device::{DeviceView, Hello, NetAddress},
    error::Refusal,
    id::{AccountId, DeviceId, SpaceId, TransferId},
    limits::Limits,
    order::SignedOrder,
    path::{Label, RootPath},
    signature::{Context, PublicKey, Signable, Signed},
    statement::Statement,
    time::Timestamp,
    transfer::{Hold, Priority, Problem, Progress, TransferState, TransferView},
};

/// The versions of the control protocol that this program speaks, best first, as WebSocket sub-protocols (RFC 6455, 1.9).
pub const CONTROL_PROTOCOLS: [(&str, ControlVersion); 1] = [("beckon.control.v1", ControlVersion::V1)];

/// The sub-protocol of a session's socket, over the relay and over the LAN.
pub const SESSION_PROTOCOL: &str = "beckon.session.v1";

/// A version of the control protocol; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ControlVersion {
    /// The first.
    V1,
}

/// Picks the best version that both ends speak out of a `Sec-WebSocket-Protocol` header.
pub fn negotiate(offered: &str) -> Option<(&'static str, ControlVersion)> {
    CONTROL_PROTOCOLS
        .into_iter()
        .find(|(name, _)| offered.split(',').any(|one| one.trim() == *name))
}

/// No frame of the control socket is larger. Bytes.
pub const FRAME_MAX: usize = 16 * 1024;

/// A list travels in parts whose encodings stay below this, so that the frame around fits. Bytes.
pub const PART_MAX: usize = 12 * 1024;

/// These bytes are no value of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed bytes")]
pub struct Malformed;

/// Encodes any protocol value.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // A Vec grows as it needs to; postcard fails only on sequences of unknown length, which no type here has.
    postcard::to_allocvec(value).unwrap_or_default()
}

/// Decodes a protocol value; bytes left over are an error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Malformed),
    }
}

/// From a device to the server. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToServer {
    /// The first frame, in answer to the challenge.
    Auth(Box<Auth>),
    /// The device's addresses or roots changed.
    Hello(Box<Hello>),
    /// Asks for something; answered by one [`FromServer::Reply`] with the same number.
    Request {
        /// Chosen by the asker, not in use.
        id: u32,
        /// What is asked.
        body: Box<Request>,
    },
    /// How far a transfer is, at most four times a second; may get lost.
    Progress {
        /// The transfer.
        transfer: TransferId,
        /// Why it stands still.
        hold: Hold,
        /// How far it is.
        progress: Progress,
    },
}

/// Proof of a device's keys, and what it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// Its certificate chain.
    pub chain: Chain,
    /// Signed by the device.
    pub claim: Signed<AuthClaim>,
    /// What it tells of itself.
    pub hello: Hello,
}

/// What a device signs to open its control socket. It names the server it dialled, so it is worth nothing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthClaim {
    /// `scheme://host[:port]` that the device dialled, lower case, the scheme's own port left out.
    pub origin: String,
    /// The device.
    pub device: DeviceId,
    /// From the challenge.
    pub server_nonce: [u8; 32],
    /// The device's own.
    pub own_nonce: [u8; 32],
    /// The version that was negotiated.
    pub version: ControlVersion,
}

impl Signable for AuthClaim {
    const CONTEXT: Context = Context::Auth;
    const MAX_BYTES: usize = 512;
}

/// What a device asks of the server. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A controller wants a session with a machine; answered by [`Reply::Ticket`].
    OpenSession {
        /// The machine.
        device: DeviceId,
    },
    /// A controller places an order; answered by [`Reply::Transfer`]. The same order twice is one transfer.
    PlaceOrder {
        /// The order.
        order: Box<SignedOrder>,
        /// What was selected, shortened for people, at most 200 bytes.
        what: String,
    },
    /// A machine begins or goes on with an order; answered by [`Reply::Grant`]. Also renews the ticket.
    BeginTransfer {
        /// The order's id.
        transfer: TransferId,
    },
    /// A machine lists entries that it could not store, in parts; answered by [`Reply::Done`].
    ReportProblems {
        /// The transfer.
        transfer: TransferId,
        /// The count of problems reported before these in this run: 0 forgets those of an earlier run.
        offset: u64,
        /// The problems.
        problems: Vec<Problem>,
    },
    /// A machine has ended a transfer; answered by [`Reply::Done`] once that is recorded.
    EndTransfer {
        /// The transfer.
        transfer: TransferId,
        /// How it ended.
        state: TransferState,
        /// The final counts.
        progress: Progress,
        /// What went wrong with the whole of it.
        error: Option<Refusal>,
    },
    /// A machine shows an order that it was given directly, so that it becomes a transfer on every terminal; answered by
    /// [`Reply::Transfer`]. The same order twice, from whichever end, is one transfer.
    ShowOrder {
        /// The order.
        order: Box<SignedOrder>,
        /// What was selected, shortened for people, at most 200 bytes.
        what: String,
    },
    /// A machine that copies asks who else holds the same; answered by [`Reply::Holders`].
    Holders {
        /// The transfer.
        transfer: TransferId,
    },
    /// A machine that was shown another machine's follow asks whether that is still wanted; answered by [`Reply::Done`].
    IsOpen {
        /// The follow, of a device of the same account.
        transfer: TransferId,
    },
    /// A controller is about to send, and needs ids of chunks before there is a transfer; answered by [`Reply::ChunkKey`].
    ChunkKey {
        /// A space of its account.
        space: SpaceId,
    },
}

/// From the server to a device. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromServer {
    /// The first frame: what the device is to sign.
    Challenge {
        /// Fresh for each socket.
        nonce: [u8; 32],
    },
    /// The device is in. A controller gets [`FromServer::Devices`] and [`FromServer::Transfers`] next, a machine its open orders.
    Welcome(Box<Welcome>),
    /// Answers a request.
    Reply {
        /// The request's number.
        id: u32,
        /// The answer.
        result: Result<Box<Reply>, Refusal>,
    },
    /// Rows of the control list, to be put in place of older ones; safe to apply twice.
    Devices(Part<DeviceView>),
    /// Transfers, to be put in place of older revisions; safe to apply twice.
    Transfers(Part<TransferView>),
    /// The drive changed; read again what is on the screen.
    DriveChanged {
        /// The space.
        space: SpaceId,
        /// Grows with every change.
        revision: u64,
    },
    /// An order for this machine; pushed again on each contact until it is over, unless somebody paused it.
    Order(Box<SignedOrder>),
    /// A controller wants a session: dial the relay with this ticket.
    Session {
        /// For this end.
        ticket: [u8; 32],
    },
    /// The account said something.
    Statement(Box<Signed<Statement>>),
    /// The server ends this socket.
    GoAway {
        /// Why.
        reason: Refusal,
        /// When to come back, in milliseconds; never if absent.
        back_in_ms: Option<u32>,
    },
    /// Somebody steered a transfer of this device. A machine goes on when its order follows; a device that works for itself
    /// has the order and goes on by this frame.
    Steer {
        /// The transfer.
        transfer: TransferId,
        /// What to do.
        act: Act,
    },
    /// Which of its transfers a machine is to do first.
    Priority {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands among the others.
        priority: Priority,
    },
    /// How fast this machine may send, from now on. Follows [`FromServer::Welcome`] and each change.
    Limits(Limits),
    /// Somebody reads a file that is still uploading; the machine answers by `POST /bulk/live/TICKET`.
    ReadLive(Box<ReadLive>),
    /// There may be something new to read for a transfer of this machine: commits of the root that it follows, or chunks that
    /// are sent. Only a hint; who hears none looks every 30 s.
    News {
        /// The transfer.
        transfer: TransferId,
    },
}

/// A machine that may hold what another one copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its address and port as the server sees them, for the judgement of who is near.
    pub address: String,
    /// Addresses of its interfaces.
    pub addresses: Vec<NetAddress>,
    /// Where it listens for direct sessions.
    pub lan_port: Option<u16>,
    /// Proof of its keys.
    pub certificate: Chain,
}

/// At most this many holders are told.
pub const HOLDERS_MAX: usize = 4;

/// Bytes of a file, wanted of the machine that is uploading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadLive {
    /// For the answer, once, within 10 s.
    pub ticket: [u8; 32],
    /// The order within which it is read.
    pub transfer: TransferId,
    /// The file below the order's root.
    pub path: RootPath,
    /// From here.
    pub offset: u64,
    /// So many bytes at most; 0 asks for the file's size alone.
    pub len: u64,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part<T> {
    /// Changes which place in the whole this part takes.
    pub place: Place,
    /// The rows.
    pub rows: Vec<T>,
}

/// Where a part stands in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The first of a snapshot: rows that no part of it names are gone.
    First,
    /// A later one of a snapshot, with more to come.
    Middle,
    /// The last of a snapshot.
    Last,
    /// The only one of a snapshot.
    Whole,
    /// Not of a snapshot: a change.
    Change,
}

/// Splits a snapshot into parts whose frames keep to [`FRAME_MAX`].
pub fn snapshot_parts<T: Serialize>(rows: Vec<T>) -> Vec<Part<T>> {
    let mut parts: Vec<Vec<T>> = vec![Vec::new()];
    let mut size = 0;
    for row in rows {
        let len = encode(&row).len();
        if size + len > PART_MAX && size > 0 {
            parts.push(Vec::new());
            size = 0;
        }
        size += len;
        if let Some(last) = parts.last_mut() {
            last.push(row);
        }
    }
    let count = parts.len();
    let place = |at: usize| match (at, count) {
        (_, 1) => Place::Whole,
        (0, _) => Place::First,
        (at, count) if at + 1 == count => Place::Last,
        _ => Place::Middle,
    };
    parts
        .into_iter()
        .enumerate()
        .map(|(at, rows)| Part { place: place(at), rows })
        .collect()
}

/// What a device learns when it is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The account.
    pub account: AccountId,
    /// Its key; a device that pinned another one hangs up.
    pub account_key: PublicKey,
    /// The account's space.
    pub space: SpaceId,
    /// The device's name in the account.
    pub name: Label,
    /// The server's clock; for people only.
    pub now: Timestamp,
    /// The newest statement of the account.
    pub statement: Option<Signed<Statement>>,
}

/// What the server answers. Numbers of variants are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done and recorded.
    Done,
    /// For `/relay/TICKET`, once, within 30 s.
    Ticket([u8; 32]),
    /// The transfer as recorded.
    Transfer(Box<TransferView>),
    /// What a machine needs to carry out an upload, or a controller to send.
    Grant(Box<UploadGrant>),
    /// What a machine needs to write what others stored or send.
    CopyGrant(Box<CopyGrant>),
    /// Machines that may hold the same, the origin first if it is online; and how the server sees the one who asks.
    Holders {
        /// At most [`HOLDERS_MAX`].
        holders: Vec<Holder>,
        /// The asker's own address as the server sees it.
        own_address: String,
    },
    /// For the chunk ids of a space.
    ChunkKey(ChunkKey),
}

#[cfg(test)]
mod tests;
