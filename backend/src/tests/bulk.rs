//! Uploads over HTTP, as a machine does them, and as a faulty or hostile one does.

use std::{io, time::Duration};

use beckon_shared::{
    bulk::{Bitmap, ChunkHeader, CommitReply, CommitUpload, Encoding, HaveRequest, UploadGrant},
    commit::{Change, Commit},
    error::{ErrorCode, Refusal},
    id::{ChunkId, Hash, TransferId},
    path::RootPath,
    signature::Signed,
    wire::{self, Reply, Request},
};
use futures_util::StreamExt;
use reqwest::{Body, Method, Response, StatusCode};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{
    client::{Control, ROOT},
    person::{Device, Person, bare, now},
    server::TestServer,
    transfer::{everything, order, place},
};
use crate::store::testing::{file, noise, pieces};

/// A machine in the middle of a transfer.
pub(super) struct Upload {
    url: String,
    pub(super) device: Device,
    pub(super) transfer: TransferId,
    pub(super) grant: UploadGrant,
    _machine: Control,
}

impl Upload {
    pub(super) async fn begin(server: &TestServer, ann: &Person) -> Self {
        Self::begin_as(server, ann, "laptop").await
    }

    pub(super) async fn begin_as(server: &TestServer, ann: &Person, name: &str) -> Self {
        let device = ann.add_machine(name).await;
        let (mut controller, _) = Control::open(&server.url, &ann.device).await;
        let (mut machine, _) = Control::open(&server.url, &device).await;
        let Ok(Reply::Transfer(placed)) = place(&mut controller, &order(ann, device.id(), everything())).await else {
            panic!("placed")
        };
        let Ok(Reply::Grant(grant)) = machine.ask(Request::BeginTransfer { transfer: placed.id }).await else {
            panic!("a grant")
        };
        Self {
            url: server.url.clone(),
            device,
            transfer: placed.id,
            grant: *grant,
            _machine: machine,
        }
    }

    pub(super) async fn post(&self, verb: &str, body: impl Into<Body>) -> Response {
        let url = format!("{}/bulk/{}/{verb}", self.url, self.transfer);
        bare(Method::POST, &url)
            .bearer_auth(hex::encode(self.grant.ticket))
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(super) async fn refused(&self, verb: &str, body: Vec<u8>) -> ErrorCode {
        let response = self.post(verb, body).await;
        let status = response.status();
        let refusal: Refusal = response.json().await.unwrap();
        assert_eq!(status.as_u16(), refusal.code.status());
        refusal.code
    }

    /// What of this content is missing.
    pub(super) async fn missing(&self, content: &[u8]) -> usize {
        let chunks: Vec<ChunkId> = pieces(content)
            .iter()
            .map(|piece| self.grant.chunk_key.id(piece))
            .collect();
        let count = chunks.len();
        let response = self.post("have", wire::encode(&HaveRequest { chunks })).await;
        let missing: Bitmap = wire::decode(&response.bytes().await.unwrap()).unwrap();
        assert!(missing.answers(count));
        (0..count).filter(|at| missing.get(*at)).count()
    }

    pub(super) fn body(&self, content: &[u8]) -> Vec<u8> {
        pieces(content)
            .into_iter()
            .flat_map(|piece| framed(self.grant.chunk_key.id(piece), piece, piece.len()))
            .collect()
    }

    pub(super) fn commit(&self, path: &str, content: &[u8]) -> Vec<u8> {
        let manifest = wire::encode(&file(&self.grant.chunk_key, content));
        let changes = wire::encode(&vec![Change::Put {
            path: RootPath::new(path).unwrap(),
            manifest: Hash::of(&manifest),
        }]);
        let commit = Commit {
            suite: 0,
            space: self.grant.space,
            device: self.device.id(),
            root: ROOT,
            number: self.grant.head.number + 1,
            parent: self.grant.head.hash,
            changes: Hash::of(&changes),
            at: now(),
        };
        let commit = Signed::sign(&commit, self.device.keys.signing());
        wire::encode(&CommitUpload {
            commit,
            changes,
            manifests: vec![manifest],
        })
    }
}

/// A chunk as it stands in a body; compressed if `len` is not that of the stored bytes.
pub(super) fn framed(id: ChunkId, stored: &[u8], len: usize) -> Vec<u8> {
    let encoding = if stored.len() == len {
        Encoding::Plain
    } else {
        Encoding::Zstd
    };
    let header = ChunkHeader {
        id,
        encoding,
        len: len as u32,
        stored_len: stored.len() as u32,
    };
    [&header.to_bytes(), stored].concat()
}

#[tokio::test]
async fn what_is_sent_and_committed_comes_back_equal() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let upload = Upload::begin(&server, &ann).await;
    let content = noise(1, 3_000_000);
    assert_eq!(upload.missing(&content).await, pieces(&content).len());
    let early = upload.post("commit", upload.commit("docs/big", &content)).await;
    let early: CommitReply = wire::decode(&early.bytes().await.unwrap()).unwrap();
    assert!(matches!(early, CommitReply::Missing(chunks) if chunks.len() == pieces(&content).len()));
    assert_eq!(
        upload.post("chunks", upload.body(&content)).await.status(),
        StatusCode::OK
    );
    assert_eq!(upload.missing(&content).await, 0);
    let reply = upload.post("commit", upload.commit("docs/big", &content)).await;
    assert!(
        matches!(wire::decode(&reply.bytes().await.unwrap()).unwrap(), CommitReply::Committed(head) if head.number == 1)
    );
    let got = ann.get("/api/drive/file?path=laptop/home/docs/big").await;
    assert_eq!(got.status(), StatusCode::OK);
    assert!(got.bytes().await.unwrap() == content);
    server.stop().await;
}

