//! What the evil server tells a controller: the command line believes nothing that the account did not sign.

use std::{path::PathBuf, thread};

use beckon_shared::{
    api::{Bytes, Packed, account::Proved},
    certificate::{Chain, DeviceCertificate, Role},
    device::DeviceView,
    keys::DeviceKeys,
    password::{self, KdfParams, WrapKind, WrappedKey},
    session::{Expected, Initiator, Me, Responder},
    signature::Signed,
    statement::Standing,
};
use beckon_tests::{Cli, Output};

use super::{
    account::{Account, Device, device_keys, now},
    line::Line,
    scene::Scene,
    server::Relay,
    session::{first_message, position},
};

const PASSWORD: &str = "correct horse battery staple";
const PROVE: &str = "POST /api/sign-in";
const FINISH: &str = "POST /api/sign-in/finish";
/// Opens what the controller lists.
const LISTED: &str = "witness.txt";

/// Ann's terminal.
struct Terminal {
    scene: Scene,
    cli: Cli,
    password: PathBuf,
}

impl Terminal {
    /// Not signed in; the server knows the password and tells the truth.
    #[track_caller]
    fn new() -> Self {
        let scene = Scene::new();
        let proved = proved(&scene);
        scene.server.lie(|lies| lies.proved = Some(proved));
        let cli = Cli::new();
        let password = cli.secret_file("password", &format!("{PASSWORD}\n"));
        Self { scene, cli, password }
    }

    #[track_caller]
    fn signed_in() -> Self {
        let terminal = Self::new();
        terminal.login().expect_ok();
        terminal
    }

    #[track_caller]
    fn login(&self) -> Output {
        let password = self.password.to_str().unwrap();
        self.cli.run([
            "login",
            self.scene.server.url(),
            "--name",
            "ann",
            "--password-file",
            password,
        ])
    }

    #[track_caller]
    fn list(&self) -> Output {
        list(&self.cli)
    }

    /// Puts another row in the place of the machine's.
    fn lie_about_desk(&self, change: impl FnOnce(&mut DeviceView)) {
        let mut row = self.scene.row();
        change(&mut row);
        self.scene.server.lie(|lies| lies.devices = vec![row]);
    }

    fn told(&self, request: &str) -> usize {
        self.scene
            .server
            .seen(|seen| seen.http.iter().filter(|told| *told == request).count())
    }

    /// Panics unless the command failed for a reason that it told.
    #[track_caller]
    fn assert_failed(&self, what: &str, output: &Output) {
        assert!(matches!(output.code(), 1 | 3 | 4), "{what}: {output}");
        assert!(!output.stderr().trim().is_empty(), "{what}: {output}");
        assert!(!output.stdout().contains(LISTED), "{what}: {output}");
    }
}

#[track_caller]
fn list(cli: &Cli) -> Output {
    cli.run(["ls", "desk:Documents"])
}

fn proved(scene: &Scene) -> Proved {
    let secrets = password::derive(PASSWORD, &[6; 16], &KdfParams::STANDARD).unwrap();
    let wrapped = secrets
        .kek
        .wrap(scene.ann.key(), WrapKind::Password, 1, [7; 24])
        .unwrap();
    Proved {
        account: scene.ann.id(),
        account_key: Packed(scene.ann.public()),
        wrapped: Packed(wrapped),
        statement: None,
        epoch: 0,
        ticket: Bytes([8; 32]),
    }
}

#[test]
fn weak_or_ruinous_costs_of_the_password_are_refused_before_it_is_proved() {
    let terminal = Terminal::new();
    let honest = KdfParams::STANDARD;
    for params in [
        KdfParams {
            memory_kib: 63 * 1024,
            ..honest
        },
        KdfParams {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        },
        KdfParams { passes: 2, ..honest },
        KdfParams {
            memory_kib: 0,
            passes: 0,
            lanes: 0,
        },
        KdfParams { lanes: 64, ..honest },
        KdfParams {
            memory_kib: u32::MAX,
            ..honest
        },
        KdfParams {
            passes: u32::MAX,
            ..honest
        },
    ] {
        terminal.scene.server.lie(|lies| lies.sign_in.params = params);
        terminal.assert_failed(&format!("{params:?}"), &terminal.login());
    }
    assert_eq!(terminal.told("POST /api/sign-in/start"), 7);
    assert_eq!(
        terminal.told(PROVE),
        0,
        "nothing that follows from the password was sent"
    );
    terminal.scene.server.lie(|lies| lies.sign_in.params = honest);
    terminal.login().expect_ok();
    terminal.scene.server.lie(|lies| lies.sign_in.params.passes = 1);
    let password = terminal.password.to_str().unwrap();
    let output = terminal.cli.run(["join-code", "--password-file", password]);
    terminal.assert_failed("later, for a join code", &output);
    assert_eq!(terminal.told(PROVE), 1, "only the honest sign-in");
}

