//! Tickets that count no more, and those of other accounts: they read and store nothing.

use beckon_shared::{api::transfer::Act, order::FollowOrder};

use super::{
    super::{admin::invited, steer::steer},
    *,
};

impl Scene {
    /// Every request of both tickets, each with the status of its answer; what they ask is malformed, but for what reads.
    async fn statuses(&self) -> Vec<StatusCode> {
        let mut statuses = self.copy.reading().await;
        for verb in ["have", "chunks", "commit", "outline", "parts"] {
            statuses.push(self.laptop.post(verb, vec![0xff; 9]).await.status());
        }
        statuses
    }
}

fn expected(reading: StatusCode, storing: StatusCode) -> Vec<StatusCode> {
    [vec![reading; 3], vec![storing; 5]].concat()
}

#[tokio::test]
async fn a_ticket_opens_nothing_once_it_has_lapsed_or_its_transfer_is_over() {
    let scene = Scene::new().await;
    let (ok, bad, none) = (StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.statuses().await, expected(ok, bad));
    let beside = scene.server.beside().await;
    beside.meta().run("UPDATE ticket SET expires = expires - 600000").await;
    assert_eq!(scene.statuses().await, expected(none, none));
    beside.meta().run("UPDATE ticket SET expires = expires + 600000").await;
    assert_eq!(scene.statuses().await, expected(ok, bad));
    steer(&scene.ann, scene.copy.transfer, Act::Cancel).await;
    assert_eq!(scene.statuses().await, expected(none, bad));
    steer(&scene.ann, scene.laptop.transfer, Act::Cancel).await;
    assert_eq!(scene.statuses().await, expected(none, none));
    scene.server.stop().await;
}

#[tokio::test]
async fn nobody_copies_what_another_account_stores() {
    let mut scene = Scene::new().await;
    let content = noise(1, 100_000);
    scene.upload("file", &content).await;
    let wanted = scene.ids(&content);
    let bob = invited(&scene.ann, "bob", false).await;
    let (mut controller, _) = Control::open(&scene.server.url, &bob.device).await;
    let own = Upload::begin(&scene.server, &bob).await;
    let device = bob.add_machine("copier").await;
    let mut machine = open_writable(&scene.server.url, &device).await;
    // Neither a device nor a space of ann's is there for him.
    let OrderBody::Follow(hers) = follow(&bob, scene.laptop.device.id()) else {
        panic!("a follow")
    };
    let space = scene.ann.space();
    let in_her_space = FollowOrder { space, ..hers.clone() };
    for body in [hers, in_her_space] {
        let order = Box::new(signed(&bob, device.id(), OrderBody::Follow(body)));
        let placed = controller
            .ask(Request::PlaceOrder {
                order,
                what: String::new(),
            })
            .await;
        let code = placed.unwrap_err().code;
        assert!(matches!(code, ErrorCode::NotFound | ErrorCode::BadOrder), "{code:?}");
    }
    // The ids of her chunks and manifests help him nowhere, and her transfer is not there.
    let order = signed(&bob, device.id(), follow(&bob, own.device.id()));
    let copy = begin_copy(&scene.server, &mut controller, &mut machine, &order).await;
    assert!(copy.read(&wanted, &wanted).await.is_empty());
    let manifest = Hash::of(&wire::encode(&file(&scene.laptop.grant.chunk_key, &content)));
    assert_eq!(copy.manifests(&[manifest]).await, [Vec::<u8>::new()]);
    let transfer = scene.copy.transfer;
    for asked in [
        Request::BeginTransfer { transfer },
        Request::Holders { transfer },
        Request::IsOpen { transfer },
    ] {
        assert_eq!(machine.ask(asked).await.unwrap_err().code, ErrorCode::NotFound);
    }
    let hers = Ticket { transfer, ..copy };
    assert_eq!(hers.reading().await, [StatusCode::NOT_FOUND; 3]);
    scene.server.stop().await;
}