#[tokio::test]
async fn chunks_that_are_not_what_they_say_are_refused() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let upload = Upload::begin(&server, &ann).await;
    let content = noise(1, 50_000);
    let id = upload.grant.chunk_key.id(&content);
    assert_eq!(
        upload
            .refused("chunks", framed(ChunkId([1; 32]), &content, 50_000))
            .await,
        ErrorCode::BadRequest
    );
    let mut cut = upload.body(&content);
    cut.pop();
    assert_eq!(upload.refused("chunks", cut).await, ErrorCode::BadRequest);
    let mut unknown = upload.body(&content);
    unknown[32] = 9;
    assert_eq!(upload.refused("chunks", unknown).await, ErrorCode::BadRequest);
    // A frame that unpacks to far more than it says is not unpacked.
    let bomb = zstd::bulk::compress(&vec![0; 100_000_000], 1).unwrap();
    assert_eq!(
        upload.refused("chunks", framed(id, &bomb, 1 << 20)).await,
        ErrorCode::BadRequest
    );
    assert_eq!(upload.missing(&content).await, 1, "nothing of it was stored");
    assert_eq!(upload.refused("have", vec![0xff; 20]).await, ErrorCode::BadRequest);
    assert_eq!(upload.refused("have", vec![0; 600_000]).await, ErrorCode::TooLarge);
    assert_eq!(upload.refused("commit", vec![1, 2, 3]).await, ErrorCode::BadRequest);
    server.stop().await;
}

#[tokio::test]
async fn a_ticket_opens_its_own_transfer_and_nothing_without_one() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let mut upload = Upload::begin(&server, &ann).await;
    let own = upload.transfer;
    upload.transfer = TransferId::new(now(), [9; 10]);
    assert_eq!(upload.refused("have", vec![0]).await, ErrorCode::NotFound);
    upload.transfer = own;
    upload.grant.ticket[0] ^= 1;
    assert_eq!(upload.refused("chunks", vec![]).await, ErrorCode::NotSignedIn);
    let cookie = ann
        .request(Method::POST, &format!("/bulk/{own}/have"))
        .body(vec![0])
        .send()
        .await
        .unwrap();
    assert_eq!(cookie.status(), StatusCode::UNAUTHORIZED, "a cookie is no ticket");
    server.stop().await;
}

#[tokio::test]
async fn a_full_disk_is_told_before_anything_is_taken() {
    let server = TestServer::with(&["--reserve", "1000000TiB"]).await;
    let ann = Person::sign_up(&server).await;
    let upload = Upload::begin(&server, &ann).await;
    assert_eq!(
        upload.refused("chunks", upload.body(&noise(1, 4_000_000))).await,
        ErrorCode::NoRoom
    );
    server.stop().await;
}

#[tokio::test]
async fn revoking_the_machine_ends_a_running_body_at_once() {
    let server = TestServer::start().await;
    let ann = Person::sign_up(&server).await;
    let upload = Upload::begin(&server, &ann).await;
    let (pieces, body) = mpsc::unbounded_channel::<Vec<u8>>();
    pieces.send(upload.body(&noise(1, 100_000))).unwrap();
    let body = Body::wrap_stream(UnboundedReceiverStream::new(body).map(Ok::<_, io::Error>));
    let sent = upload.post("chunks", body);
    let revoked = async {
        assert!(ann.revoke(upload.device.id(), 1).await.status().is_success());
    };
    let (response, ()) = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(sent, revoked) })
        .await
        .unwrap();
    assert!(
        [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED].contains(&response.status()),
        "{}",
        response.status()
    );
    drop(pieces);
    assert_eq!(upload.refused("have", vec![0]).await, ErrorCode::NotSignedIn);
    server.stop().await;
}
