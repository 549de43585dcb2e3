//! The private channel between a controller and a machine, over any WebSocket: sealed by the handshake of `shared`, so that
//! who carries it can neither read nor change it.

mod controller;
mod dialer;
pub(crate) mod direct;
mod line;
mod machine;
mod pulse;
mod reach;

use std::time::Duration;

use beckon_shared::{
    certificate::BadCertificate,
    error::{ErrorCode, Refusal},
    route,
    session::{BadHandshake, RECORD_MAX},
    wire::SESSION_PROTOCOL,
};
use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::{
    connection::ConnectError,
    server::{Server, Socket},
};

pub(crate) use controller::{Session, Unanswered};
pub(crate) use dialer::Dialer;
pub(crate) use machine::{Visit, fetch_piece, serve};
pub(crate) use reach::{Dial, Reach, Use, Way};

/// How long each step of the handshake may take; the other end may have to dial first.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// A WebSocket, whichever end of it and whatever it runs over.
pub(crate) trait Wire:
    Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Send + Unpin + 'static
{
}

impl<W> Wire for W where
    W: Stream<Item = Result<Message, tungstenite::Error>>
        + Sink<Message, Error = tungstenite::Error>
        + Send
        + Unpin
        + 'static
{
}

/// Dials this end of a session at the relay.
pub(crate) async fn dial_relay(server: &Server, ticket: &[u8; 32]) -> Result<Socket, ConnectError> {
    let path = format!("{}/{}", route::RELAY, hex::encode(ticket));
    server
        .socket(&path, SESSION_PROTOCOL, RECORD_MAX)
        .await
        .map(|(socket, _)| socket)
}

/// The line ended before the handshake did.
fn cut() -> Refusal {
    Refusal::new(
        ErrorCode::Away,
        "the other device hung up before the private channel stood; check that it is online, then try again",
    )
}

/// In the words of the protocol.
fn bad_handshake(bad: BadHandshake) -> Refusal {
    let code = match bad {
        BadHandshake::Version => ErrorCode::BadVersion,
        BadHandshake::Malformed => ErrorCode::BadRequest,
        BadHandshake::Certificate(BadCertificate::Revoked) => ErrorCode::Revoked,
        BadHandshake::Crypto | BadHandshake::Certificate(_) | BadHandshake::Keys | BadHandshake::Role => {
            ErrorCode::NotAllowed
        }
    };
    Refusal::new(code, bad.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
