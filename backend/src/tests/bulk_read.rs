//! What machines that copy read over HTTP, and recipes both ways; by whom, and by whom not.

mod rights;

use std::time::Duration;

use beckon_shared::{
    bulk::{
        ChunkHeader, ChunkParts, CommitRecord, CommitReply, CopyGrant, Encoding, ManifestsRequest, Outline,
        OutlineRequest, PartsRequest, READ_CHUNKS_MAX, ReadRequest, UploadGrant,
    },
    commit::decode_changes,
    delta::{Known, Recipe, Step, parts},
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::{ChunkId, DeviceId, Hash, TransferId},
    order::{Extent, FollowOrder, Followed, Order, OrderBody, ReceiveOrder, SentFile, SignedOrder},
    path::{Label, RootPath},
    signature::Signed,
    wire::{self, FromServer, Reply, Request, ToServer},
};
use reqwest::{Body, Method, Response, StatusCode};

use super::{
    bulk::{Upload, framed},
    client::{Control, ROOT, hello},
    person::{Device, Person, bare, now},
    server::TestServer,
};
use crate::{
    clock::{SystemClock, random},
    store::testing::{file, noise, pieces},
};

/// A control socket of a machine whose root may be written.
pub(super) async fn open_writable(url: &str, device: &Device) -> Control {
    let (mut control, nonce) = Control::challenged(url).await;
    let mut auth = Control::proof(url, device, nonce);
    auth.hello = hello(DeviceKind::Agent);
    auth.hello.roots.iter_mut().for_each(|root| root.writable = true);
    control.send(&ToServer::Auth(Box::new(auth))).await;
    control
        .until(|frame| matches!(frame, FromServer::Welcome(_)).then_some(()))
        .await;
    control
}

pub(super) fn signed(ann: &Person, target: DeviceId, body: OrderBody) -> SignedOrder {
    let issued = now();
    let order = Order {
        suite: 0,
        signer: ann.device.id(),
        signer_account: ann.id(),
        target_account: ann.id(),
        target,
        id: TransferId::new(issued, random(&SystemClock)),
        issued,
        expires: issued + Duration::from_secs(3600),
        body,
    };
    SignedOrder {
        order: Signed::sign(&order, ann.device.keys.signing()),
        signer: ann.device.chain.clone(),
    }
}

pub(super) fn follow(ann: &Person, from: DeviceId) -> OrderBody {
    OrderBody::Follow(FollowOrder {
        root: ROOT,
        root_name: Label::new("home").unwrap(),
        path: RootPath::new("copy").unwrap(),
        space: ann.space(),
        from: Followed {
            device: from,
            root: ROOT,
            path: RootPath::root(),
        },
        extent: Extent::Kept,
    })
}

/// A transfer of which somebody has a ticket.
struct Ticket {
    url: String,
    transfer: TransferId,
    ticket: [u8; 32],
}

impl Ticket {
    fn request(&self, method: Method, verb: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/bulk/{}/{verb}", self.url, self.transfer);
        bare(method, &url).bearer_auth(hex::encode(self.ticket))
    }

    async fn post(&self, verb: &str, body: impl Into<Body>) -> Response {
        self.request(Method::POST, verb).body(body).send().await.unwrap()
    }

    async fn commits(&self, after: &str) -> Response {
        let verb = format!("commits?after={after}");
        self.request(Method::GET, &verb).send().await.unwrap()
    }

    async fn manifests(&self, hashes: &[Hash]) -> Vec<Vec<u8>> {
        let manifests = hashes.to_vec();
        framed_parts(
            self.post("manifests", wire::encode(&ManifestsRequest { manifests }))
                .await,
        )
        .await
    }

