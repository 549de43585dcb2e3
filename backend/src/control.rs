//! The control socket of a device: who it is, that it is here, what its account should see, what it asks.

mod auth;
mod limit;
mod line;
mod request;
mod snapshot;

pub(crate) use limit::limit_device;
pub(crate) use snapshot::transfers;

use std::{net::SocketAddr, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId},
    wire::{self, CONTROL_PROTOCOLS, ControlVersion, FRAME_MAX, FromServer, Part, Place},
};

use crate::{
    app::App,
    config::Origin,
    error::{Failure, refusal_of},
    http::{guard::client, limit::address_key, origin::host},
    socket::{self, Close, Outgoing, Shape, Socket},
    store::meta,
};

/// A device that says nothing for so long, not even to a ping every 20 s, is away.
const DEAD_AFTER: Duration = Duration::from_secs(40);

/// How long the last frame may take.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Where a socket came from and what was agreed when it was opened.
#[derive(Debug)]
struct Visitor {
    from: SocketAddr,
    origin: Origin,
    version: ControlVersion,
}

/// How a control socket comes to its end.
#[derive(Debug)]
enum End {
    /// The other end is gone.
    Gone,
    /// The server ends it.
    Told {
        reason: Refusal,
        close: Close,
        back_in_ms: Option<u32>,
    },
    /// The account has ended the device. It believes that of the account alone, so the account's statement comes first.
    Disowned { account: AccountId, reason: Refusal },
}

impl End {
    /// The device may not be here.
    fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Told {
            reason: Refusal::new(code, message),
            close: Close::Policy,
            back_in_ms: None,
        }
    }

    /// A frame broke the protocol.
    fn broken(close: Close) -> Self {
        let code = if close == Close::TooLarge {
            ErrorCode::TooLarge
        } else {
            ErrorCode::BadRequest
        };
        let reason = Refusal::new(
            code,
            "a frame was malformed or too large; update the older of the two programs",
        );
        Self::Told {
            reason,
            close,
            back_in_ms: None,
        }
    }

    /// Come back soon.
    fn soon(code: ErrorCode, message: &str, back_in_ms: u32) -> Self {
        Self::Told {
            reason: Refusal::new(code, message),
            close: Close::Away,
            back_in_ms: Some(back_in_ms),
        }
    }
}

impl From<crate::store::Error> for End {
    fn from(error: crate::store::Error) -> Self {
        Self::Told {
            reason: refusal_of(&error),
            close: Close::Away,
            back_in_ms: Some(5000),
        }
    }
}

/// The sub-protocols that a client offers, with commas between.
pub(crate) fn offers(request: &HttpRequest) -> String {
    let values = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    values
        .filter_map(|value| value.to_str().ok())
        .collect::<Vec<_>>()
        .join(",")
}

/// `GET /socket`: opens a control socket.
pub(crate) async fn open(
    request: HttpRequest,
    body: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse, actix_web::Error> {
    let from = client(&request);
    app.limits.connect.count(&address_key(from.ip()))?;
    let (protocol, version) = wire::negotiate(&offers(&request)).ok_or_else(|| {
        let spoken = CONTROL_PROTOCOLS.map(|(name, _)| name).join(", ");
        Failure::new(
            ErrorCode::BadVersion,
            format!("this server speaks {spoken}; update the older of the two programs"),
        )
    })?;
    let origin = app
        .origins
        .of(host(request.headers(), request.uri()))
        .ok_or_else(Failure::not_found)?;
    let (response, socket) = socket::accept(
        &request,
        body,
        Shape {
            protocol,
            frame_max: FRAME_MAX,
            dead_after: DEAD_AFTER,
        },
    )?;
    let visits = app.hub.visits().clone();
    actix_web::rt::spawn(visits.track_future(visit(app, socket, Visitor { from, origin, version })));
    Ok(response)
}

/// The life of a socket. What is over soon is boxed, see `Line::serve`.
async fn visit(app: web::Data<App>, mut socket: Socket, visitor: Visitor) {
    let end = match Box::pin(auth::admit(&app, &mut socket, &visitor)).await {
        Ok(guest) => line::stay(&app, &mut socket, &visitor, guest).await,
        Err(end) => end,
    };
    if !matches!(end, End::Gone) {
        Box::pin(part(&app, &socket, &visitor, end)).await;
    }
}

/// Says why, and closes.
async fn part(app: &App, socket: &Socket, visitor: &Visitor, end: End) {
    let (reason, close, back_in_ms, statement) = match end {
        End::Gone => return,
        End::Told {
            reason,
            close,
            back_in_ms,
        } => (reason, close, back_in_ms, None),
        End::Disowned { account, reason } => (reason, Close::Policy, None, newest_statement(app, &account).await),
    };
    tracing::debug!(code = reason.code.name(), from = %visitor.from, "a control socket was ended");
    let last = statement.into_iter().chain([FromServer::GoAway { reason, back_in_ms }]);
    let words = async {
        for frame in last {
            let _ = socket.outgoing.send(Outgoing::Frame(wire::encode(&frame).into())).await;
        }
        let _ = socket.outgoing.send(Outgoing::Close(close)).await;
    };
    // A reader that takes nothing does not hear it; dropping the socket closes it all the same.
    let _ = tokio::time::timeout(LAST_WORDS, words).await;
}

async fn newest_statement(app: &App, account: &AccountId) -> Option<FromServer> {
    let account = meta::account::by_id(app.meta().read(), account)
        .await
        .inspect_err(|error| drop(refusal_of(error)))
        .ok()??;
    account
        .standing
        .newest()
        .map(|statement| FromServer::Statement(Box::new(statement.clone())))
}

/// Tells the account's controllers how a device stands now.
pub(crate) async fn publish_device(app: &App, account: AccountId, device: &DeviceId) {
    let turn = app.hub.publishing(account);
    let _turn = turn.lock().await;
    match meta::device::get(app.meta().read(), &account, device).await {
        Ok(Some(row)) => {
            let view = row.view(app.hub.is_online(&account, device));
            app.hub.to_controllers(
                &account,
                &FromServer::Devices(Part {
                    place: Place::Change,
                    rows: vec![view],
                }),
            );
        }
        Ok(None) => {}
        Err(error) => {
            refusal_of(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F>(_: impl FnOnce(web::Data<App>, Socket, Visitor) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn thousands_can_be_connected_since_one_takes_little() {
        let size = size_of_future(visit);
        assert!(size < 3000, "{size} bytes");
    }
}
