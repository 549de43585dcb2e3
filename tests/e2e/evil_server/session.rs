//! Sessions that no controller of the account opened. A machine reads the first message and hangs up without a word.

use std::path::Path;

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, ListAsk, ToMachine},
    certificate::{Chain, Role},
    entry::{Direction, SortKey, SourceStamp},
    error::{ErrorCode, Refusal},
    id::Hash,
    keys::DeviceKeys,
    path::RootPath,
    session::{Channel, Expected, Initiator, Me, NOISE, Opened, PROLOGUE, VERSION},
    signature::Signed,
    statement::{Standing, Statement},
    wire::{self, FromServer},
};

use super::{
    account::{Account, DAY, Device, device_keys, now},
    line::Line,
    scene::{DIARY, SECRET, Scene},
};

/// An open session with the machine, the test being the controller.
pub(super) struct Session {
    pub(super) line: Line,
    channel: Channel,
}

impl Session {
    #[track_caller]
    pub(super) fn open(scene: &Scene, device: &Device) -> Self {
        Self::open_knowing(scene, device, None)
    }

    /// Opens a session and tells a statement.
    #[track_caller]
    pub(super) fn open_knowing(scene: &Scene, device: &Device, statement: Option<Signed<Statement>>) -> Self {
        let mut session = Self::shake(scene, device);
        session.say(&ToMachine::Open {
            statement: statement.map(Box::new),
        });
        let opened = session.hear();
        assert!(matches!(opened, Some(FromMachine::Opened { .. })), "{opened:?}");
        session
    }

    /// Tells the machine a statement that it must not believe; whether it goes on with the session is left to it.
    #[track_caller]
    pub(super) fn mislead(scene: &Scene, device: &Device, statement: &Signed<Statement>) {
        let mut session = Self::shake(scene, device);
        session.say(&ToMachine::Open {
            statement: Some(Box::new(statement.clone())),
        });
        session.hear();
    }

    /// Asks the machine for something, and waits for its answer.
    #[track_caller]
    pub(super) fn ask(&mut self, body: Ask) -> Result<Answer, Refusal> {
        self.say(&ToMachine::Ask { id: 7, body });
        match self.hear() {
            Some(FromMachine::Reply { id: 7, result }) => result,
            other => panic!("{other:?}"),
        }
    }

    /// Panics unless the machine ends the session without another answer.
    #[track_caller]
    pub(super) fn assert_over(&mut self) {
        let answer = self.hear();
        assert!(answer.is_none(), "{answer:?}");
    }

    /// Only the handshake: nothing was said yet.
    #[track_caller]
    fn shake(scene: &Scene, device: &Device) -> Self {
        let mut line = scene.server.dial_machine();
        let (initiator, first) = Initiator::new(&me(device), scene.ann.id(), &scene.keys()).unwrap();
        line.send(first);
        let reply = line.receive().expect("the machine replies to an honest handshake");
        let expected = Expected {
            account_key: &scene.ann.public(),
            standing: &Standing::default(),
            roles: &[Role::Source],
            now: now(),
        };
        let channel = initiator.finish(&reply, &expected).unwrap().channel;
        Self { line, channel }
    }

    fn say(&mut self, message: &ToMachine) {
        for record in self.records(message) {
            self.line.send(record);
        }
    }

    fn records(&mut self, message: &ToMachine) -> Vec<Vec<u8>> {
        self.channel.seal(&wire::encode(message)).unwrap()
    }

    #[track_caller]
    fn hear(&mut self) -> Option<FromMachine> {
        loop {
            match self.channel.open(&self.line.receive()?).unwrap() {
                Opened::Message(message) => return Some(wire::decode(&message).unwrap()),
                Opened::Partial => {}
                Opened::Closed => return None,
            }
        }
    }
}

fn me(device: &Device) -> Me<'_> {
    Me {
        keys: &device.keys,
        chain: &device.chain,
        account: device.chain.peek().unwrap().account,
        statement: 0,
    }
}

/// What the device sends first.
pub(super) fn first_message(scene: &Scene, device: &Device) -> Vec<u8> {
    Initiator::new(&me(device), scene.ann.id(), &scene.keys()).unwrap().1
}

/// Panics unless the machine hangs up on this first message without a word.
#[track_caller]
pub(super) fn assert_refused(scene: &Scene, first: Vec<u8>) {
    let mut line = scene.server.dial_machine();
    line.send(first);
    line.assert_mute();
}

