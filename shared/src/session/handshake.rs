//! The handshake of a session: Noise IK, with certificates as payload.
//!
//! The first message is `version (1) ‖ Noise message`. The prologue names the end that is asked, which both ends know; who asks
//! stands in the payload, sealed to that end alone. So nobody on the way, and nobody else at that address, learns who is there.

use serde::{Deserialize, Serialize};
use snow::{Builder, HandshakeState};

use super::channel::{Channel, REKEY_EVERY};
use crate::{
    certificate::{BadCertificate, Chain, DeviceCertificate, Role},
    id::{AccountId, DeviceId},
    keys::{DeviceKeys, DevicePublicKeys},
    signature::PublicKey,
    statement::Standing,
    time::Timestamp,
    wire,
};

/// The Noise protocol (revision 34 of its specification).
pub const NOISE: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
/// Opens the prologue; the version, and account and device of the end that is asked follow.
pub const PROLOGUE: &[u8] = b"beckon session\0";
/// The version that is spoken. In version 1 the asking end told its ids in the clear.
pub const VERSION: u8 = 2;
/// Neither message of a handshake is larger, in bytes: what a machine reads of a stranger.
pub const HANDSHAKE_MAX: usize = 1024;

/// The version in front of the first Noise message.
const HEADER_LEN: usize = 1;

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
        let prologue = prologue(peer_account, peer.id());
        let mut noise = builder(me, &prologue)?
            .remote_public_key(&peer.session)?
            .build_initiator()?;
        let mut message = vec![VERSION];
        message.extend_from_slice(&write(&mut noise, me)?);
        Ok((Self { noise, peer: *peer }, message))
    }

    /// Takes the reply. The session stands if the device that was asked for made it and its certificate proves the role.
    pub fn finish(mut self, reply: &[u8], expected: &Expected<'_>) -> Result<Established, BadHandshake> {
        let introduction = read(&mut self.noise, reply)?;
        let certificate = verify(&self.noise, &introduction, Some(&self.peer.id()), expected)?;
        finish(self.noise, certificate, introduction.statement)
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
        let message = message(first)?;
        let prologue = prologue(self.me.account, self.me.keys.id());
        let mut noise = builder(&self.me, &prologue)?.build_responder()?;
        let introduction = read(&mut noise, message)?;
        // Before the reply: a stranger learns nothing of this device.
        let certificate = verify(&noise, &introduction, None, &self.expected)?;
        let reply = write(&mut noise, &self.me)?;
        Ok((reply, finish(noise, certificate, introduction.statement)?))
    }
}

fn finish(noise: HandshakeState, peer: DeviceCertificate, statement: u64) -> Result<Established, BadHandshake> {
    let channel = Channel::new(noise.into_transport_mode()?, REKEY_EVERY);
    Ok(Established {
        channel,
        peer,
        statement,
    })
}

/// The certificate of the other end, if it is for the X25519 key that the handshake used, and for the device that was asked.
fn verify(
    noise: &HandshakeState,
    introduction: &Introduction,
    device: Option<&DeviceId>,
    expected: &Expected<'_>,
) -> Result<DeviceCertificate, BadHandshake> {
    let chain = &introduction.chain;
    let certificate = chain.verify(expected.account_key, device, expected.now, expected.standing)?;
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
    Ok(Builder::new(params)
        .prologue(prologue)?
        .local_private_key(me.keys.session().as_bytes())?)
}

fn prologue(account: AccountId, device: DeviceId) -> Vec<u8> {
    [PROLOGUE, &[VERSION], &account.0, &device.0].concat()
}

/// The Noise message in a first message.
fn message(first: &[u8]) -> Result<&[u8], BadHandshake> {
    match first.split_first() {
        _ if first.len() > HANDSHAKE_MAX => Err(BadHandshake::Malformed),
        Some((&VERSION, message)) => Ok(message),
        Some(_) => Err(BadHandshake::Version),
        None => Err(BadHandshake::Malformed),
    }
}

