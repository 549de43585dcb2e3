//! A controller is let in: its device is recorded, its session opened, its cookie set.

use actix_web::{HttpRequest, HttpResponse, http::header};
use beckon_shared::{
    api::account::{NewDevice, SignedIn},
    certificate::{DeviceCertificate, Role},
    device::DeviceKind,
    error::ErrorCode,
    id::{Hash, SignInId},
    signature::PublicKey,
    statement::Standing,
    time::Timestamp,
};

use super::super::guard::{client, cookie_name};
use crate::{
    app::App,
    clock::random,
    control::publish_device,
    error::{Answer, Failure},
    store::{
        Error,
        meta::{self, Txn, account::Account, device::Arrival, session::NewSession},
    },
};

/// The device's certificate, if it is a controller's and stands.
pub(in crate::http) fn check_device(
    app: &App,
    device: &NewDevice,
    account_key: &PublicKey,
    standing: &Standing,
) -> Result<DeviceCertificate, Failure> {
    let certificate = device
        .certificate
        .0
        .verify(account_key, None, app.clock.now(), standing);
    let certificate = certificate.map_err(|bad| Failure::new(ErrorCode::NotAllowed, bad.to_string()))?;
    if certificate.role != Role::Controller || certificate.kind == DeviceKind::Agent {
        return Err(Failure::new(
            ErrorCode::NotAllowed,
            "only controllers sign in; machines join by a code",
        ));
    }
    check_texts(device, &certificate)?;
    Ok(certificate)
}

/// Refuses what a device says of itself if it is too long or contradicts its certificate.
pub(in crate::http) fn check_texts(device: &NewDevice, certificate: &DeviceCertificate) -> Result<(), Failure> {
    if device.kind != certificate.kind || device.os.len() > 128 || device.version.len() > 64 {
        return Err(Failure::new(
            ErrorCode::BadRequest,
            "what the device says of itself is malformed; update the program",
        ));
    }
    Ok(())
}

/// Records the device and opens its session.
pub(super) async fn admit(
    app: &App,
    request: &HttpRequest,
    txn: Txn,
    account: &Account,
    device: &NewDevice,
    certificate: &DeviceCertificate,
) -> Answer {
    let (now, from) = (app.clock.now(), client(request));
    let id = certificate.keys.id();
    let device_name = meta::device::arrive(
        &txn,
        &account.id,
        &Arrival {
            device,
            certificate,
            from,
            now,
        },
    )
    .await?;
    let token: [u8; 32] = random(&*app.clock);
    let longest = now + app.config.session_length.0;
    let expires = certificate.not_after.map_or(longest, |end| end.min(longest));
    let session = NewSession {
        id: SignInId::new(now, random(&*app.clock)),
        account: account.id,
        device: id,
        token_hash: Hash::of(&token),
        address: from.ip().to_string(),
        created: now,
        expires,
    };
    meta::session::open(&txn, &session).await?;
    txn.commit().await.map_err(Error::from)?;
    publish_device(app, account.id, &id).await;
    tracing::info!(kind = ?certificate.kind, "a device signed in");
    let body = SignedIn {
        account: account.id,
        account_name: account.name.clone(),
        admin: account.admin,
        space: account.space,
        device: id,
        device_name,
        session: session.id,
        expires,
    };
    Ok(HttpResponse::Ok()
        .insert_header(cookie(app, &hex::encode(token), expires, now))
        .json(body))
}

/// The session cookie as a header (RFC 6265bis): sent to this server alone, by its own pages alone, out of reach of scripts.
pub(super) fn cookie(app: &App, value: &str, expires: Timestamp, now: Timestamp) -> (header::HeaderName, String) {
    let secure = if app.origins.main().is_secure() { "; Secure" } else { "" };
    let seconds = expires.since(now).as_secs();
    let cookie = format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        cookie_name(app)
    );
    (header::SET_COOKIE, cookie)
}