/// Makes a lie of an answer, with another account and its wrapped key.
type Lie = fn(&mut Proved, &Account, WrappedKey);

#[test]
fn a_server_cannot_put_another_account_in_the_place_of_ones_own() {
    let terminal = Terminal::new();
    let stranger = Account::new(66);
    let secrets = password::derive("another password", &[6; 16], &KdfParams::STANDARD).unwrap();
    let theirs = secrets
        .kek
        .wrap(stranger.key(), WrapKind::Password, 1, [7; 24])
        .unwrap();
    let lies: [(&str, Lie); 4] = [
        ("another key", |proved, stranger, _| {
            proved.account_key = Packed(stranger.public())
        }),
        ("another id", |proved, stranger, _| proved.account = stranger.id()),
        ("another account", |proved, stranger, _| {
            proved.account_key = Packed(stranger.public());
            proved.account = stranger.id();
        }),
        ("another account with its key", |proved, stranger, theirs| {
            proved.account_key = Packed(stranger.public());
            proved.account = stranger.id();
            proved.wrapped = Packed(theirs);
        }),
    ];
    for (what, lie) in lies {
        let mut answer = proved(&terminal.scene);
        lie(&mut answer, &stranger, theirs.clone());
        terminal.scene.server.lie(|lies| lies.proved = Some(answer));
        terminal.assert_failed(what, &terminal.login());
    }
    assert_eq!(terminal.told(FINISH), 0, "no certificate was signed");
    terminal.scene.assert_untouched();
}

#[test]
fn an_honest_list_shows_the_folder() {
    let terminal = Terminal::signed_in();
    let output = terminal.list().expect_ok();
    assert!(output.stdout().contains(LISTED), "{output}");
    assert!(
        !terminal.scene.opens.take().is_empty(),
        "the machine opened the root, and that is seen"
    );
}

#[test]
fn a_swapped_machine_certificate_is_refused_and_nothing_is_asked() {
    let terminal = Terminal::signed_in();
    let scene = &terminal.scene;
    let stranger = Account::new(66);
    let evil = device_keys(67);
    let machine = |keys: &DeviceKeys| DeviceCertificate {
        keys: keys.public(),
        ..scene.auth().chain.device.peek().unwrap()
    };
    let foreign = Chain::by_account(&machine(&evil), stranger.key());
    let own_word = Chain {
        device: Signed::sign(&machine(&evil), evil.signing()),
        enrolment: None,
    };
    let mut swapped = scene.auth().chain;
    let at = position(&swapped.device.bytes, &scene.keys().session);
    swapped.device.bytes[at..at + 32].copy_from_slice(&evil.public().session);
    let mixed = swapped.device.peek().unwrap().keys.id();
    let other = scene.ann.controller(41);
    let honest = scene.desk();
    for (what, id, certificate) in [
        ("another account's machine", evil.id(), foreign.clone()),
        (
            "another account's machine under the name and id of this one",
            honest,
            foreign,
        ),
        ("certified by itself", evil.id(), own_word),
        ("with another X25519 key", honest, swapped.clone()),
        ("with another X25519 key and id", mixed, swapped),
        ("another device of the account under this one's id", honest, other.chain),
    ] {
        terminal.lie_about_desk(|row| (row.id, row.certificate) = (id, certificate));
        scene.server.lie(|lies| lies.relay = Relay::ToServer);
        terminal.assert_failed(what, &terminal.list());
        // Whether it dials at all is left to it; what counts is that it says nothing there.
        scene.server.taken_lines().iter_mut().for_each(Line::assert_mute);
    }
    scene.assert_untouched();
}

#[test]
fn a_revoked_machine_is_refused_even_if_the_server_forgets_that_it_was() {
    let terminal = Terminal::signed_in();
    let scene = &terminal.scene;
    let statement = scene.ann.revocation(1, &[scene.desk()]);
    scene.server.lie(|lies| lies.statement = Some(statement));
    terminal.assert_failed("with the statement", &terminal.list());
    scene.server.lie(|lies| lies.statement = None);
    terminal.assert_failed("and without it", &terminal.list());
    let older = scene.ann.revocation(0, &[]);
    scene.server.lie(|lies| lies.statement = Some(older));
    terminal.assert_failed("and with an older one", &terminal.list());
    scene.assert_untouched();
}

