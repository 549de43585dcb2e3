//! Who a request comes from and what it may do: every handler names one of these in its signature.

mod front;

pub(crate) use front::front;

use std::net::SocketAddr;

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use beckon_shared::{
    error::ErrorCode,
    id::{DeviceId, Hash, SignInId, TransferId},
    route,
    time::Timestamp,
};
use futures_util::future::LocalBoxFuture;
use tokio_util::sync::CancellationToken;

use super::origin;
use crate::{
    access::{Access, TransferAccess},
    app::App,
    error::Failure,
    store::{Error, meta},
};

/// How exactly the last use of a session is known; each note costs a write. Milliseconds.
const USED_GRAIN: i64 = 60_000;

/// Somebody who is signed in, by the cookie.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// What the account may do.
    pub(crate) access: Access,
    /// The device.
    pub(crate) device: DeviceId,
    /// The session.
    pub(crate) session: SignInId,
    /// When the session ends by itself.
    pub(crate) expires: Timestamp,
    /// Fires when the device is revoked or the session ends: a running answer stops then.
    pub(crate) cut: CancellationToken,
}

/// Somebody who is signed in and administers the server.
#[derive(Debug, Clone)]
pub(crate) struct Admin(pub(crate) SignedIn);

/// A machine with a bulk ticket for the transfer that the path names; the token fires when it is revoked.
#[derive(Debug, Clone)]
pub(crate) struct Bulk(pub(crate) TransferAccess, pub(crate) CancellationToken);

impl FromRequest for SignedIn {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { signed_in(&request).await })
    }
}

impl FromRequest for Admin {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let signed_in = signed_in(&request).await?;
            if !signed_in.access.admin {
                return Err(Failure::new(
                    ErrorCode::NotAllowed,
                    "only an administrator may do this; ask one",
                ));
            }
            Ok(Self(signed_in))
        })
    }
}

impl FromRequest for Bulk {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { bulk(&request).await })
    }
}

async fn signed_in(request: &HttpRequest) -> Result<SignedIn, Failure> {
    let app = app(request)?;
    let token = session_token(request).ok_or_else(not_signed_in)?;
    let now = app.clock.now();
    let found = meta::session::by_token(app.meta().read(), &token, now)
        .await?
        .ok_or_else(not_signed_in)?;
    let cut = app.hub.cut_token(found.access.account, found.device);
    // Again, now that an end in between would be noticed.
    if meta::session::by_token(app.meta().read(), &token, now).await?.is_none() {
        return Err(not_signed_in());
    }
    if now.0 - found.used.0 >= USED_GRAIN && app.limits.note.count(&found.id).is_ok() {
        let address = client(request).ip().to_string();
        tokio::spawn(note_use(app.clone(), found.id, address, now));
    }
    Ok(SignedIn {
        access: found.access,
        device: found.device,
        session: found.id,
        expires: found.expires,
        cut,
    })
}

/// Beside the request, which goes on also when nothing can be written, as on a full disk.
async fn note_use(app: web::Data<App>, session: SignInId, address: String, now: Timestamp) {
    let noted = async {
        let txn = app.meta().write().await?;
        meta::session::touch(&txn, &session, &address, now).await?;
        Ok::<_, Error>(txn.commit().await?)
    };
    if let Err(error) = noted.await {
        tracing::warn!(cause = %error, "the use of a session was not noted");
    }
}

async fn bulk(request: &HttpRequest) -> Result<Bulk, Failure> {
    let app = app(request)?;
    let refuse = || {
        Failure::new(
            ErrorCode::NotSignedIn,
            "this ticket does not count (any more); begin the transfer again to get a new one",
        )
    };
    let value = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let text = value
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(refuse)?;
    let mut ticket = [0; 32];
    hex::decode_to_slice(text, &mut ticket).map_err(|_| refuse())?;
    let now = app.clock.now();
    let known = meta::ticket::bulk(app.meta().read(), &ticket, now)
        .await?
        .ok_or_else(refuse)?;
    let cut = app.hub.cut_token(known.account, known.device);
    // Again, now that a revocation in between would be noticed.
    let access = meta::ticket::bulk(app.meta().read(), &ticket, now)
        .await?
        .ok_or_else(refuse)?;
    let path: Option<TransferId> = request.match_info().get("transfer").and_then(|id| id.parse().ok());
    if path != Some(access.transfer) {
        return Err(Failure::not_found());
    }
    Ok(Bulk(access, cut))
}

fn not_signed_in() -> Failure {
    Failure::new(
        ErrorCode::NotSignedIn,
        "you are not signed in (any more); sign in and try again",
    )
}

/// The hash of what the session cookie holds.
pub(crate) fn session_token(request: &HttpRequest) -> Option<Hash> {
    let app = app(request).ok()?;
    let name = cookie_name(&app);
    let headers = request
        .headers()
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok());
    let mut pairs = headers
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let mut token = [0; 32];
    hex::decode_to_slice(value, &mut token).ok()?;
    Some(Hash::of(&token))
}

/// The name of the session cookie: with TLS one that browsers take from this very host alone.
pub(crate) fn cookie_name(app: &App) -> &'static str {
    if app.origins.main().is_secure() {
        SECURE_COOKIE
    } else {
        route::COOKIE
    }
}

/// [`route::COOKIE`] with the prefix of RFC 6265bis, 4.1.3.2.
const SECURE_COOKIE: &str = "__Host-beckon_session";

/// The application behind a request.
pub(crate) fn app(request: &HttpRequest) -> Result<web::Data<App>, Failure> {
    request
        .app_data::<web::Data<App>>()
        .cloned()
        .ok_or_else(|| crate::error::internal().into())
}

/// The address that a request comes from.
pub(crate) fn client(request: &HttpRequest) -> SocketAddr {
    let trusted = app(request)
        .map(|app| app.config.trusted_proxy.clone())
        .unwrap_or_default();
    origin::client(request.peer_addr(), request.headers(), &trusted)
}