/// A first message in which the certificate and the key of the handshake need not belong together.
fn forged(scene: &Scene, chain: &Chain, keys: &DeviceKeys) -> Vec<u8> {
    let prologue = [PROLOGUE, &[VERSION], &scene.ann.id().0, &scene.desk().0].concat();
    let secret = &keys.to_bytes()[32..];
    let builder = snow::Builder::new(NOISE.parse().unwrap()).prologue(&prologue).unwrap();
    let builder = builder.local_private_key(secret).unwrap();
    let peer = scene.keys().session;
    let mut noise = builder.remote_public_key(&peer).unwrap().build_initiator().unwrap();
    let mut message = vec![0; 1024];
    let len = noise
        .write_message(&wire::encode(&(chain, 0_u64)), &mut message)
        .unwrap();
    [&[VERSION], &message[..len]].concat()
}

fn list(scene: &Scene) -> Ask {
    Ask::List(ListAsk {
        root: scene.root(),
        path: RootPath::new(SECRET).unwrap(),
        sort: SortKey::Name,
        direction: Direction::Ascending,
        offset: 0,
        max_bytes: 4096,
        snapshot: None,
    })
}

#[test]
fn an_honest_session_lists_a_folder_which_is_seen() {
    let scene = Scene::new();
    let first = forged(&scene, &scene.owner.chain, &scene.owner.keys);
    let mut line = scene.server.dial_machine();
    line.send(first);
    assert!(
        line.receive().is_some(),
        "a message made by hand is as good, so the refusals below are no accident"
    );
    let mut session = Session::open(&scene, &scene.owner);
    session.say(&ToMachine::Ask {
        id: 1,
        body: list(&scene),
    });
    let Some(FromMachine::Reply {
        id: 1,
        result: Ok(Answer::Page(page)),
    }) = session.hear()
    else {
        panic!("an honest controller is answered");
    };
    assert_eq!(page.total, 2);
    assert!(scene.opens.take().contains(Path::new(SECRET)));
}

#[test]
fn a_session_with_keys_that_the_account_did_not_certify_is_refused() {
    let scene = Scene::new();
    let (owner, stranger) = (&scene.owner, Account::new(66));
    let foreign = stranger.controller(67);
    let posing = stranger.device(67, |certificate| certificate.account = scene.ann.id());
    assert_refused(&scene, first_message(&scene, &foreign));
    assert_refused(&scene, first_message(&scene, &posing));
    for chain in [&foreign.chain, &posing.chain, &owner.chain] {
        assert_refused(&scene, forged(&scene, chain, &foreign.keys));
    }
    scene.assert_untouched();
}

#[test]
fn a_session_with_a_swapped_x25519_key_is_refused() {
    let scene = Scene::new();
    let owner = &scene.owner;
    let evil = device_keys(67);
    // A genuine certificate, of a device whose secrets the server does not hold.
    assert_refused(&scene, forged(&scene, &owner.chain, &evil));
    // Its signing key beside another session key: another device.
    let mut mixed = *owner.keys.to_bytes();
    mixed[32..].copy_from_slice(&evil.to_bytes()[32..]);
    let mixed = DeviceKeys::from_bytes(&mixed);
    assert_refused(&scene, forged(&scene, &owner.chain, &mixed));
    // The other key written into the certificate.
    let at = position(&owner.chain.device.bytes, &owner.keys.public().session);
    let mut chain = owner.chain.clone();
    chain.device.bytes[at..at + 32].copy_from_slice(&evil.public().session);
    assert_refused(&scene, forged(&scene, &chain, &mixed));
    scene.assert_untouched();
}

