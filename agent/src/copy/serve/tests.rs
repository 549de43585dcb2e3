//! What another machine may read here, and what not.
#![allow(clippy::disallowed_methods, reason = "a test makes the files that are read")]

use std::fs;

use beckon_shared::{
    browse::Ask,
    certificate::Role,
    entry::SourceStamp,
    id::RootId,
    keys::DeviceKeys,
    order::{Extent, Order, Selection, UploadOrder},
    path::Label,
};

use super::*;
use crate::{
    agent::tests::{ROOT, Scene},
    identity::Identity,
    orders::tests::certify,
    session::Session,
};

const LETTER: &[u8] = b"dear reader";

struct Guests {
    scene: Scene,
    me: Identity,
}

impl Guests {
    fn new() -> Self {
        let scene = Scene::alone();
        let files = scene.folder.path().join("files");
        fs::create_dir(files.join("shared")).unwrap();
        fs::write(files.join("shared/letter"), LETTER).unwrap();
        fs::create_dir(files.join(".beckon")).unwrap();
        fs::write(files.join(".beckon/old"), LETTER).unwrap();
        let keys = DeviceKeys::from_bytes(&[77; 64]);
        let chain = certify(&scene.family.account, &keys, Role::Copy, None);
        let me = Identity {
            keys,
            chain,
            account_key: scene.family.account.public(),
        };
        Self { scene, me }
    }

    /// A controller's order for `me` to follow what is below a path of the machine's root.
    fn order(&self, path: &str) -> Order {
        let order = self.scene.family.order_for(ROOT);
        let follow = FollowOrder {
            root: RootId([9; 16]),
            root_name: Label::new("Copies").unwrap(),
            path: RootPath::root(),
            space: order.body.space(),
            from: beckon_shared::order::Followed {
                device: self.scene.agent.device(),
                root: ROOT,
                path: RootPath::new(path).unwrap(),
            },
            extent: Extent::Kept,
        };
        Order {
            target: self.me.device(),
            body: OrderBody::Follow(follow),
            ..order
        }
    }

    fn ask(&self, transfer: TransferId, path: &str) -> Ask {
        let path = RootPath::new(path).unwrap();
        let stamp = self
            .scene
            .agent
            .root(&ROOT)
            .unwrap()
            .parent(&path)
            .ok()
            .and_then(|(folder, name)| {
                let entry = folder.stat(&name).ok()?;
                // When a file gets another name, only the time of change changes.
                Some(SourceStamp {
                    ctime_ns: 1,
                    ..entry.stamp
                })
            });
        Ask::Piece {
            transfer,
            path,
            manifest: Hash([0; 32]),
            stamp: stamp.unwrap_or(SourceStamp {
                size: LETTER.len() as u64,
                mtime_ns: 0,
                ctime_ns: 0,
                file_id: 0,
            }),
            offset: 5,
            len: 100,
        }
    }

    async fn show(&self, session: &Session, signed: SignedOrder) -> Result<Answer, ErrorCode> {
        let shown = session.ask(Ask::Present(Box::new(signed))).await;
        shown.map_err(|refusal| refusal.code)
    }

