//! Copies of what other devices stored: who may order them, what their machines are told, and who holds the same.

use beckon_shared::{
    api::transfer::TransferDetail,
    bulk::CommitReply,
    commit::ChainHead,
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId, TransferId},
    order::{Extent, FollowOrder, Followed, OrderBody, SignedOrder},
    path::{Label, RootPath},
    transfer::{Hold, Task, TransferState, TransferView},
    wire::{self, FromServer, Holder, Reply, Request, ToServer},
};

use super::{
    admin::invited,
    bulk::Upload,
    bulk_read::{follow, open_writable, signed},
    client::{Control, ROOT},
    person::{Device, Person},
    server::TestServer,
    transfer::place,
};

/// A machine that uploads, one that is to copy that, and a terminal.
struct Scene {
    server: TestServer,
    ann: Person,
    laptop: Upload,
    device: Device,
    controller: Control,
    machine: Control,
}

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let laptop = Upload::begin(&server, &ann).await;
        let device = ann.add_machine("copier").await;
        let machine = open_writable(&server.url, &device).await;
        let (controller, _) = Control::open(&server.url, &ann.device).await;
        Self {
            server,
            ann,
            laptop,
            device,
            controller,
            machine,
        }
    }

    fn order(&self) -> SignedOrder {
        signed(&self.ann, self.device.id(), follow(&self.ann, self.laptop.device.id()))
    }

    fn order_but(&self, change: impl FnOnce(&mut FollowOrder)) -> SignedOrder {
        let OrderBody::Follow(mut body) = follow(&self.ann, self.laptop.device.id()) else {
            panic!("a follow")
        };
        change(&mut body);
        signed(&self.ann, self.device.id(), OrderBody::Follow(body))
    }

    async fn place(&mut self, order: &SignedOrder) -> Result<TransferView, Refusal> {
        place(&mut self.controller, order).await.map(transfer)
    }

    async fn refused(&mut self, order: &SignedOrder) -> ErrorCode {
        self.place(order).await.unwrap_err().code
    }

    /// A follow that its machine has begun.
    async fn begun(&mut self) -> TransferId {
        let id = self.place(&self.order()).await.unwrap().id;
        self.machine.ask(Request::BeginTransfer { transfer: id }).await.unwrap();
        id
    }

    async fn detail(&self, id: TransferId) -> TransferDetail {
        self.ann.read(&format!("/api/transfers/{id}")).await
    }

    /// The laptop stores a file.
    async fn commit(&mut self, path: &str, content: &[u8]) {
        assert!(
            self.laptop
                .post("chunks", self.laptop.body(content))
                .await
                .status()
                .is_success()
        );
        let reply = self.laptop.post("commit", self.laptop.commit(path, content)).await;
        let CommitReply::Committed(head) = wire::decode(&reply.bytes().await.unwrap()).unwrap() else {
            panic!("committed")
        };
        self.laptop.grant.head = head;
    }
}

fn transfer(reply: Reply) -> TransferView {
    match reply {
        Reply::Transfer(view) => *view,
        other => panic!("{other:?}"),
    }
}

async fn holders(machine: &mut Control, transfer: TransferId) -> Result<Vec<Holder>, Refusal> {
    machine
        .ask(Request::Holders { transfer })
        .await
        .map(|reply| match reply {
            Reply::Holders { holders, own_address } => {
                assert_eq!(own_address, "127.0.0.1");
                holders
            }
            other => panic!("{other:?}"),
        })
}

fn devices(holders: &[Holder]) -> Vec<DeviceId> {
    holders
        .iter()
        .map(|holder| holder.certificate.peek().unwrap().device)
        .collect()
}

async fn is_open(machine: &mut Control, transfer: TransferId) -> Result<Reply, ErrorCode> {
    machine
        .ask(Request::IsOpen { transfer })
        .await
        .map_err(|refusal| refusal.code)
}

