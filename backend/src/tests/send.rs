//! Files that a controller sends to a machine.

use beckon_shared::{
    api::transfer::{Act, TransferDetail},
    commit::ChainHead,
    error::ErrorCode,
    id::{Hash, TransferId},
    order::{OrderBody, ReceiveOrder, SentFile, SignedOrder},
    path::{Label, RootPath},
    transfer::{Progress, Task, TransferState},
    wire::{self, FromServer, Reply, Request},
};
use reqwest::{Method, StatusCode};

use super::{
    admin::invited,
    bulk::framed,
    bulk_read::{open_writable, signed},
    client::{Control, ROOT},
    person::{Device, Person, bare},
    server::TestServer,
    steer::steer,
    transfer::place,
};
use crate::store::testing::{file, pieces};

const CONTENT: &[u8] = b"a letter";

/// A terminal that sends a file to a machine.
struct Scene {
    server: TestServer,
    ann: Person,
    device: Device,
    controller: Control,
    machine: Control,
    order: SignedOrder,
    files: Vec<u8>,
}

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let device = ann.add_machine("laptop").await;
        let machine = open_writable(&server.url, &device).await;
        let (mut controller, _) = Control::open(&server.url, &ann.device).await;
        let Ok(Reply::ChunkKey(key)) = controller.ask(Request::ChunkKey { space: ann.space() }).await else {
            panic!("a key")
        };
        let names = ["letter", "folder/other"].map(|name| SentFile {
            path: RootPath::new(name).unwrap(),
            manifest: wire::encode(&file(&key, CONTENT)),
        });
        let files = wire::encode(&names.to_vec());
        let body = OrderBody::Receive(ReceiveOrder {
            root: ROOT,
            root_name: Label::new("home").unwrap(),
            path: RootPath::new("in").unwrap(),
            space: ann.space(),
            files: Hash::of(&files),
        });
        let order = signed(&ann, device.id(), body);
        Self {
            server,
            ann,
            device,
            controller,
            machine,
            order,
            files,
        }
    }

    async fn keep_files(&self) {
        let path = format!("/api/selections/{}", Hash::of(&self.files));
        let put = self.ann.request(Method::PUT, &path).body(self.files.clone());
        assert_eq!(put.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }

    async fn placed(&mut self) -> TransferId {
        self.keep_files().await;
        let placed = place(&mut self.controller, &self.order).await;
        let Ok(Reply::Transfer(placed)) = placed else {
            panic!("{placed:?}")
        };
        assert_eq!((placed.task, placed.from.as_deref()), (Task::Send, Some("terminal")));
        placed.id
    }

    async fn detail(&self, id: TransferId) -> TransferDetail {
        self.ann.read(&format!("/api/transfers/{id}")).await
    }
}

async fn begin(by: &mut Control, transfer: TransferId) -> Result<Reply, ErrorCode> {
    by.ask(Request::BeginTransfer { transfer })
        .await
        .map_err(|refusal| refusal.code)
}

#[tokio::test]
async fn the_sender_stores_chunks_and_the_machine_hears_of_them() {
    let mut scene = Scene::new().await;
    let id = scene.placed().await;
    let grant = begin(&mut scene.controller, id).await;
    let Ok(Reply::Grant(grant)) = grant else {
        panic!("{grant:?}")
    };
    assert_eq!((grant.head, grant.epoch), (ChainHead::EMPTY, 0));
    let detail = scene.detail(id).await;
    assert_eq!(
        detail.transfer.state,
        TransferState::Queued,
        "its machine has not begun"
    );
    let places: Vec<String> = detail.selected.iter().map(RootPath::display).collect();
    assert_eq!(
        (places, detail.selected_total),
        (vec!["in/letter".to_owned(), "in/folder/other".to_owned()], Some(2))
    );
    assert_eq!(detail.node, None, "nothing of it is in the drive");
    let begun = begin(&mut scene.machine, id).await;
    let Ok(Reply::CopyGrant(copy)) = begun else {
        panic!("{begun:?}")
    };
    assert_eq!((copy.origin, copy.chunk_key.0), (None, grant.chunk_key.0));
    let url = format!("{}/bulk/{id}", scene.server.url);
    let asked = bare(Method::GET, &format!("{url}/selection")).bearer_auth(hex::encode(copy.ticket));
    assert_eq!(asked.send().await.unwrap().bytes().await.unwrap(), scene.files);
    let body: Vec<u8> = pieces(CONTENT)
        .into_iter()
        .flat_map(|piece| framed(grant.chunk_key.id(piece), piece, piece.len()))
        .collect();
    let sent = bare(Method::POST, &format!("{url}/chunks"))
        .bearer_auth(hex::encode(grant.ticket))
        .body(body);
    assert_eq!(sent.send().await.unwrap().status(), StatusCode::OK);
    let news = scene.machine.until(|frame| match frame {
        FromServer::News { transfer } => Some(transfer),
        _ => None,
    });
    assert_eq!(news.await, id);
    let drive: serde_json::Value = scene.ann.read("/api/drive/list?path=/").await;
    assert!(!drive.to_string().contains("letter"), "{drive}");
    scene.server.stop().await;
}

