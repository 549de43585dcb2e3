//! Orders that nobody gave, or that were given to somebody else.

use std::time::Duration;

use beckon_shared::{
    certificate::{Chain, EnrolmentCertificate, Role, SUITE},
    device::DeviceKind,
    id::{Hash, RootId},
    join::JoinCode,
    order::{LONGEST_WAIT, Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::RootPath,
    signature::{PublicKey, Signed},
    statement::{Revocation, Statement},
    wire::{self, FromServer},
};

use super::{
    account::{Account, DAY, Device, EPOCH, HOUR, device_keys, now},
    scene::{DIARY, SECRET, Scene},
};

#[test]
fn an_order_that_no_controller_of_the_account_signed_opens_no_file() {
    let scene = Scene::new();
    let stranger = Account::new(66);
    let foreign = stranger.controller(67);
    let posing = stranger.device(67, |certificate| certificate.account = scene.ann.id());
    let elsewhere = scene.ann.device(68, |certificate| certificate.account = stranger.id());
    let own_word = Device {
        chain: Chain {
            device: Signed::sign(&scene.ann.certificate(&device_keys(67)), device_keys(67).signing()),
            enrolment: None,
        },
        keys: device_keys(67),
    };
    let borrowed = Device {
        keys: device_keys(67),
        chain: scene.owner.chain.clone(),
    };
    let by = |signer: &Device| signer.sign(&scene.order(signer, SECRET));
    scene.refuse(&[
        ("of a foreign account", by(&foreign)),
        ("of a foreign account, certified for this one", by(&posing)),
        ("of this account, certified for a foreign one", by(&elsewhere)),
        ("certified by itself", by(&own_word)),
        ("with the certificate of another device", by(&borrowed)),
        (
            "with the certificate and in the name of another device",
            borrowed.sign(&scene.order(&scene.owner, SECRET)),
        ),
        (
            "in the name of another device",
            foreign.sign(&scene.order(&scene.owner, SECRET)),
        ),
        ("of an account that names itself", by_account_of(&scene, &foreign)),
    ]);
}

/// An order in which both accounts are the signer's own.
fn by_account_of(scene: &Scene, foreign: &Device) -> SignedOrder {
    let account = foreign.chain.peek().unwrap().account;
    foreign.sign(&Order {
        signer_account: account,
        target_account: account,
        ..scene.order(foreign, SECRET)
    })
}

#[test]
fn an_order_of_a_device_that_is_no_controller_opens_no_file() {
    let scene = Scene::new();
    let mut orders = Vec::new();
    for role in [Role::Source, Role::Copy] {
        let device = scene.ann.device(21, |certificate| certificate.role = role);
        orders.push((
            "of a device that the account made no controller",
            device.sign(&scene.order(&device, SECRET)),
        ));
    }
    for (role, allowed, what) in [
        (Role::Source, Role::Source, "of a machine that joined by a code"),
        (
            Role::Controller,
            Role::Source,
            "of a machine that a join code made a controller",
        ),
        (
            Role::Controller,
            Role::Controller,
            "by a join code that allows controllers",
        ),
    ] {
        let device = joined(&scene.ann, role, allowed);
        orders.push((what, device.sign(&scene.order(&device, SECRET))));
    }
    scene.refuse(&orders);
}

/// A device that holds a join code's key and certifies itself as `role`, the code allowing `allowed`.
fn joined(ann: &Account, role: Role, allowed: Role) -> Device {
    let keys = device_keys(22);
    let key = JoinCode::new([23; 16]).enrolment_key();
    let enrolment = EnrolmentCertificate {
        suite: SUITE,
        account: ann.id(),
        key: PublicKey::from(&key),
        role: allowed,
        issued: now().before(3 * HOUR),
        not_after: now() + HOUR,
        uses: 1,
        epoch: EPOCH,
    };
    let mut certificate = ann.certificate(&keys);
    (certificate.role, certificate.kind) = (role, DeviceKind::Agent);
    let enrolment = Signed::sign(&enrolment, ann.key().signing());
    Device {
        chain: Chain::by_enrolment(&certificate, enrolment, &key),
        keys,
    }
}

#[test]
fn an_order_whose_signer_was_no_controller_when_it_signed_opens_no_file() {
    let scene = Scene::new();
    let expired = scene.ann.device(31, |certificate| {
        certificate.issued = now().before(40 * DAY);
        certificate.not_after = Some(now().before(10 * DAY));
    });
    let later = scene.ann.device(32, |certificate| certificate.issued = now());
    let backdated = Order {
        issued: now().before(5 * HOUR),
        ..scene.order(&later, SECRET)
    };
    scene.refuse(&[
        ("of an expired controller", expired.sign(&scene.order(&expired, SECRET))),
        ("from before the signer was certified", later.sign(&backdated)),
    ]);
}

#[test]
fn an_order_of_a_past_epoch_opens_no_file() {
    let scene = Scene::new();
    let old = scene.ann.device(34, |certificate| certificate.epoch = EPOCH - 1);
    let raise = Revocation {
        account: scene.ann.id(),
        number: 1,
        at: now(),
        revoked: Vec::new(),
        lowest_epoch: EPOCH,
    };
    let raise = scene.ann.state(&Statement::Revocation(raise));
    scene.server.push(&FromServer::Statement(Box::new(raise)));
    scene.refuse(&[("of a past epoch", old.sign(&scene.order(&old, SECRET)))]);
}

#[test]
fn an_order_altered_anywhere_opens_no_file() {
    let scene = Scene::new();
    let mut orders = Vec::new();
    let len = scene.owner.sign(&scene.order(&scene.owner, SECRET)).order.bytes.len();
    // Suite, signer, both accounts, machine, id, times, and every byte of what is to be done.
    for at in [0, 1, 33, 65, 97, 129, 145, 150].into_iter().chain(len - 34..len) {
        let mut order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
        order.order.bytes[at] ^= 1;
        orders.push(order);
    }
    for at in [0, 31, 32, 63] {
        let mut order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
        order.order.signature[at] ^= 0x80;
        orders.push(order);
    }
    for cut in [0, 1, 63] {
        let mut order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
        order.order.signature.truncate(cut);
        orders.push(order);
    }
    for at in [0, 1, 40, 70, 100] {
        let mut order = scene.owner.sign(&scene.order(&scene.owner, SECRET));
        order.signer.device.bytes[at] ^= 1;
        orders.push(order);
    }
    for order in &orders {
        scene.push(order);
    }
    scene.assert_untouched();
}

#[test]
fn a_narrow_order_is_not_made_a_wide_one() {
    let scene = Scene::new();
    let narrow = scene.order(&scene.owner, DIARY);
    let signed = scene.owner.sign(&narrow);
    let mut wide = narrow;
    for selection in [vec![RootPath::root()], vec![RootPath::new(SECRET).unwrap()]] {
        let OrderBody::Upload(upload) = &mut wide.body else {
            unreachable!("an upload");
        };
        upload.selection = Selection::Inline(selection);
        let mut order = signed.clone();
        order.order.bytes = wire::encode(&wide);
        scene.push(&order);
    }
    scene.assert_untouched();
}

#[test]
fn a_selection_that_travels_beside_its_order_is_not_swapped() {
    let scene = Scene::new();
    let paths = |first: &str| {
        let many = (0..400).map(|n| RootPath::new(format!("not there/{n}")).unwrap());
        std::iter::once(RootPath::new(first).unwrap())
            .chain(many)
            .collect::<Vec<_>>()
    };
    let (selection, _) = Selection::of(paths("not there either"));
    assert!(matches!(selection, Selection::Detached(_)));
    let (_, swapped) = Selection::of(paths(SECRET));
    let mut order = scene.order(&scene.owner, "");
    let OrderBody::Upload(upload) = &mut order.body else {
        unreachable!("an upload");
    };
    upload.selection = selection;
    scene.server.lie(|lies| lies.selection = swapped.unwrap());
    scene.allow(order.id);
    scene.push(&scene.owner.sign(&order));
    scene.end_of(order.id);
    scene.assert_untouched();
}

#[test]
fn an_order_for_another_machine_or_account_opens_no_file() {
    let scene = Scene::new();
    let (other, stranger) = (scene.ann.controller(41), Account::new(66));
    let order = || scene.order(&scene.owner, SECRET);
    let body = |root, selection| match order().body {
        OrderBody::Upload(upload) => OrderBody::Upload(UploadOrder {
            root,
            selection,
            ..upload
        }),
        other => other,
    };
    let secret = Selection::Inline(vec![RootPath::new(SECRET).unwrap()]);
    let sign = |order: Order| scene.owner.sign(&order);
    scene.refuse(&[
        (
            "for another machine",
            sign(Order {
                target: other.id(),
                ..order()
            }),
        ),
        (
            "for another account's machine",
            sign(Order {
                target_account: stranger.id(),
                ..order()
            }),
        ),
        (
            "of another account",
            sign(Order {
                signer_account: stranger.id(),
                ..order()
            }),
        ),
        (
            "between two other accounts",
            sign(Order {
                signer_account: stranger.id(),
                target_account: stranger.id(),
                ..order()
            }),
        ),
        (
            "by another controller",
            sign(Order {
                signer: other.id(),
                ..order()
            }),
        ),
        ("of an unknown suite", sign(Order { suite: 1, ..order() })),
    ]);
    let elsewhere = sign(Order {
        body: body(RootId([7; 16]), secret),
        ..order()
    });
    scene.push(&elsewhere);
    scene.end_of(elsewhere.order.peek().unwrap().id);
    let nothing = sign(Order {
        body: body(scene.root(), Selection::Detached(Hash([0; 32]))),
        ..order()
    });
    let id = nothing.order.peek().unwrap().id;
    scene.allow(id);
    scene.push(&nothing);
    scene.end_of(id);
    scene.assert_untouched();
}

#[test]
fn an_order_out_of_its_time_opens_no_file() {
    let scene = Scene::new();
    let minute = Duration::from_secs(60);
    let at = |issued, expires| {
        scene.owner.sign(&Order {
            issued,
            expires,
            ..scene.order(&scene.owner, SECRET)
        })
    };
    scene.refuse(&[
        ("expired", at(now().before(HOUR), now().before(11 * minute))),
        ("of the future", at(now() + 11 * minute, now() + HOUR)),
        ("too long", at(now(), now() + LONGEST_WAIT + minute)),
        ("that ends before it begins", at(now(), now().before(HOUR))),
    ]);
}

/// The server's control list ties names to roots; what the owner signed must not depend on its word.
#[test]
fn an_order_for_a_root_under_another_name_opens_no_file() {
    let scene = Scene::new();
    let mut order = scene.order(&scene.owner, SECRET);
    let OrderBody::Upload(upload) = &mut order.body else {
        unreachable!("an upload");
    };
    upload.root_name = beckon_shared::path::Label::new("Public").unwrap();
    scene.allow(order.id);
    scene.push(&scene.owner.sign(&order));
    scene.end_of(order.id);
    scene.assert_untouched();
}