    async fn read(&self, chunks: &[ChunkId], bases: &[ChunkId]) -> Vec<(ChunkHeader, Vec<u8>)> {
        let request = ReadRequest {
            chunks: chunks.to_vec(),
            bases: bases.to_vec(),
        };
        let response = self.post("read", wire::encode(&request)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let bytes = response.bytes().await.unwrap();
        let mut rest = &bytes[..];
        let mut found = Vec::new();
        while let Some((head, behind)) = rest.split_first_chunk() {
            let header = ChunkHeader::parse(head).unwrap();
            let (stored, behind) = behind.split_at(header.stored_len as usize);
            found.push((header, stored.to_vec()));
            rest = behind;
        }
        assert!(rest.is_empty());
        found
    }

    /// Every request that reads, each with the status of its answer.
    async fn reading(&self) -> Vec<StatusCode> {
        let read = wire::encode(&ReadRequest {
            chunks: Vec::new(),
            bases: Vec::new(),
        });
        let manifests = wire::encode(&ManifestsRequest { manifests: Vec::new() });
        vec![
            self.post("read", read).await.status(),
            self.post("manifests", manifests).await.status(),
            self.commits("0").await.status(),
        ]
    }
}

/// What stands behind its length each.
async fn framed_parts(response: Response) -> Vec<Vec<u8>> {
    assert_eq!(response.status(), StatusCode::OK);
    let bytes = response.bytes().await.unwrap();
    let mut rest = &bytes[..];
    let mut found = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk::<4>() {
        let (part, behind) = behind.split_at(u32::from_le_bytes(*len) as usize);
        found.push(part.to_vec());
        rest = behind;
    }
    found
}

async fn code_of(response: Response) -> ErrorCode {
    let status = response.status();
    let refusal: Refusal = response.json().await.unwrap();
    assert_eq!(status.as_u16(), refusal.code.status());
    refusal.code
}

/// A laptop that uploads, and a machine that follows it.
struct Scene {
    server: TestServer,
    ann: Person,
    laptop: Upload,
    copy: Ticket,
    copier: Device,
    _sockets: [Control; 2],
}

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let laptop = Upload::begin(&server, &ann).await;
        let copier = ann.add_machine("copier").await;
        let mut machine = open_writable(&server.url, &copier).await;
        let (mut controller, _) = Control::open(&server.url, &ann.device).await;
        let order = signed(&ann, copier.id(), follow(&ann, laptop.device.id()));
        let copy = begin_copy(&server, &mut controller, &mut machine, &order).await;
        Self {
            server,
            ann,
            laptop,
            copy,
            copier,
            _sockets: [machine, controller],
        }
    }

    async fn upload(&mut self, path: &str, content: &[u8]) {
        let sent = self.laptop.post("chunks", self.laptop.body(content)).await;
        assert_eq!(sent.status(), StatusCode::OK);
        let reply = self.laptop.post("commit", self.laptop.commit(path, content)).await;
        let CommitReply::Committed(head) = wire::decode(&reply.bytes().await.unwrap()).unwrap() else {
            panic!("committed")
        };
        self.laptop.grant.head = head;
    }

    fn ids(&self, content: &[u8]) -> Vec<ChunkId> {
        pieces(content)
            .iter()
            .map(|piece| self.laptop.grant.chunk_key.id(piece))
            .collect()
    }
}

async fn begin_copy(
    server: &TestServer,
    controller: &mut Control,
    machine: &mut Control,
    order: &SignedOrder,
) -> Ticket {
    let placed = controller
        .ask(Request::PlaceOrder {
            order: Box::new(order.clone()),
            what: String::new(),
        })
        .await;
    let Ok(Reply::Transfer(placed)) = placed else {
        panic!("{placed:?}")
    };
    let begun = machine.ask(Request::BeginTransfer { transfer: placed.id }).await;
    let Ok(Reply::CopyGrant(grant)) = begun else {
        panic!("{begun:?}")
    };
    let CopyGrant { ticket, .. } = *grant;
    Ticket {
        url: server.url.clone(),
        transfer: placed.id,
        ticket,
    }
}