#[test]
fn a_server_that_welcomes_to_another_account_is_left() {
    let terminal = Terminal::signed_in();
    let scene = &terminal.scene;
    let asked = scene.server.seen(|seen| seen.requests.len());
    scene.server.lie(|lies| lies.account_key = Account::new(66).public());
    terminal.assert_failed("another account key", &terminal.list());
    assert_eq!(
        scene.server.seen(|seen| seen.requests.len()),
        asked,
        "nothing was asked"
    );
    let ann = scene.ann.public();
    scene.server.lie(|lies| lies.account_key = ann);
    scene.assert_untouched();
}

#[test]
fn a_relay_that_answers_in_the_machines_place_learns_nothing() {
    let terminal = Terminal::signed_in();
    let scene = &terminal.scene;
    let recorded = recorded_reply(scene);
    scene.server.lie(|lies| lies.relay = Relay::ToServer);
    let evil = device_keys(67);
    for (what, reply) in [
        ("the controller's own message", None),
        ("a reply that the machine gave before", Some(recorded.clone())),
        ("random bytes", Some(vec![7; recorded.len()])),
        ("nothing at all", Some(Vec::new())),
        ("a reply of other keys", Some(reply_of(scene, &evil))),
        ("a flood", Some(vec![7; 1 << 20])),
    ] {
        let output = thread::scope(|threads| {
            let cli = &terminal.cli;
            let listing = threads.spawn(move || list(cli));
            let mut line = scene.server.taken_line();
            let first = line.receive().expect("a controller speaks first");
            line.send(reply.unwrap_or(first));
            line.assert_mute();
            listing.join().unwrap()
        });
        terminal.assert_failed(what, &output);
    }
    scene.assert_untouched();
}

/// What the machine replied to another handshake.
fn recorded_reply(scene: &Scene) -> Vec<u8> {
    let mut line = scene.server.dial_machine();
    line.send(first_message(scene, &scene.owner));
    line.receive().unwrap()
}

/// A reply that is right in itself, but of a responder with keys of its own under the machine's certificate.
fn reply_of(scene: &Scene, evil: &DeviceKeys) -> Vec<u8> {
    let owner: &Device = &scene.owner;
    let chain = scene.auth().chain;
    let (account, key) = (scene.ann.id(), scene.ann.public());
    let me = Me {
        keys: evil,
        chain: &chain,
        account,
        statement: 0,
    };
    let expected = Expected {
        account_key: &key,
        standing: &Standing::default(),
        roles: &[Role::Controller],
        now: now(),
    };
    let from = Me {
        keys: &owner.keys,
        chain: &owner.chain,
        account,
        statement: 0,
    };
    let (_, first) = Initiator::new(&from, account, &evil.public()).unwrap();
    Responder::new(me, expected).accept(&first).unwrap().0
}

#[test]
fn a_session_altered_on_the_way_shows_nothing() {
    let terminal = Terminal::signed_in();
    let scene = &terminal.scene;
    scene.server.lie(|lies| lies.relay = Relay::ToServer);
    // The handshake's reply, the answer to the first message, the first answer to an ask.
    for altered in 0..3 {
        let output = thread::scope(|threads| {
            let cli = &terminal.cli;
            let listing = threads.spawn(move || list(cli));
            let mut controller = scene.server.taken_line();
            let mut machine = scene.server.dial_machine();
            for turn in 0.. {
                let Some(from_controller) = controller.receive() else {
                    break;
                };
                machine.send(from_controller);
                let Some(mut from_machine) = machine.receive() else {
                    break;
                };
                if turn == altered {
                    let middle = from_machine.len() / 2;
                    from_machine[middle] ^= 1;
                }
                controller.send(from_machine);
            }
            drop((controller, machine));
            listing.join().unwrap()
        });
        terminal.assert_failed("altered", &output);
    }
}

#[test]
fn certificates_are_made_for_the_epoch_that_the_account_signed() {
    let terminal = Terminal::new();
    let mut answer = proved(&terminal.scene);
    // A certificate of an epoch that will never come could not be ended by raising the epoch.
    answer.epoch = u32::MAX;
    terminal.scene.server.lie(|lies| lies.proved = Some(answer));
    terminal.login().expect_ok();
    let finish = terminal.scene.server.seen(|seen| seen.finishes[0].clone());
    let certificate = finish.device.certificate.0.device;
    assert_eq!(certificate.peek().unwrap().epoch, 0);
    let password = terminal.password.to_str().unwrap();
    let code = terminal.cli.run(["join-code", "--password-file", password]);
    code.expect_ok();
    let code = terminal.scene.server.seen(|seen| seen.join_codes[0].clone());
    assert_eq!(code.offer.0.enrolment.peek().unwrap().epoch, 0);
}
