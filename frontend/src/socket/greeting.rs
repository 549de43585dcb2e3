//! How this browser gets in: the server's challenge, signed for this server alone, and the account's key compared.

use beckon_shared::{
    device::{DeviceKind, Hello},
    error::{ErrorCode, Refusal},
    route,
    signature::Signed,
    statement::Statement,
    wire::{self, Auth, AuthClaim, CONTROL_PROTOCOLS, ControlVersion, FromServer, ToServer, Welcome},
};

use super::wire::Wire;
use crate::{
    dom,
    identity::{Identity, this_browser},
    text,
};

/// How long the server may take to let a device in. Milliseconds.
const WELCOME_MS: u32 = 15_000;

/// Why this browser is not in.
#[derive(Debug)]
pub(super) enum NotIn {
    /// Nobody answered, or not in time.
    Unreachable,
    /// The server says to come back later. Milliseconds.
    Later(u32),
    /// The server will not have this device; the account's statement may tell why.
    Refused {
        reason: Refusal,
        statement: Option<Box<Signed<Statement>>>,
    },
}

/// Connects and proves this browser's keys.
pub(super) async fn connect(identity: &Identity) -> Result<(Wire, Welcome), NotIn> {
    let offered = CONTROL_PROTOCOLS.map(|(name, _)| name);
    let mut wire = Wire::dial(route::SOCKET, &offered)
        .await
        .map_err(|_| NotIn::Unreachable)?;
    let (_, version) = wire::negotiate(&wire.protocol()).ok_or(NotIn::Unreachable)?;
    let FromServer::Challenge { nonce } = next(&mut wire).await? else {
        return Err(NotIn::Unreachable);
    };
    let auth = ToServer::Auth(Box::new(prove(identity, nonce, version).ok_or(NotIn::Unreachable)?));
    if !wire.outgoing().send(&wire::encode(&auth)) {
        return Err(NotIn::Unreachable);
    }
    let FromServer::Welcome(welcome) = next(&mut wire).await? else {
        return Err(NotIn::Unreachable);
    };
    if welcome.account_key != identity.account_key || welcome.account != identity.account() {
        let reason = Refusal::new(ErrorCode::NotSignedIn, text::error::other_account());
        return Err(NotIn::Refused {
            reason,
            statement: None,
        });
    }
    Ok((wire, *welcome))
}

/// The origin is the one of this page and not one that the server names: signed for this server, the claim is worth
/// nothing at another.
fn prove(identity: &Identity, server_nonce: [u8; 32], version: ControlVersion) -> Option<Auth> {
    let claim = AuthClaim {
        origin: dom::origin(),
        device: identity.device(),
        server_nonce,
        own_nonce: dom::random(),
        version,
    };
    Some(Auth {
        chain: identity.chain.clone(),
        claim: Signed::sign(&claim, identity.keys.signing()),
        hello: hello(identity)?,
    })
}

/// A browser has no roots, and does not know its addresses.
fn hello(identity: &Identity) -> Option<Hello> {
    Some(Hello {
        name: this_browser::name()?,
        kind: DeviceKind::Browser,
        os: this_browser::os(),
        version: this_browser::VERSION.to_owned(),
        platform: this_browser::platform(),
        addresses: Vec::new(),
        lan_port: None,
        roots: Vec::new(),
        statement: identity.standing.borrow().number(),
    })
}

/// The next frame, unless the server says good-bye. A device that was revoked is shown the account's statement before.
async fn next(wire: &mut Wire) -> Result<FromServer, NotIn> {
    let mut shown = None;
    while let Some(bytes) = wire.next_within(WELCOME_MS).await {
        match wire::decode(&bytes).map_err(|_| NotIn::Unreachable)? {
            FromServer::Statement(statement) => shown = Some(statement),
            FromServer::GoAway {
                back_in_ms: Some(back), ..
            } => return Err(NotIn::Later(back)),
            FromServer::GoAway { reason, .. } => {
                return Err(NotIn::Refused {
                    reason,
                    statement: shown,
                });
            }
            frame => return Ok(frame),
        }
    }
    Err(NotIn::Unreachable)
}