/// Where `part` begins in `bytes`.
pub(super) fn position(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

#[test]
fn in_a_session_of_a_device_that_is_no_controller_nothing_is_told_and_no_file_is_opened() {
    let scene = Scene::new();
    let (root, path) = (scene.root(), RootPath::new(DIARY).unwrap());
    for role in [Role::Source, Role::Copy] {
        let machine = scene.ann.device(21, |certificate| certificate.role = role);
        let mut session = Session::open(&scene, &machine);
        let own_order = machine.sign(&scene.order(&machine, DIARY));
        let honest = scene.owner.sign(&scene.order(&scene.owner, DIARY));
        let transfer = honest.order.peek().unwrap().id;
        let read = Ask::Read {
            root,
            path: path.clone(),
            offset: 0,
            len: 100,
        };
        let piece = Ask::Piece {
            transfer,
            path: path.clone(),
            manifest: Hash([0; 32]),
            stamp: SourceStamp {
                size: 10,
                mtime_ns: 0,
                ctime_ns: 0,
                file_id: 0,
            },
            offset: 0,
            len: 10,
        };
        let asks = [
            Ask::Roots,
            read,
            Ask::Stat {
                root,
                path: path.clone(),
            },
            Ask::Order(Box::new(own_order.clone())),
            Ask::Present(Box::new(own_order)),
            Ask::Present(Box::new(honest)),
            piece,
        ];
        for ask in asks {
            let refused = session.ask(ask.clone()).expect_err("it is refused");
            assert!(
                matches!(refused.code, ErrorCode::NotAllowed | ErrorCode::BadOrder),
                "{ask:?}: {refused}"
            );
        }
    }
    let expired = scene
        .ann
        .device(22, |certificate| certificate.not_after = Some(now().before(DAY)));
    assert_refused(&scene, first_message(&scene, &expired));
    scene.assert_untouched();
}

#[test]
fn a_session_of_a_revoked_controller_is_refused() {
    let scene = Scene::new();
    let thief = scene.ann.controller(33);
    Session::open(&scene, &thief);
    let statement = scene.ann.revocation(1, &[thief.id()]);
    scene.server.push(&FromServer::Statement(Box::new(statement)));
    scene.assert_untouched();
    assert_refused(&scene, first_message(&scene, &thief));
    scene.assert_untouched();
}

#[test]
fn a_handshake_that_was_recorded_gets_nothing_done() {
    let scene = Scene::new();
    let mut honest = scene.server.dial_machine();
    let (initiator, first) = Initiator::new(&me(&scene.owner), scene.ann.id(), &scene.keys()).unwrap();
    honest.send(first.clone());
    let reply = honest.receive().unwrap();
    let expected = Expected {
        account_key: &scene.ann.public(),
        standing: &Standing::default(),
        roles: &[Role::Source],
        now: now(),
    };
    let channel = initiator.finish(&reply, &expected).unwrap().channel;
    let mut session = Session { line: honest, channel };
    let mut recorded = session.records(&ToMachine::Open { statement: None });
    recorded.extend(session.records(&ToMachine::Ask {
        id: 1,
        body: list(&scene),
    }));
    // All that the controller sent, again: the machine replies to the handshake, which anyone may record, and then finds
    // that nobody who holds the keys is there.
    let mut replay = scene.server.dial_machine();
    replay.send(first);
    assert!(replay.receive().is_some());
    for record in recorded {
        replay.send(record);
    }
    replay.assert_mute();
    scene.assert_untouched();
}

#[test]
fn a_machine_does_nothing_before_the_first_message_decrypts() {
    let scene = Scene::new();
    for tamper in [0, 1, 2] {
        let mut session = Session::shake(&scene, &scene.owner);
        let mut open = session.records(&ToMachine::Open { statement: None });
        let mut asks = session.records(&ToMachine::Ask {
            id: 1,
            body: list(&scene),
        });
        match tamper {
            // Altered on the way.
            0 => open[0][3] ^= 1,
            // Left out.
            1 => open.clear(),
            // In another order.
            _ => std::mem::swap(&mut open, &mut asks),
        }
        for record in open.into_iter().chain(asks) {
            session.line.send(record);
        }
        session.line.assert_mute();
    }
    scene.assert_untouched();
}

#[test]
fn an_ask_altered_by_the_relay_opens_no_file() {
    let scene = Scene::new();
    let mut session = Session::open(&scene, &scene.owner);
    let mut asks = session.records(&ToMachine::Ask {
        id: 1,
        body: list(&scene),
    });
    asks[0][5] ^= 1;
    session.line.send(asks.remove(0));
    session.line.assert_mute();
    scene.assert_untouched();
}

#[test]
fn an_order_in_a_session_is_checked_as_any_other() {
    let scene = Scene::new();
    let stranger = Account::new(66).controller(67);
    let mut session = Session::open(&scene, &scene.owner);
    let forged = stranger.sign(&scene.order(&scene.owner, SECRET));
    session.say(&ToMachine::Ask {
        id: 1,
        body: Ask::Order(Box::new(forged)),
    });
    let answer = session.hear();
    assert!(
        matches!(answer, Some(FromMachine::Reply { id: 1, result: Err(_) })),
        "{answer:?}"
    );
    scene.assert_untouched();
}
