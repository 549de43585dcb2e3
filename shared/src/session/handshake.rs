//! The handshake of a session: Noise IK, with certificates as payload.
//!
//! The first message is `version (1) ‖ initiator's account (32) ‖ initiator's device (32) ‖ Noise message`, because both
//! ends mix both ids into the prologue and the responder cannot know them otherwise. They are hashes and tell no name.

use serde::{Deserialize, Serialize};
use snow::{Builder, HandshakeState};

use super::channel::{Channel, REKEY_EVERY};
use crate::{
    certificate::{BadCertificate, Chain, DeviceCertificate, Role},
    id::{AccountId, DeviceId},
    keys::{DeviceKeys, DevicePublicKeys, account_id},
    signature::PublicKey,
    statement::Standing,
    time::Timestamp,
    wire,
};

/// The Noise protocol (revision 34 of its specification).
pub const NOISE: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
/// Opens the prologue; the version and the ids of both ends follow.
pub const PROLOGUE: &[u8] = b"beckon session\0";
/// The only version so far.
pub const VERSION: u8 = 1;
/// Neither message of a handshake is larger, in bytes: what a machine reads of a stranger.
pub const HANDSHAKE_MAX: usize = 1024;

/// Version and ids in front of the first Noise message.
const HEADER_LEN: usize = 1 + AccountId::LEN + DeviceId::LEN;

/// One's own end.
#[derive(Debug, Clone, Copy)]
pub struct Me<'a> {
    /// The device's keys.
    pub keys: &'a DeviceKeys,
    /// Their certificate.
    pub chain: &'a Chain,
    /// The device's account.
    pub account: AccountId,
    /// [`Standing::number`], so that the other end learns whether it missed a revocation.
    pub statement: u64,
}

/// What the other end has to prove.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The pinned key of its account.
    pub account_key: &'a PublicKey,
    /// What is known of that account's statements.
    pub standing: &'a Standing,
    /// It must be able to act as one of these.
    pub roles: &'a [Role],
    /// One's own clock.
    pub now: Timestamp,
}

/// A finished handshake.
#[derive(Debug)]
pub struct Established {
    /// Seals and opens what follows.
    pub channel: Channel,
    /// Who is at the other end: verified, and its keys are those of this session.
    pub peer: DeviceCertificate,
    /// The highest statement that the other end has seen.
    pub statement: u64,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHandshake {
    /// The other end speaks another version.
    #[error("the two devices speak different versions of the session protocol; update the older one")]
    Version,
    /// A message has over [`HANDSHAKE_MAX`] bytes or is none at all.
    #[error("the other device did not speak the session protocol; check the address")]
    Malformed,
    /// The other end does not hold the keys that it should, or the message was altered.
    #[error("this is not the device that was asked for; check the address, or go over the relay")]
    Crypto,
    /// It is of an account that was not expected.
    #[error("the other device belongs to another account; sign in with the right account")]
    Account,
    /// Its certificate does not stand.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// The certificate is genuine, but for other keys than those of this handshake.
    #[error("the other device showed a certificate of other keys; join or sign in again there")]
    Keys,
    /// It may not act as what was required.
    #[error("the other device has not the role that is needed here; use another device")]
    Role,
}

impl From<snow::Error> for BadHandshake {
    fn from(_: snow::Error) -> Self {
        Self::Crypto
    }
}

/// What the payload of each handshake message holds, and nothing else does.
#[derive(Serialize, Deserialize)]
struct Introduction {
    chain: Chain,
    statement: u64,
}

/// The end that opens a session, after it sent the first message.
#[derive(Debug)]
pub struct Initiator {
    noise: HandshakeState,
    peer: DevicePublicKeys,
}

impl Initiator {
    /// Makes the first message for the device that holds `peer`. Take these keys from a certificate that was verified, and from nowhere else.
    pub fn new(me: &Me<'_>, peer_account: AccountId, peer: &DevicePublicKeys) -> Result<(Self, Vec<u8>), BadHandshake> {
        let prologue = prologue((me.account, me.keys.id()), (peer_account, peer.id()));
        let mut noise = builder(me, &prologue)?.remote_public_key(&peer.session)?.build_initiator()?;
        let mut message = vec![VERSION];
        message.extend_from_slice(me.account.as_bytes());
        message.extend_from_slice(me.keys.id().as_bytes());
        message.extend_from_slice(&write(&mut noise, me)?);
        Ok((Self { noise, peer: *peer }, message))
    }

    /// Takes the reply. The session stands if the device that was asked for made it and its certificate proves the role.
    pub fn finish(mut self, reply: &[u8], expected: &Expected<'_>) -> Result<Established, BadHandshake> {
        let introduction = read(&mut self.noise, reply)?;
        establish(self.noise, introduction, self.peer.id(), expected)
    }
}

/// The end that is asked for a session.
#[derive(Debug, Clone, Copy)]
pub struct Responder<'a> {
    me: Me<'a>,
    expected: Expected<'a>,
}