#[tokio::test]
async fn a_follower_reads_the_commits_manifests_and_chunks_of_the_root_it_follows() {
    let mut scene = Scene::new().await;
    assert!(framed_parts(scene.copy.commits("0").await).await.is_empty());
    let (first, second) = (noise(1, 2_000_000), noise(2, 500));
    scene.upload("first", &first).await;
    scene.upload("second", &second).await;
    let records = framed_parts(scene.copy.commits("0").await).await;
    assert_eq!(records.len(), 2);
    let record: CommitRecord = wire::decode(&records[1]).unwrap();
    let commit = record.commit.verify(&scene.laptop.device.keys.public().sign).unwrap();
    assert_eq!((commit.number, commit.changes), (2, Hash::of(&record.changes)));
    assert_eq!(decode_changes(&record.changes).unwrap().len(), 1);
    assert_eq!(framed_parts(scene.copy.commits("1").await).await, records[1..]);
    assert!(framed_parts(scene.copy.commits("2").await).await.is_empty());
    let encoded = wire::encode(&file(&scene.laptop.grant.chunk_key, &first));
    let hashes = [Hash([9; 32]), Hash::of(&encoded)];
    assert_eq!(scene.copy.manifests(&hashes).await, [Vec::new(), encoded]);
    let wanted = [scene.ids(&first), scene.ids(&second), vec![ChunkId([8; 32])]].concat();
    let read = scene.copy.read(&wanted, &[]).await;
    assert_eq!(read.len() + 1, wanted.len());
    let key = &scene.laptop.grant.chunk_key;
    assert!(read.iter().all(|(header, stored)| key.id(stored) == header.id));
    scene.server.stop().await;
}

#[tokio::test]
async fn who_has_the_old_chunks_gets_the_new_ones_as_recipes() {
    let mut scene = Scene::new().await;
    let old = noise(1, 2_000_000);
    let mut new = old.clone();
    new[1_000_003] ^= 1;
    scene.upload("file", &old).await;
    scene.upload("file", &new).await;
    let (before, after) = (scene.ids(&old), scene.ids(&new));
    let gone: Vec<_> = before.iter().filter(|id| !after.contains(id)).copied().collect();
    let came: Vec<_> = after.iter().filter(|id| !before.contains(id)).copied().collect();
    let read = scene.copy.read(&came, &gone).await;
    assert_eq!(read.len(), came.len());
    let pieces = pieces(&old);
    let base = |id: &ChunkId| Some(pieces[before.iter().position(|other| other == id)?]);
    for (header, stored) in &read {
        assert_eq!(header.encoding, Encoding::Recipe);
        assert!(stored.len() < 20_000, "{}", stored.len());
        let content = Recipe::parse(stored)
            .unwrap()
            .assemble(header.len as usize, base)
            .unwrap();
        assert_eq!(scene.laptop.grant.chunk_key.id(&content), header.id);
    }
    let others = noise(7, 100_000);
    let plain = scene.copy.read(&came, &scene.ids(&others)).await;
    assert!(plain.iter().all(|(header, _)| header.encoding == Encoding::Plain));
    scene.server.stop().await;
}