    async fn read(&self, session: &Session, transfer: TransferId, path: &str) -> Result<Vec<u8>, ErrorCode> {
        match session.ask(self.ask(transfer, path)).await {
            Ok(Answer::Fetched { bytes, .. }) => Ok(bytes),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }
}

#[tokio::test]
async fn who_shows_an_order_reads_what_it_names_and_nothing_else() {
    let guests = Guests::new();
    let session = guests.scene.open_as(&guests.me).await;
    let order = guests.order("shared");
    let refused = Err(ErrorCode::NotAllowed);
    assert_eq!(
        guests.read(&session, order.id, "shared/letter").await,
        refused,
        "nothing was shown"
    );
    let shown = guests.show(&session, guests.scene.family.sign(&order)).await;
    assert_eq!(shown, Ok(Answer::Done));
    assert_eq!(
        guests.read(&session, order.id, "shared/letter").await,
        Ok(b"reader".to_vec())
    );
    for path in ["letter", "shared/../letter", "sharedx"] {
        if RootPath::new(path).is_ok() {
            assert_eq!(guests.read(&session, order.id, path).await, refused, "{path}");
        }
    }
    fs::write(guests.scene.folder.path().join("files/shared/letter"), b"other reader").unwrap();
    let ask = Ask::Piece {
        transfer: order.id,
        path: RootPath::new("shared/letter").unwrap(),
        manifest: Hash([0; 32]),
        stamp: SourceStamp {
            size: 11,
            mtime_ns: 5,
            ctime_ns: 5,
            file_id: 5,
        },
        offset: 0,
        len: 5,
    };
    assert_eq!(
        session.ask(ask).await.map_err(|refusal| refusal.code),
        Err(ErrorCode::Changing),
        "in another state"
    );
    let another = guests.scene.open_as(&guests.me).await;
    assert_eq!(
        guests.read(&another, order.id, "shared/letter").await,
        refused,
        "another session"
    );
}

#[tokio::test]
async fn the_trash_of_a_root_is_read_by_nobody() {
    let guests = Guests::new();
    let session = guests.scene.open_as(&guests.me).await;
    let order = guests.order("");
    guests.show(&session, guests.scene.family.sign(&order)).await.unwrap();
    assert!(guests.read(&session, order.id, "letter").await.is_ok());
    assert_eq!(
        guests.read(&session, order.id, ".beckon/old").await,
        Err(ErrorCode::NotAllowed)
    );
}

#[tokio::test]
async fn an_order_that_is_not_for_the_one_who_shows_it_opens_nothing() {
    let guests = Guests::new();
    let session = guests.scene.open_as(&guests.me).await;
    let honest = guests.order("shared");
    let sign = |order: &Order| guests.scene.family.sign(order);
    let bent = |change: &dyn Fn(&mut Order)| {
        let mut order = honest.clone();
        change(&mut order);
        sign(&order)
    };
    let mut forged = sign(&honest);
    forged.order.signature[0] ^= 1;
    let mut by_machine = sign(&honest);
    by_machine.signer = guests.me.chain.clone();
    let upload = OrderBody::Upload(UploadOrder {
        root: ROOT,
        root_name: Label::new("Documents").unwrap(),
        space: honest.body.space(),
        selection: Selection::Inline(vec![RootPath::root()]),
    });
    let elsewhere = |order: &mut Order| {
        if let OrderBody::Follow(follow) = &mut order.body {
            follow.from.device = DeviceId([3; 32]);
        }
    };
    for (what, order, code) in [
        ("forged", forged, ErrorCode::BadOrder),
        ("by no controller", by_machine, ErrorCode::BadOrder),
        (
            "for another machine",
            bent(&|order| order.target = DeviceId([1; 32])),
            ErrorCode::BadOrder,
        ),
        (
            "an upload",
            bent(&|order| order.body = upload.clone()),
            ErrorCode::BadOrder,
        ),
        ("of another origin", bent(&elsewhere), ErrorCode::NotFound),
    ] {
        assert_eq!(guests.show(&session, order).await, Err(code), "{what}");
        assert_eq!(
            guests.read(&session, honest.id, "shared/letter").await,
            Err(ErrorCode::NotAllowed),
            "{what}"
        );
    }
}

#[tokio::test]
async fn when_the_signer_is_revoked_the_order_opens_nothing_any_more() {
    let guests = Guests::new();
    let session = guests.scene.open_as(&guests.me).await;
    let order = guests.order("shared");
    guests.show(&session, guests.scene.family.sign(&order)).await.unwrap();
    assert!(guests.read(&session, order.id, "shared/letter").await.is_ok());
    let statement = guests.scene.revocation_of(order.signer);
    guests.scene.agent.take_statement(&statement).unwrap();
    assert_eq!(
        guests.read(&session, order.id, "shared/letter").await,
        Err(ErrorCode::NotAllowed)
    );
    assert!(guests.show(&session, guests.scene.family.sign(&order)).await.is_err());
}