fn write(noise: &mut HandshakeState, me: &Me<'_>) -> Result<Vec<u8>, BadHandshake> {
    let payload = wire::encode(&Introduction {
        chain: me.chain.clone(),
        statement: me.statement,
    });
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

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        certificate::tests::{NOW, account, certificate, chain, device, standing_without},
        device::DeviceKind,
        join::{JoinCode, Terms},
        keys::AccountKey,
        session::Opened,
    };

    /// A device with its certificate.
    struct Party {
        keys: DeviceKeys,
        chain: Chain,
    }

    impl Party {
        fn me(&self) -> Me<'_> {
            Me {
                keys: &self.keys,
                chain: &self.chain,
                account: account().id(),
                statement: 4,
            }
        }
    }

    fn browser() -> Party {
        let keys = device(7);
        Party {
            chain: chain(&certificate(&keys)),
            keys,
        }
    }

    fn machine() -> Party {
        let keys = device(8);
        let certificate = DeviceCertificate {
            kind: DeviceKind::Agent,
            role: Role::Source,
            not_after: None,
            ..certificate(&keys)
        };
        Party {
            chain: chain(&certificate),
            keys,
        }
    }

    fn joined_machine() -> Party {
        let keys = device(9);
        let code = JoinCode::new([3; 16]);
        let not_after = NOW + Duration::from_secs(900);
        let terms = Terms {
            role: Role::Source,
            issued: NOW,
            not_after,
            uses: u32::MAX,
            epoch: u32::MAX,
        };
        let (offer, _) = code.offer(&account(), &terms).unwrap();
        Party {
            chain: code.certify(&offer, keys.public(), Role::Source, NOW).unwrap(),
            keys,
        }
    }

    /// Runs a handshake in which each end demands the given of the other.
    fn shake(
        from: &Party,
        to: &Party,
        of_to: Demand,
        of_from: Demand,
    ) -> Result<(Established, Established), BadHandshake> {
        let key = account().public();
        let (initiator, first) = Initiator::new(&from.me(), account().id(), &to.keys.public())?;
        let (reply, there) = Responder::new(to.me(), of_from.expected(&key)).accept(&first)?;
        let here = initiator.finish(&reply, &of_to.expected(&key))?;
        Ok((here, there))
    }

    struct Demand {
        standing: Standing,
        roles: &'static [Role],
    }

    impl Demand {
        fn role(roles: &'static [Role]) -> Self {
            Self {
                standing: Standing::default(),
                roles,
            }
        }

        fn expected<'a>(&'a self, account_key: &'a PublicKey) -> Expected<'a> {
            Expected {
                account_key,
                standing: &self.standing,
                roles: self.roles,
                now: NOW,
            }
        }
    }

    fn source() -> Demand {
        Demand::role(&[Role::Source])
    }

    fn controller() -> Demand {
        Demand::role(&[Role::Controller])
    }

    /// Both ends of a session: the browser's and the machine's.
    pub(in crate::session) fn pair() -> (Channel, Channel) {
        let (here, there) = shake(&browser(), &machine(), source(), controller()).unwrap();
        (here.channel, there.channel)
    }

    #[test]
    fn the_bytes_of_a_handshake_never_change() {
        assert_eq!(NOISE, "Noise_IK_25519_ChaChaPoly_BLAKE2s");
        let (from, to) = (browser(), machine());
        let prologue = prologue(account().id(), to.keys.id());
        assert_eq!(
            hex::encode(&prologue),
            "6265636b6f6e2073657373696f6e000284455a7f37229c289a4db0682d727caf568fef2401a9edccdb3184ae7fc98f1825b4bb37c8e028f6949a6e7a35c0be4765852e6428cb05695f9041afbb3b4141"
        );
        let me = from.me();
        let peer = to.keys.public();
        let builder = builder(&me, &prologue)
            .unwrap()
            .remote_public_key(&peer.session)
            .unwrap();
        let mut noise = builder
            .fixed_ephemeral_key_for_testing_only(&[6; 32])
            .build_initiator()
            .unwrap();
        assert_eq!(
            hex::encode(write(&mut noise, &me).unwrap()),
            "f5b2d6e60f9477e310c2982daaa6c9136c108a1777c5947e448fa37d681745579bc9f156a572ee20b7a6d93bbb6c9838b2beb02cadcc7cf4723351b2f227bbec2894d807fc93386b772ed9053b1b502afd198f63c68eeb58feb35e838804a709822c42f0bfd42704b80b8255d1ece128d22a93478f6c5320f8c11f8d352d9c2fc73e23f88237ce7755bf65eb6edf21c5a6b8e2b1029d0b108b0639840b7fa1c9c92560146d9a2fab66ef9df4b68f0ea41f81ec62ce751ed7e11c9c7c30ac30ca37b21079d5f29bab494f045eccc0629d13307c0ca03e6d77c650e48fb1673118f3a39da5162dc80b0da1a3665131c466bd675568eb9c7dabfadaa08c8426338837990780193eda6dcba73b3111432e0b1215e55599"
        );
    }

    #[test]
    fn two_devices_of_an_account_talk() {
        let (mut here, mut there) = shake(&browser(), &machine(), source(), controller()).unwrap();
        assert_eq!(here.peer.keys, machine().keys.public());
        assert_eq!(there.peer.keys, browser().keys.public());
        assert_eq!((here.statement, there.statement), (4, 4));
        let records = here.channel.seal(b"list").unwrap();
        assert_eq!(there.channel.open(&records[0]), Ok(Opened::Message(b"list".to_vec())));
        let records = there.channel.seal(b"entries").unwrap();
        assert_eq!(here.channel.open(&records[0]), Ok(Opened::Message(b"entries".to_vec())));
    }

    #[test]
    fn a_handshake_message_has_at_most_a_kibibyte() {
        let (_, by_account) = Initiator::new(&browser().me(), account().id(), &machine().keys.public()).unwrap();
        assert!(by_account.len() < 400, "{}", by_account.len());
        let joined = joined_machine();
        let me = Me {
            statement: u64::MAX,
            ..joined.me()
        };
        let (_, by_code) = Initiator::new(&me, account().id(), &machine().keys.public()).unwrap();
        assert!(by_code.len() < HANDSHAKE_MAX - 300, "{}", by_code.len());
    }

    #[test]
    fn a_machine_that_joined_by_code_answers() {
        assert!(shake(&browser(), &joined_machine(), source(), controller()).is_ok());
    }

    #[test]
    fn a_role_that_is_not_required_is_refused() {
        let refused =
            |result: Result<_, BadHandshake>| result.map(|_: (Established, Established)| ()) == Err(BadHandshake::Role);
        assert!(refused(shake(&machine(), &joined_machine(), source(), controller())));
        assert!(refused(shake(&browser(), &browser(), source(), controller())));
        assert!(refused(shake(
            &browser(),
            &machine(),
            Demand::role(&[Role::Copy]),
            controller()
        )));
        assert!(refused(shake(&browser(), &machine(), source(), Demand::role(&[]))));
    }

    #[test]
    fn a_revoked_device_is_refused_by_either_end() {
        let without = |party: &Party, roles| Demand {
            standing: standing_without(&[party.keys.id()], 0),
            roles,
        };
        let revoked = Some(BadHandshake::Certificate(BadCertificate::Revoked));
        let machines_view = shake(
            &browser(),
            &machine(),
            source(),
            without(&browser(), &[Role::Controller]),
        );
        assert_eq!(machines_view.err(), revoked);
        let browsers_view = shake(
            &browser(),
            &machine(),
            without(&machine(), &[Role::Source]),
            controller(),
        );
        assert_eq!(browsers_view.err(), revoked);
    }

    #[test]
    fn a_certificate_does_not_work_with_another_x25519_key() {
        let mut bytes = *browser().keys.to_bytes();
        bytes[32..].copy_from_slice(&[99; 32]);
        let thief = Party {
            keys: DeviceKeys::from_bytes(&bytes),
            chain: browser().chain,
        };
        let result = shake(&thief, &machine(), source(), controller());
        assert_eq!(result.err(), Some(BadHandshake::Keys));
    }

    #[test]
    fn a_certificate_under_its_own_id_does_not_work_with_another_x25519_key() {
        let (thief, to) = (device(99), machine());
        let stolen = browser();
        let prologue = prologue(account().id(), to.keys.id());
        let me = Me {
            keys: &thief,
            ..stolen.me()
        };
        let peer = to.keys.public();
        let mut noise = builder(&me, &prologue)
            .unwrap()
            .remote_public_key(&peer.session)
            .unwrap()
            .build_initiator()
            .unwrap();
        let message = write(&mut noise, &me).unwrap();
        let first = [&[VERSION], message.as_slice()].concat();
        assert_eq!(accept(&first).err(), Some(BadHandshake::Keys));
    }

    #[test]
    fn an_impostor_at_the_address_gets_nothing() {
        let (_, first) = Initiator::new(&browser().me(), account().id(), &machine().keys.public()).unwrap();
        let impostor = joined_machine();
        let key = account().public();
        let result = Responder::new(impostor.me(), controller().expected(&key)).accept(&first);
        assert_eq!(result.err(), Some(BadHandshake::Crypto));
    }

    #[test]
    fn a_stranger_is_refused() {
        let stranger = AccountKey::from_bytes(&[2; 32]);
        let keys = device(7);
        let certificate = DeviceCertificate {
            account: stranger.id(),
            ..certificate(&keys)
        };
        let chain = Chain::by_account(&certificate, &stranger);
        let me = Me {
            keys: &keys,
            chain: &chain,
            account: stranger.id(),
            statement: 0,
        };
        let (_, first) = Initiator::new(&me, account().id(), &machine().keys.public()).unwrap();
        assert!(matches!(accept(&first).err(), Some(BadHandshake::Certificate(_))));
    }

    #[test]
    fn a_machine_of_another_account_cannot_be_reached_by_mistake() {
        let stranger = AccountKey::from_bytes(&[2; 32]);
        let (_, first) = Initiator::new(&browser().me(), stranger.id(), &machine().keys.public()).unwrap();
        assert_eq!(accept(&first).err(), Some(BadHandshake::Crypto));
    }

    #[test]
    fn who_listens_on_the_way_learns_nothing_of_either_end() {
        let (from, to) = (browser(), machine());
        let (_, first) = Initiator::new(&from.me(), account().id(), &to.keys.public()).unwrap();
        let (reply, _) = accept(&first).unwrap();
        let seen = [first, reply].concat();
        for party in [from, to] {
            let id = party.keys.id();
            let public = party.keys.public();
            let account = account().id();
            for known in [id.as_bytes(), account.as_bytes(), &public.session] {
                assert!(!seen.windows(8).any(|bytes| known.windows(8).any(|part| part == bytes)));
            }
        }
    }

    #[test]
    fn a_replayed_first_message_opens_nothing_more() {
        let (initiator, first) = Initiator::new(&browser().me(), account().id(), &machine().keys.public()).unwrap();
        let (reply, mut real) = accept(&first).unwrap();
        let (_, mut replayed) = accept(&first).unwrap();
        let key = account().public();
        let mut here = initiator.finish(&reply, &source().expected(&key)).unwrap();
        let record = here.channel.seal(b"order").unwrap().remove(0);
        assert!(real.channel.open(&record).is_ok());
        assert!(replayed.channel.open(&record).is_err());
    }

    #[test]
    fn another_version_is_told_apart() {
        let (_, mut first) = Initiator::new(&browser().me(), account().id(), &machine().keys.public()).unwrap();
        first[0] = VERSION - 1;
        assert_eq!(accept(&first).err(), Some(BadHandshake::Version));
        assert_eq!(accept(&[]).err(), Some(BadHandshake::Malformed));
        assert_eq!(
            accept(&[VERSION; HANDSHAKE_MAX + 1]).err(),
            Some(BadHandshake::Malformed)
        );
    }

    fn accept(first: &[u8]) -> Result<(Vec<u8>, Established), BadHandshake> {
        let key = account().public();
        Responder::new(machine().me(), controller().expected(&key)).accept(first)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_changed_bit_ends_the_handshake(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let key = account().public();
            let (initiator, first) = Initiator::new(&browser().me(), account().id(), &machine().keys.public()).unwrap();
            let flip = |message: &[u8]| {
                let mut message = message.to_vec();
                let at = at.index(message.len());
                message[at] ^= 1 << bit;
                message
            };
            prop_assert!(accept(&flip(&first)).is_err());
            let (reply, _) = accept(&first).unwrap();
            // The top bit of an X25519 key is ignored by definition, but the handshake hashes it.
            prop_assert!(initiator.finish(&flip(&reply), &source().expected(&key)).is_err());
        }

        #[test]
        fn any_bytes_are_safe_to_accept(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
            prop_assert!(accept(&bytes).is_err());
            let versioned = [&[VERSION], bytes.as_slice()].concat();
            prop_assert!(accept(&versioned).is_err());
        }
    }
}