#[tokio::test]
async fn requests_beyond_their_limits_are_refused() {
    let scene = Scene::new().await;
    let ids = |count| vec![ChunkId([1; 32]); count];
    let read = |chunks, bases| wire::encode(&ReadRequest { chunks, bases });
    for body in [
        read(ids(READ_CHUNKS_MAX + 1), Vec::new()),
        read(Vec::new(), ids(READ_CHUNKS_MAX + 1)),
        vec![0xff; 9],
        Vec::new(),
    ] {
        assert_eq!(
            code_of(scene.copy.post("read", body).await).await,
            ErrorCode::BadRequest
        );
    }
    let large = read(ids(READ_CHUNKS_MAX), ids(READ_CHUNKS_MAX + 100));
    assert_eq!(code_of(scene.copy.post("read", large).await).await, ErrorCode::TooLarge);
    assert!(
        scene
            .copy
            .read(&ids(READ_CHUNKS_MAX), &ids(READ_CHUNKS_MAX))
            .await
            .is_empty()
    );
    let manifests = vec![Hash([1; 32]); 1001];
    let many = scene
        .copy
        .post("manifests", wire::encode(&ManifestsRequest { manifests }))
        .await;
    assert_eq!(code_of(many).await, ErrorCode::TooLarge);
    for after in ["", "-1", "x", "18446744073709551616"] {
        assert_eq!(code_of(scene.copy.commits(after).await).await, ErrorCode::BadRequest);
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn a_ticket_reads_nothing_but_what_it_is_for() {
    let mut scene = Scene::new().await;
    let content = noise(1, 100_000);
    scene.upload("file", &content).await;
    let wanted = scene.ids(&content);
    // The uploader's own ticket reads nothing, and the follower's stores nothing.
    let upload = Ticket {
        url: scene.server.url.clone(),
        transfer: scene.laptop.transfer,
        ticket: scene.laptop.grant.ticket,
    };
    assert_eq!(upload.reading().await, [StatusCode::NOT_FOUND; 3]);
    for verb in ["have", "chunks", "commit", "outline", "parts"] {
        let refused = scene.copy.post(verb, vec![0]).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{verb}");
    }
    // Who follows another root finds nothing of this one.
    let (mut controller, _) = Control::open(&scene.server.url, &scene.ann.device).await;
    let tower = Upload::begin_as(&scene.server, &scene.ann, "tower").await;
    let other = scene.ann.add_machine("other").await;
    let mut machine = open_writable(&scene.server.url, &other).await;
    let order = signed(&scene.ann, other.id(), follow(&scene.ann, tower.device.id()));
    let elsewhere = begin_copy(&scene.server, &mut controller, &mut machine, &order).await;
    assert!(elsewhere.read(&wanted, &wanted).await.is_empty());
    assert!(framed_parts(elsewhere.commits("0").await).await.is_empty());
    let encoded = wire::encode(&file(&scene.laptop.grant.chunk_key, &content));
    assert_eq!(elsewhere.manifests(&[Hash::of(&encoded)]).await, [Vec::<u8>::new()]);
    // A ticket opens no other transfer, and a wrong one none.
    let mixed = Ticket {
        url: scene.server.url.clone(),
        transfer: scene.copy.transfer,
        ticket: elsewhere.ticket,
    };
    assert_eq!(mixed.reading().await, [StatusCode::NOT_FOUND; 3]);
    let wrong = Ticket {
        ticket: [7; 32],
        ..mixed
    };
    assert_eq!(wrong.reading().await, [StatusCode::UNAUTHORIZED; 3]);
    assert_eq!(scene.copy.read(&wanted, &[]).await.len(), wanted.len());
    scene.server.stop().await;
}

#[tokio::test]
async fn a_revoked_machine_reads_nothing_and_a_running_answer_ends_unfinished() {
    let mut scene = Scene::new().await;
    let content = noise(1, 60_000_000);
    for (at, part) in content.chunks(20_000_000).enumerate() {
        scene.upload(&at.to_string(), part).await;
    }
    let wanted: Vec<_> = content.chunks(20_000_000).flat_map(|part| scene.ids(part)).collect();
    let request = ReadRequest {
        chunks: wanted,
        bases: Vec::new(),
    };
    let mut response = scene.copy.post("read", wire::encode(&request)).await;
    let first = response.chunk().await.unwrap().unwrap();
    let copier = scene.copier.id();
    assert!(scene.ann.revoke(copier, 1).await.status().is_success());
    let rest = async {
        let mut len = first.len();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => len += piece.len(),
                Ok(None) => panic!("the answer came to a good end"),
                Err(_) => return len,
            }
        }
    };
    let len = tokio::time::timeout(Duration::from_secs(5), rest).await.unwrap();
    assert!(len < content.len());
    assert_eq!(scene.copy.reading().await, [StatusCode::UNAUTHORIZED; 3]);
    scene.server.stop().await;
}