#[tokio::test]
async fn a_copy_is_a_transfer_that_says_what_is_copied_and_gets_the_keys_of_the_origin() {
    let mut scene = Scene::new().await;
    let kept = scene.place(&scene.order()).await.unwrap();
    assert_eq!((kept.task, kept.from.as_deref()), (Task::Follow, Some("laptop/home")));
    let below = scene.order_but(|body| {
        body.from.path = RootPath::new("a/b").unwrap();
        body.extent = Extent::At(ChainHead::EMPTY);
    });
    let once = scene.place(&below).await.unwrap();
    assert_eq!((once.task, once.from.as_deref()), (Task::Copy, Some("laptop/home/a/b")));
    let Ok(Reply::CopyGrant(grant)) = scene.machine.ask(Request::BeginTransfer { transfer: kept.id }).await else {
        panic!("a grant")
    };
    assert_eq!(grant.origin, Some(scene.laptop.device.chain.clone()));
    assert_eq!(grant.chunk_key.0, scene.laptop.grant.chunk_key.0);
    let detail = scene.detail(kept.id).await;
    assert_eq!(detail.transfer.state, TransferState::Running);
    assert_eq!(detail.selected, [RootPath::new("copy").unwrap()]);
    assert!(detail.node.is_some(), "where it lies in the drive");
    scene
        .machine
        .send(&ToServer::Progress {
            transfer: kept.id,
            hold: Hold::Current,
            progress: beckon_shared::transfer::Progress {
                bytes_own: 1,
                bytes_direct: 2,
                bytes_server: 3,
                conflicts: 4,
                ..Default::default()
            },
        })
        .await;
    let told = scene.controller.transfer(|row| row.hold == Hold::Current).await;
    scene
        .machine
        .ask(Request::EndTransfer {
            transfer: kept.id,
            state: TransferState::Failed,
            progress: told.progress,
            error: None,
        })
        .await
        .unwrap();
    let stored = scene.detail(kept.id).await.transfer;
    assert_eq!(
        (stored.progress, stored.from, stored.task),
        (told.progress, kept.from, Task::Follow)
    );
    assert_eq!(stored.progress.bytes_own + stored.progress.conflicts, 5);
    scene.server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_copied_or_written_is_refused_at_once() {
    let mut scene = Scene::new().await;
    let unknown_root = scene.order_but(|body| body.from.root = RootId([9; 16]));
    assert_eq!(scene.refused(&unknown_root).await, ErrorCode::BadOrder);
    let unknown_device = scene.order_but(|body| body.from.device = DeviceId([9; 32]));
    assert_eq!(scene.refused(&unknown_device).await, ErrorCode::NotFound);
    let nowhere = scene.order_but(|body| body.root = RootId([9; 16]));
    assert_eq!(scene.refused(&nowhere).await, ErrorCode::BadOrder);
    let device = scene.device.id();
    let itself = scene.order_but(|body| {
        body.from = Followed {
            device,
            root: ROOT,
            path: RootPath::root(),
        };
    });
    assert_eq!(scene.refused(&itself).await, ErrorCode::BadOrder);
    let back = scene.order_but(|body| {
        body.from = Followed {
            device,
            root: ROOT,
            path: RootPath::root(),
        };
        body.extent = Extent::At(ChainHead::EMPTY);
    });
    scene.place(&back).await.unwrap();
    let beside = scene.order_but(|body| {
        body.from = Followed {
            device,
            root: ROOT,
            path: RootPath::new("other").unwrap(),
        };
    });
    scene.place(&beside).await.unwrap();
    let (machine, _) = Control::open(&scene.server.url, &scene.device).await;
    scene.machine = machine;
    assert_eq!(
        scene.refused(&scene.order()).await,
        ErrorCode::NotAllowed,
        "its owner does not want it any more"
    );
    scene.server.stop().await;
}

#[tokio::test]
async fn what_a_terminal_put_into_files_can_be_copied_once_something_is_there() {
    let mut scene = Scene::new().await;
    let terminal = scene.ann.device.id();
    let files = RootId::of_files(&terminal);
    let from = Followed {
        device: terminal,
        root: files,
        path: RootPath::root(),
    };
    let order = scene.order_but(|body| body.from = from.clone());
    assert_eq!(scene.refused(&order).await, ErrorCode::BadOrder);
    let upload = OrderBody::Upload(beckon_shared::order::UploadOrder {
        root: files,
        root_name: Label::new("Files").unwrap(),
        space: scene.ann.space(),
        selection: super::transfer::everything(),
    });
    let upload = scene.place(&signed(&scene.ann, terminal, upload)).await.unwrap();
    scene
        .controller
        .ask(Request::BeginTransfer { transfer: upload.id })
        .await
        .unwrap();
    let copy = scene.place(&order).await.unwrap();
    assert_eq!(copy.from.as_deref(), Some("terminal/Files"));
    scene.server.stop().await;
}

#[tokio::test]
async fn a_new_commit_is_news_for_whoever_copies_that_root_and_for_nobody_else() {
    let mut scene = Scene::new().await;
    let id = scene.begun().await;
    let other = scene.order_but(|body| {
        body.from.device = scene.device.id();
        body.from.path = RootPath::new("other").unwrap();
    });
    scene.place(&other).await.unwrap();
    scene.commit("one", b"1").await;
    scene.commit("two", b"2").await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let news = scene.machine.until(|frame| match frame {
            FromServer::News { transfer } => Some(transfer),
            _ => None,
        });
        heard.push(news.await);
    }
    assert_eq!(heard, [id, id]);
    scene.server.stop().await;
}

