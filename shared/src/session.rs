//! The private channel between two devices, the same over the LAN and over the relay: a Noise handshake that ties both
//! ends to their certificates, then sealed records. No I/O: bytes go in and come out.

mod channel;
mod handshake;
mod stream;

pub use channel::{BadRecord, Channel, MESSAGE_MAX, Opened, RECORD_MAX, REKEY_EVERY};
pub use handshake::{
    BadHandshake, Established, Expected, HANDSHAKE_MAX, Initiator, Me, NOISE, PROLOGUE, Responder, VERSION,
};
pub use stream::{BadStream, Piece, STREAM_PIECE_MAX, StreamKey, StreamOpener, StreamSealer};
