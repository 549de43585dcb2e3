//! The first frame of a control socket: a device proves its keys to this server, for this socket.

use std::time::Duration;

use beckon_shared::{
    certificate::{BadCertificate, DeviceCertificate, Role},
    device::{DeviceKind, Hello},
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId},
    time::Timestamp,
    wire::{self, Auth, AuthClaim, FromServer, PART_MAX, ToServer},
};
use subtle::ConstantTimeEq;

use super::{End, Visitor};
use crate::{
    app::App,
    clock::random,
    socket::{Incoming, Outgoing, Socket},
    store::{
        Error,
        meta::{self, account::Account},
    },
};

/// How long a device may take for its proof.
const PATIENCE: Duration = Duration::from_secs(10);

/// A device that proved itself.
#[derive(Debug)]
pub(super) struct Guest {
    /// Its account.
    pub(super) account: Account,
    /// Its id.
    pub(super) device: DeviceId,
    /// The sort of program.
    pub(super) kind: DeviceKind,
    /// What it told of itself.
    pub(super) hello: Hello,
    /// When it must sign in again or come with a new certificate.
    pub(super) until: Option<Timestamp>,
}

/// Challenges a device and checks its answer.
pub(super) async fn admit(app: &App, socket: &mut Socket, visitor: &Visitor) -> Result<Guest, End> {
    let nonce: [u8; 32] = random(&*app.clock);
    let challenge = wire::encode(&FromServer::Challenge { nonce });
    socket
        .outgoing
        .send(Outgoing::Frame(challenge.into()))
        .await
        .map_err(|_| End::Gone)?;
    let late = || {
        End::refused(
            ErrorCode::NotSignedIn,
            "the device did not prove itself within 10 s; try again",
        )
    };
    let frame = tokio::select! {
        frame = tokio::time::timeout(PATIENCE, socket.incoming.recv()) => frame.map_err(|_| late())?,
        () = app.hub.stopping().cancelled() => return Err(super::line::going_away(app)),
    };
    let bytes = match frame {
        None => return Err(End::Gone),
        Some(Incoming::Broken(close)) => return Err(End::broken(close)),
        Some(Incoming::Frame(bytes)) => bytes,
    };
    let Ok(ToServer::Auth(auth)) = wire::decode(&bytes) else {
        return Err(End::broken(crate::socket::Close::Malformed));
    };
    check(app, *auth, &nonce, visitor).await
}

async fn check(app: &App, auth: Auth, nonce: &[u8; 32], visitor: &Visitor) -> Result<Guest, End> {
    let said = auth
        .chain
        .peek()
        .map_err(|bad| End::refused(ErrorCode::NotSignedIn, bad.to_string()))?;
    let reader = app.meta().read();
    let account = meta::account::by_id(reader, &said.account).await?.ok_or_else(unknown)?;
    let now = app.clock.now();
    let certificate = auth
        .chain
        .verify(&account.key, Some(&said.device), now, &account.standing);
    let certificate = certificate.map_err(|bad| refuse(&account.id, bad))?;
    let claim = auth.claim.verify(&certificate.keys.sign).map_err(|_| unproven())?;
    check_claim(&claim, &said.device, nonce, visitor)?;
    check_hello(&auth.hello, &certificate)?;
    let until = lasts(app, &account.id, &said.device, &certificate).await?;
    Ok(Guest {
        device: said.device,
        kind: certificate.kind,
        hello: auth.hello,
        until,
        account,
    })
}

fn check_claim(claim: &AuthClaim, device: &DeviceId, nonce: &[u8; 32], visitor: &Visitor) -> Result<(), End> {
    let fresh: bool = claim.server_nonce.ct_eq(nonce).into();
    if !fresh || claim.device != *device || claim.version != visitor.version {
        return Err(unproven());
    }
    if claim.origin != visitor.origin.as_str() {
        let message = format!(
            "the device dialled {}, this server is {}; if a proxy stands between, set the server's --public-url",
            claim.origin, visitor.origin
        );
        return Err(End::refused(ErrorCode::NotSignedIn, message));
    }
    Ok(())
}

fn check_hello(hello: &Hello, certificate: &DeviceCertificate) -> Result<(), End> {
    if hello.kind != certificate.kind {
        return Err(unproven());
    }
    bounded(hello)
}

/// Refuses what would not fit into a row of the control list.
pub(super) fn bounded(hello: &Hello) -> Result<(), End> {
    if hello.is_bounded() && wire::encode(hello).len() <= PART_MAX {
        return Ok(());
    }
    Err(End::refused(
        ErrorCode::TooLarge,
        "the device has too many roots or addresses to tell; remove some roots",
    ))
}

/// Until when the device may stay: a controller as long as it is signed in, every device as long as its certificate.
pub(super) async fn lasts(
    app: &App,
    account: &AccountId,
    device: &DeviceId,
    certificate: &DeviceCertificate,
) -> Result<Option<Timestamp>, End> {
    let row = meta::device::get(app.meta().read(), account, device)
        .await?
        .ok_or_else(unknown)?;
    if row.revoked {
        return Err(refuse(account, BadCertificate::Revoked));
    }
    // The kind decides what a device is told and may ask: it stays what it was when the device signed in or joined.
    if row.kind != certificate.kind {
        return Err(unproven());
    }
    if meta::account::is_disabled(app.meta().read(), account).await? {
        return Err(shut_out());
    }
    if certificate.role != Role::Controller {
        return Ok(certificate.not_after);
    }
    let now = app.clock.now();
    let session = meta::session::end_of(app.meta().read(), account, device, now).await?;
    let session = session.ok_or_else(|| {
        End::refused(
            ErrorCode::NotSignedIn,
            "you are not signed in on this device (any more); sign in again",
        )
    })?;
    Ok(Some(certificate.not_after.map_or(session, |end| end.min(session))))
}

/// Why a device that was let in is cut off now.
pub(super) async fn why_cut(app: &App, account: &AccountId, device: &DeviceId) -> Result<End, Error> {
    let row = meta::device::get(app.meta().read(), account, device).await?;
    if row.is_none_or(|row| row.revoked) {
        return Ok(refuse(account, BadCertificate::Revoked));
    }
    if meta::account::is_disabled(app.meta().read(), account).await? {
        return Ok(shut_out());
    }
    Ok(End::refused(
        ErrorCode::NotSignedIn,
        "the session of this device has ended; sign in again",
    ))
}

fn refuse(account: &AccountId, bad: BadCertificate) -> End {
    let code = match bad {
        BadCertificate::Revoked => ErrorCode::Revoked,
        BadCertificate::Epoch => ErrorCode::NotSignedIn,
        other => return End::refused(ErrorCode::NotSignedIn, other.to_string()),
    };
    End::Disowned {
        account: *account,
        reason: Refusal::new(code, bad.to_string()),
    }
}

fn shut_out() -> End {
    End::Told {
        reason: meta::account::shut_out(),
        close: crate::socket::Close::Policy,
        back_in_ms: None,
    }
}

fn unknown() -> End {
    End::refused(
        ErrorCode::NotSignedIn,
        "this server does not know the device; sign in or join again",
    )
}

fn unproven() -> End {
    End::refused(
        ErrorCode::NotSignedIn,
        "the device could not prove its keys; sign in or join again",
    )
}