#[tokio::test]
async fn holders_are_the_origin_and_other_copies_that_are_under_way_as_far_as_they_are_here() {
    let mut scene = Scene::new().await;
    let id = scene.place(&scene.order()).await.unwrap().id;
    let laptop = scene.laptop.device.id();
    assert_eq!(devices(&holders(&mut scene.machine, id).await.unwrap()), [laptop]);
    let fellow = scene.ann.add_machine("fellow").await;
    let mut other = open_writable(&scene.server.url, &fellow).await;
    let order = signed(&scene.ann, fellow.id(), follow(&scene.ann, laptop));
    let theirs = scene.place(&order).await.unwrap().id;
    assert_eq!(
        devices(&holders(&mut scene.machine, id).await.unwrap()),
        [laptop],
        "it has nothing yet"
    );
    other.ask(Request::BeginTransfer { transfer: theirs }).await.unwrap();
    assert_eq!(
        devices(&holders(&mut scene.machine, id).await.unwrap()),
        [laptop, fellow.id()]
    );
    scene
        .machine
        .ask(Request::BeginTransfer { transfer: id })
        .await
        .unwrap();
    assert_eq!(
        devices(&holders(&mut other, theirs).await.unwrap()),
        [laptop, scene.device.id()]
    );
    assert_eq!(holders(&mut other, id).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(
        holders(&mut other, scene.laptop.transfer).await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let asked = scene.controller.ask(Request::Holders { transfer: id }).await;
    assert_eq!(asked.unwrap_err().code, ErrorCode::NotAllowed);
    drop(other);
    let away = |row: &beckon_shared::device::DeviceView| row.id == fellow.id() && !row.online;
    scene
        .controller
        .until(|frame| match frame {
            FromServer::Devices(part) => part.rows.into_iter().find(away),
            _ => None,
        })
        .await;
    assert_eq!(devices(&holders(&mut scene.machine, id).await.unwrap()), [laptop]);
    scene.server.stop().await;
}

#[tokio::test]
async fn whether_a_copy_is_wanted_hear_its_origin_and_those_that_copy_the_same() {
    let mut scene = Scene::new().await;
    let id = scene.begun().await;
    let laptop = scene.laptop.device.id();
    let (mut origin, _) = Control::open(&scene.server.url, &scene.laptop.device).await;
    assert_eq!(is_open(&mut origin, id).await, Ok(Reply::Done));
    let fellow = scene.ann.add_machine("fellow").await;
    let mut other = open_writable(&scene.server.url, &fellow).await;
    assert_eq!(is_open(&mut other, id).await, Err(ErrorCode::NotFound));
    let order = signed(&scene.ann, fellow.id(), follow(&scene.ann, laptop));
    scene.place(&order).await.unwrap();
    assert_eq!(is_open(&mut other, id).await, Ok(Reply::Done));
    assert_eq!(
        is_open(&mut origin, scene.laptop.transfer).await,
        Err(ErrorCode::NotFound),
        "an upload"
    );
    assert_eq!(is_open(&mut scene.controller, id).await, Err(ErrorCode::NotAllowed));
    let bob = invited(&scene.ann, "bob", false).await;
    let stranger = bob.add_machine("stranger").await;
    let (mut stranger, _) = Control::open(&scene.server.url, &stranger).await;
    assert_eq!(is_open(&mut stranger, id).await, Err(ErrorCode::NotFound));
    let begun = stranger.ask(Request::BeginTransfer { transfer: id }).await;
    assert_eq!(begun.unwrap_err().code, ErrorCode::NotFound);
    let begun = origin.ask(Request::BeginTransfer { transfer: id }).await;
    assert_eq!(begun.unwrap_err().code, ErrorCode::NotFound);
    super::steer::steer(&scene.ann, id, beckon_shared::api::transfer::Act::Cancel).await;
    assert_eq!(is_open(&mut origin, id).await, Err(ErrorCode::Conflict));
    scene.server.stop().await;
}

#[tokio::test]
async fn from_a_device_that_was_revoked_nobody_copies_but_what_the_order_names_by_its_hash() {
    let mut scene = Scene::new().await;
    let id = scene.begun().await;
    let named = |place: &str| {
        scene.order_but(|body| {
            body.path = RootPath::new(place).unwrap();
            body.extent = Extent::At(ChainHead::EMPTY);
        })
    };
    let (before, after) = (named("before"), named("after"));
    let before = scene.place(&before).await.unwrap().id;
    scene.ann.revoke(scene.laptop.device.id(), 1).await;
    let over = scene
        .controller
        .transfer(|row| row.id == id && row.state.is_over())
        .await;
    assert_eq!(over.state, TransferState::Failed);
    assert!(over.error.is_some_and(|error| error.contains("revoked")));
    let stopped = scene.machine.until(|frame| match frame {
        FromServer::Steer { transfer, .. } => Some(transfer),
        _ => None,
    });
    assert_eq!(stopped.await, id);
    assert_eq!(scene.refused(&scene.order()).await, ErrorCode::Revoked);
    let retried = super::steer::steer(&scene.ann, id, beckon_shared::api::transfer::Act::Retry).await;
    assert_eq!(retried.as_u16(), ErrorCode::Revoked.status());
    assert!(!scene.detail(before).await.transfer.state.is_over());
    let after = scene.place(&after).await.unwrap().id;
    for transfer in [before, after] {
        let begun = scene.machine.ask(Request::BeginTransfer { transfer }).await;
        assert!(matches!(begun, Ok(Reply::CopyGrant(_))), "{begun:?}");
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn controllers_learn_the_key_of_their_own_space_alone() {
    let mut scene = Scene::new().await;
    let key = scene
        .controller
        .ask(Request::ChunkKey {
            space: scene.ann.space(),
        })
        .await;
    let Ok(Reply::ChunkKey(key)) = key else {
        panic!("{key:?}")
    };
    assert_eq!(key.0, scene.laptop.grant.chunk_key.0);
    let asked = scene
        .machine
        .ask(Request::ChunkKey {
            space: scene.ann.space(),
        })
        .await;
    assert_eq!(asked.unwrap_err().code, ErrorCode::NotAllowed);
    let bob = invited(&scene.ann, "bob", false).await;
    let (mut other, _) = Control::open(&scene.server.url, &bob.device).await;
    let asked = other
        .ask(Request::ChunkKey {
            space: scene.ann.space(),
        })
        .await;
    assert_eq!(asked.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(bob.device.kind, DeviceKind::Cli);
    scene.server.stop().await;
}