#[tokio::test]
async fn a_send_needs_its_list_and_a_root_that_may_be_written() {
    let mut scene = Scene::new().await;
    let refused = place(&mut scene.controller, &scene.order).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadOrder);
    scene.keep_files().await;
    let (machine, _) = Control::open(&scene.server.url, &scene.device).await;
    scene.machine = machine;
    let refused = place(&mut scene.controller, &scene.order).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAllowed);
    assert!(refused.message.contains("beckon roots writable"), "{}", refused.message);
    scene.server.stop().await;
}

#[tokio::test]
async fn nobody_but_signer_and_machine_works_on_a_send_and_only_the_machine_ends_it() {
    let mut scene = Scene::new().await;
    let id = scene.placed().await;
    let other = scene.ann.on_another_device().await;
    let (mut other, _) = Control::open(&scene.server.url, &other.device).await;
    assert_eq!(begin(&mut other, id).await, Err(ErrorCode::NotFound));
    let beside = scene.ann.add_machine("beside").await;
    let (mut beside, _) = Control::open(&scene.server.url, &beside).await;
    assert_eq!(begin(&mut beside, id).await, Err(ErrorCode::NotFound));
    let bob = invited(&scene.ann, "bob", false).await;
    let (mut bob, _) = Control::open(&scene.server.url, &bob.device).await;
    assert_eq!(begin(&mut bob, id).await, Err(ErrorCode::NotFound));
    begin(&mut scene.machine, id).await.unwrap();
    let end = Request::EndTransfer {
        transfer: id,
        state: TransferState::Done,
        progress: Progress::default(),
        error: None,
    };
    assert_eq!(
        scene.controller.ask(end.clone()).await.unwrap_err().code,
        ErrorCode::NotFound
    );
    assert!(
        matches!(begin(&mut scene.controller, id).await, Ok(Reply::Grant(_))),
        "as often as it likes"
    );
    scene.machine.ask(end).await.unwrap();
    assert_eq!(begin(&mut scene.controller, id).await, Err(ErrorCode::Conflict));
    scene.server.stop().await;
}

#[tokio::test]
async fn what_was_sent_goes_when_its_transfer_is_cancelled() {
    let mut scene = Scene::new().await;
    let id = scene.placed().await;
    let Ok(Reply::Grant(grant)) = begin(&mut scene.controller, id).await else {
        panic!("a grant")
    };
    let url = format!("{}/bulk/{id}/chunks", scene.server.url);
    let chunk = framed(grant.chunk_key.id(CONTENT), CONTENT, CONTENT.len());
    let send = || {
        bare(Method::POST, &url)
            .bearer_auth(hex::encode(grant.ticket))
            .body(chunk.clone())
    };
    assert_eq!(send().send().await.unwrap().status(), StatusCode::OK);
    let beside = scene.server.beside().await;
    let pins = async || beside.meta().number("SELECT COUNT(*) AS number FROM pin").await;
    assert_eq!(pins().await, 1);
    assert_eq!(steer(&scene.ann, id, Act::Cancel).await, StatusCode::NO_CONTENT);
    assert_eq!(pins().await, 0);
    assert_eq!(send().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    scene.server.stop().await;
}