#[tokio::test]
async fn the_receiver_of_a_send_reads_what_was_sent_for_it_and_nothing_else() {
    let mut scene = Scene::new().await;
    let (stored, sent) = (noise(1, 50_000), noise(2, 400_000));
    scene.upload("file", &stored).await;
    let key = scene.laptop.grant.chunk_key.clone();
    let files = wire::encode(&vec![SentFile {
        path: RootPath::new("gift").unwrap(),
        manifest: wire::encode(&file(&key, &sent)),
    }]);
    let hash = Hash::of(&files);
    let put = scene
        .ann
        .request(Method::PUT, &format!("/api/selections/{hash}"))
        .body(files);
    assert!(put.send().await.unwrap().status().is_success());
    let body = OrderBody::Receive(ReceiveOrder {
        root: ROOT,
        root_name: Label::new("home").unwrap(),
        path: RootPath::root(),
        space: scene.ann.space(),
        files: hash,
    });
    let (mut controller, _) = Control::open(&scene.server.url, &scene.ann.device).await;
    let mut machine = open_writable(&scene.server.url, &scene.copier).await;
    let order = signed(&scene.ann, scene.copier.id(), body);
    let receive = begin_copy(&scene.server, &mut controller, &mut machine, &order).await;
    let ids = scene.ids(&sent);
    assert!(receive.read(&ids, &[]).await.is_empty());
    let transfer = receive.transfer;
    let Ok(Reply::Grant(grant)) = controller.ask(Request::BeginTransfer { transfer }).await else {
        panic!("a grant")
    };
    let UploadGrant { ticket, .. } = *grant;
    let sender = Ticket {
        url: scene.server.url.clone(),
        transfer,
        ticket,
    };
    let frames: Vec<u8> = pieces(&sent)
        .into_iter()
        .flat_map(|piece| framed(key.id(piece), piece, piece.len()))
        .collect();
    assert_eq!(sender.post("chunks", frames).await.status(), StatusCode::OK);
    assert_eq!(receive.read(&ids, &[]).await.len(), ids.len());
    assert!(receive.read(&scene.ids(&stored), &[]).await.is_empty());
    assert!(scene.copy.read(&ids, &[]).await.is_empty(), "no version holds it");
    let reading = [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::NOT_FOUND];
    assert_eq!(receive.reading().await, reading);
    assert_eq!(sender.reading().await, [StatusCode::NOT_FOUND; 3]);
    for verb in ["commit", "outline", "parts"] {
        assert_eq!(sender.post(verb, vec![0]).await.status(), StatusCode::NOT_FOUND);
    }
    scene.server.stop().await;
}

/// The outline of a file, and the parts of these chunks of it.
async fn outlined(upload: &Upload, path: &str, chunks: Vec<u32>) -> (Outline, Vec<ChunkParts>) {
    let path = RootPath::new(path).unwrap();
    let request = wire::encode(&OutlineRequest { path: path.clone() });
    let outline = upload.post("outline", request).await.bytes().await.unwrap();
    let request = wire::encode(&PartsRequest { path, chunks });
    let parts = upload.post("parts", request).await.bytes().await.unwrap();
    (wire::decode(&outline).unwrap(), wire::decode(&parts).unwrap())
}

fn recipe_frame(id: ChunkId, len: usize, recipe: &[u8]) -> Vec<u8> {
    let header = ChunkHeader {
        id,
        encoding: Encoding::Recipe,
        len: len as u32,
        stored_len: recipe.len() as u32,
    };
    [&header.to_bytes(), recipe].concat()
}