impl<'a> Responder<'a> {
    /// Is ready for a first message from a device as `expected`.
    pub fn new(me: Me<'a>, expected: Expected<'a>) -> Self {
        Self { me, expected }
    }

    /// Takes a first message and makes the reply.
    ///
    /// A first message can be recorded and played again by anyone. So do nothing for the peer, not even a log line that
    /// it acted, before [`Channel::open`] has opened its first record: only who holds the keys can make that.
    pub fn accept(&self, first: &[u8]) -> Result<(Vec<u8>, Established), BadHandshake> {
        let (account, device, message) = header(first)?;
        if account != account_id(self.expected.account_key) {
            return Err(BadHandshake::Account);
        }
        let prologue = prologue((account, device), (self.me.account, self.me.keys.id()));
        let mut noise = builder(&self.me, &prologue)?.build_responder()?;
        let introduction = read(&mut noise, message)?;
        // Before the reply: a stranger learns nothing of this device.
        let certificate = verify(&noise, &introduction, &device, &self.expected)?;
        let reply = write(&mut noise, &self.me)?;
        Ok((reply, finish(noise, certificate, introduction.statement)?))
    }
}

fn establish(
    noise: HandshakeState,
    introduction: Introduction,
    device: DeviceId,
    expected: &Expected<'_>,
) -> Result<Established, BadHandshake> {
    let certificate = verify(&noise, &introduction, &device, expected)?;
    finish(noise, certificate, introduction.statement)
}

fn finish(noise: HandshakeState, peer: DeviceCertificate, statement: u64) -> Result<Established, BadHandshake> {
    let channel = Channel::new(noise.into_transport_mode()?, REKEY_EVERY);
    Ok(Established { channel, peer, statement })
}

/// The certificate of the other end, if it is for the X25519 key that the handshake used.
fn verify(
    noise: &HandshakeState,
    introduction: &Introduction,
    device: &DeviceId,
    expected: &Expected<'_>,
) -> Result<DeviceCertificate, BadHandshake> {
    let chain = &introduction.chain;
    let certificate = chain.verify(expected.account_key, Some(device), expected.now, expected.standing)?;
    if noise.get_remote_static() != Some(certificate.keys.session.as_slice()) {
        return Err(BadHandshake::Keys);
    }
    if !expected.roles.iter().any(|needed| certificate.role.includes(*needed)) {
        return Err(BadHandshake::Role);
    }
    Ok(certificate)
}

fn builder<'a>(me: &Me<'a>, prologue: &'a [u8]) -> Result<Builder<'a>, BadHandshake> {
    let params = NOISE.parse()?;
    Ok(Builder::new(params).prologue(prologue)?.local_private_key(me.keys.session().as_bytes())?)
}

fn prologue(initiator: (AccountId, DeviceId), responder: (AccountId, DeviceId)) -> Vec<u8> {
    let ((from_account, from_device), (to_account, to_device)) = (initiator, responder);
    [PROLOGUE, &[VERSION], &from_account.0, &to_account.0, &from_device.0, &to_device.0].concat()
}

fn header(first: &[u8]) -> Result<(AccountId, DeviceId, &[u8]), BadHandshake> {
    match first.first() {
        None => return Err(BadHandshake::Malformed),
        Some(&VERSION) => {}
        Some(_) => return Err(BadHandshake::Version),
    }
    if first.len() < HEADER_LEN || first.len() > HANDSHAKE_MAX {
        return Err(BadHandshake::Malformed);
    }
    let (header, message) = first.split_at(HEADER_LEN);
    let (account, device) = header[1..].split_at(AccountId::LEN);
    let account = AccountId::from_slice(account).map_err(|_| BadHandshake::Malformed)?;
    let device = DeviceId::from_slice(device).map_err(|_| BadHandshake::Malformed)?;
    Ok((account, device, message))
}

fn write(noise: &mut HandshakeState, me: &Me<'_>) -> Result<Vec<u8>, BadHandshake> {
    let payload = wire::encode(&Introduction { chain: me.chain.clone(), statement: me.statement });
    let mut message = vec![0; HANDSHAKE_MAX - HEADER_LEN];
    let len = noise.write_message(&payload, &mut message)?;
    message.truncate(len);
    Ok(message)
}

fn read(noise: &mut HandshakeState, message: &[u8]) -> Result<Introduction, BadHandshake> {
    if message.len() > HANDSHAKE_MAX {
        return Err(BadHandshake::Malformed);
    }
    let mut payload = vec![0; message.len()];
    let len = noise.read_message(message, &mut payload)?;
    wire::decode(&payload[..len]).map_err(|_| BadHandshake::Malformed)
}