#[tokio::test]
async fn an_uploader_learns_the_parts_of_its_own_file_and_sends_recipes() {
    let mut scene = Scene::new().await;
    let old = noise(1, 2_000_000);
    scene.upload("folder/file", &old).await;
    let before = pieces(&old);
    let (outline, found) = outlined(&scene.laptop, "folder/file", vec![2, 0, 9999]).await;
    let key = scene.laptop.grant.chunk_key.clone();
    let hints: Vec<([u8; 8], u32)> = before
        .iter()
        .map(|piece| (*key.id(piece).0.first_chunk().unwrap(), piece.len() as u32))
        .collect();
    assert_eq!(outline.chunks, hints);
    let expected = [2, 0].map(|at: usize| ChunkParts {
        id: key.id(before[at]),
        parts: parts(&key, before[at]),
    });
    assert_eq!(found, expected);
    for nothing in ["", "folder", "absent", "folder/absent"] {
        assert_eq!(
            outlined(&scene.laptop, nothing, vec![0]).await,
            (Outline { chunks: vec![] }, vec![])
        );
    }
    let mut new = old.clone();
    new[5] ^= 1;
    let changed = pieces(&new)[0];
    let mut known = Known::default();
    found.iter().for_each(|of| known.add(of.id, &of.parts));
    let recipe = known.recipe(&key, changed).unwrap();
    let frame = recipe_frame(key.id(changed), changed.len(), &recipe);
    assert!(frame.len() < 20_000);
    assert_eq!(scene.laptop.post("chunks", frame).await.status(), StatusCode::OK);
    let reply = scene
        .laptop
        .post("commit", scene.laptop.commit("folder/file", &new))
        .await;
    let reply: CommitReply = wire::decode(&reply.bytes().await.unwrap()).unwrap();
    assert!(matches!(reply, CommitReply::Committed(_)), "{reply:?}");
    let got = scene.ann.get("/api/drive/file?path=laptop/home/folder/file").await;
    assert!(got.bytes().await.unwrap() == new);
    scene.server.stop().await;
}

#[tokio::test]
async fn recipes_that_make_something_else_or_are_made_of_what_others_store_are_refused() {
    let mut scene = Scene::new().await;
    let content = noise(1, 60_000);
    scene.upload("file", &content).await;
    let key = scene.laptop.grant.chunk_key.clone();
    let base = key.id(&content);
    let encoded = |bases: &[ChunkId], steps| {
        wire::encode(&Recipe {
            bases: bases.to_vec(),
            steps,
        })
    };
    let copy = |from, len| Step::Copy { base: 0, from, len };
    let target = noise(5, 40_000);
    let cases = [
        ("another content", encoded(&[base], vec![copy(0, 40_000)])),
        ("beyond its base", encoded(&[base], vec![copy(50_000, 40_000)])),
        ("beyond all numbers", encoded(&[base], vec![copy(u32::MAX, u32::MAX)])),
        ("a base that is not named", encoded(&[], vec![copy(0, 40_000)])),
        (
            "a base that is not there",
            encoded(&[ChunkId([1; 32])], vec![copy(0, 40_000)]),
        ),
        ("too many bases", encoded(&[base; 65], vec![copy(0, 40_000)])),
        ("too long", encoded(&[base], vec![copy(0, 40_000), copy(0, 40_000)])),
        ("nothing", encoded(&[], Vec::new())),
        ("no recipe", vec![0xff; 30]),
    ];
    for (what, recipe) in cases {
        let frame = recipe_frame(key.id(&target), target.len(), &recipe);
        assert_eq!(
            scene.laptop.refused("chunks", frame).await,
            ErrorCode::Conflict,
            "{what}"
        );
    }
    assert_eq!(scene.laptop.missing(&target).await, 1, "nothing of it was stored");
    // What another root of the account holds can be no base, even where the outcome would be right.
    let other = Upload::begin_as(&scene.server, &scene.ann, "tower").await;
    let part = &content[..40_000];
    let recipe = encoded(&[base], vec![copy(0, 40_000)]);
    let frame = recipe_frame(key.id(part), part.len(), &recipe);
    assert_eq!(other.refused("chunks", frame.clone()).await, ErrorCode::Conflict);
    assert_eq!(scene.laptop.post("chunks", frame).await.status(), StatusCode::OK);
    scene.server.stop().await;
}
