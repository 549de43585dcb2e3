//! Files that are read while their machine uploads them, from honest machines and others.

use std::{io, time::Duration};

use beckon_shared::{
    bulk::{ChunkHeader, Encoding, Segment, UploadGrant},
    entry::SourceStamp,
    error::{ErrorCode, Refusal},
    id::{ChunkId, DeviceId, TransferId},
    transfer::{Progress, TransferState},
    wire::{self, FromServer, ReadLive, Reply, Request},
};
use futures_util::StreamExt;
use reqwest::{Body, Method, Response, StatusCode};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{
    admin::invited,
    client::Control,
    person::{Person, bare},
    server::TestServer,
    transfer::{everything, order, place},
};
use crate::store::testing::noise;

const STAMP: SourceStamp = SourceStamp {
    size: 1_000_000,
    mtime_ns: 1,
    ctime_ns: 2,
    file_id: 3,
};

/// A machine that has begun a transfer, and the file that it is asked for.
struct Scene {
    server: TestServer,
    ann: Person,
    device: DeviceId,
    transfer: TransferId,
    grant: UploadGrant,
    machine: Control,
    content: Vec<u8>,
}

impl Scene {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let ann = Person::sign_up(&server).await;
        let device = ann.add_machine("laptop").await;
        let (mut controller, _) = Control::open(&server.url, &ann.device).await;
        let (mut machine, _) = Control::open(&server.url, &device).await;
        let Ok(Reply::Transfer(placed)) = place(&mut controller, &order(&ann, device.id(), everything())).await else {
            panic!("placed")
        };
        let Ok(Reply::Grant(grant)) = machine.ask(Request::BeginTransfer { transfer: placed.id }).await else {
            panic!("a grant")
        };
        Self {
            server,
            ann,
            device: device.id(),
            transfer: placed.id,
            grant: *grant,
            machine,
            content: noise(1, STAMP.size as usize),
        }
    }

    /// Makes the first bytes of the file a durable chunk.
    async fn store(&self, len: usize) -> ChunkId {
        let chunk = &self.content[..len];
        let header = ChunkHeader {
            id: self.grant.chunk_key.id(chunk),
            encoding: Encoding::Plain,
            len: len as u32,
            stored_len: len as u32,
        };
        let url = format!("{}/bulk/{}/chunks", self.server.url, self.transfer);
        let sent = bare(Method::POST, &url)
            .bearer_auth(hex::encode(self.grant.ticket))
            .body([&header.to_bytes(), chunk].concat())
            .send();
        assert_eq!(sent.await.unwrap().status(), StatusCode::OK);
        header.id
    }

    fn path(&self) -> String {
        format!("/api/transfers/{}/content?path=films/a%20b.mp4", self.transfer)
    }

    /// Somebody begins to read; the answer comes once the machine answers.
    fn read(&self, headers: &[(&str, &str)]) -> JoinHandle<Response> {
        self.request(Method::GET, &self.path(), headers)
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> JoinHandle<Response> {
        let mut request = self.ann.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        tokio::task::spawn_local(async move { request.send().await.unwrap() })
    }

    /// What the machine is asked next.
    async fn asked(&mut self) -> ReadLive {
        self.machine
            .until(|frame| match frame {
                FromServer::ReadLive(asked) => Some(*asked),
                _ => None,
            })
            .await
    }

    /// The machine says how large the file is.
    async fn tell_size(&mut self) {
        let asked = self.asked().await;
        assert_eq!((asked.offset, asked.len, asked.transfer), (0, 0, self.transfer));
        assert_eq!(asked.path.as_bytes(), b"films/a b.mp4");
        let answered = self.answer(&asked, &[file(), Segment::End]).await;
        // Whoever asked may have enough before the end.
        assert!(answered.is_success() || answered == StatusCode::NOT_FOUND, "{answered}");
    }

    async fn answer(&self, asked: &ReadLive, segments: &[Segment]) -> StatusCode {
        let body: Vec<u8> = segments.iter().flat_map(framed).collect();
        post(&self.server, asked.ticket, body).await
    }

    /// The size, then these segments to the real question: what the reader gets.
    async fn told(&mut self, headers: &[(&str, &str)], segments: &[Segment]) -> Response {
        let read = self.read(headers);
        self.tell_size().await;
        let asked = self.asked().await;
        self.answer(&asked, segments).await;
        read.await.unwrap()
    }

    fn live(&self, range: std::ops::Range<usize>) -> Segment {
        Segment::Bytes(self.content[range].to_vec())
    }
}

fn file() -> Segment {
    Segment::File {
        size: STAMP.size,
        stamp: STAMP,
    }
}

fn framed(segment: &Segment) -> Vec<u8> {
    let bytes = wire::encode(segment);
    [&(bytes.len() as u32).to_le_bytes()[..], &bytes].concat()
}

async fn post(server: &TestServer, ticket: [u8; 32], body: impl Into<Body>) -> StatusCode {
    let url = format!("{}/bulk/live/{}", server.url, hex::encode(ticket));
    match bare(Method::POST, &url).body(body).send().await {
        Ok(response) => response.status(),
        // The server does not read what nobody wants.
        Err(_) => StatusCode::NOT_FOUND,
    }
}

async fn refused(response: Response) -> ErrorCode {
    let status = response.status();
    let refusal: Refusal = response.json().await.unwrap();
    assert_eq!(status.as_u16(), refusal.code.status());
    refusal.code
}

/// Requests of these tests run beside them, on their own thread.
async fn local<T>(test: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().run_until(test).await
}

#[tokio::test]
async fn stored_and_live_bytes_come_as_one_range_with_the_heads_of_a_download() {
    local(async {
        let mut scene = Scene::new().await;
        let chunk = scene.store(300_000).await;
        let segments = [
            file(),
            Segment::Stored {
                chunk,
                chunk_len: 300_000,
                skip: 200_000,
                len: 100_000,
            },
            scene.live(300_000..400_000),
            scene.live(400_000..500_000),
            Segment::End,
        ];
        let got = scene.told(&[("range", "bytes=200000-499999")], &segments).await;
        assert_eq!(got.status(), StatusCode::PARTIAL_CONTENT);
        for (name, value) in [
            ("content-range", "bytes 200000-499999/1000000"),
            ("accept-ranges", "bytes"),
            ("content-type", "application/octet-stream"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            (
                "content-disposition",
                "attachment; filename=\"a b.mp4\"; filename*=UTF-8''a%20b.mp4",
            ),
        ] {
            assert_eq!(got.headers()[name], value);
        }
        let etag = got.headers()["etag"].to_str().unwrap().to_owned();
        assert!(got.bytes().await.unwrap() == scene.content[200_000..500_000]);
        let again = scene.read(&[("if-none-match", &etag)]);
        scene.tell_size().await;
        assert_eq!(again.await.unwrap().status(), StatusCode::NOT_MODIFIED);
        let other = [("range", "bytes=0-9"), ("if-range", "\"other\"")];
        let whole: Vec<Segment> = std::iter::once(file())
            .chain((0..10).map(|at| scene.live(at * 100_000..(at + 1) * 100_000)))
            .collect();
        let got = scene.told(&other, &whole).await;
        assert_eq!((got.status(), got.content_length()), (StatusCode::OK, Some(STAMP.size)));
        assert!(got.bytes().await.unwrap() == scene.content);
        scene.server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_head_and_a_range_behind_the_end_ask_the_machine_for_the_size_alone() {
    local(async {
        let mut scene = Scene::new().await;
        let head = scene.request(Method::HEAD, &scene.path(), &[]);
        scene.tell_size().await;
        let head = head.await.unwrap();
        assert_eq!(
            (head.status(), &head.headers()["content-length"]),
            (StatusCode::OK, &"1000000".parse().unwrap())
        );
        let behind = scene.read(&[("range", "bytes=1000000-")]);
        scene.tell_size().await;
        let behind = behind.await.unwrap();
        assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(behind.headers()["content-range"], "bytes */1000000");
        scene.server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_machine_refuses_is_told_before_the_head_and_signs_nobody_out() {
    local(async {
        let mut scene = Scene::new().await;
        for (said, told) in [
            (ErrorCode::Changing, ErrorCode::Changing),
            (ErrorCode::TooMany, ErrorCode::TooMany),
            (ErrorCode::NotSignedIn, ErrorCode::Conflict),
        ] {
            let read = scene.read(&[]);
            let asked = scene.asked().await;
            let refusal = Refusal::new(said, "no\n");
            scene.answer(&asked, &[Segment::Refused(refusal)]).await;
            let got = read.await.unwrap();
            assert_eq!(got.headers().contains_key("retry-after"), told.may_retry());
            assert_eq!(refused(got).await, told);
        }
        let refusal = Refusal::new(ErrorCode::Changing, "read it again");
        let got = scene.told(&[], &[file(), Segment::Refused(refusal)]).await;
        assert_eq!(
            refused(got).await,
            ErrorCode::Changing,
            "also between the size and the bytes"
        );
        let other = Segment::File {
            size: STAMP.size,
            stamp: SourceStamp { mtime_ns: 9, ..STAMP },
        };
        let got = scene.told(&[], &[other, scene.live(0..100_000)]).await;
        assert_eq!(
            refused(got).await,
            ErrorCode::Changing,
            "another file than the one whose size was told"
        );
        scene.server.stop().await;
    })
    .await;
}

/// An answer that does not stand is an error before the head, or a body that is cut off where it goes wrong.
#[tokio::test]
async fn no_answer_of_a_hostile_machine_looks_whole() {
    local(async {
        let mut scene = Scene::new().await;
        let chunk = scene.store(300_000).await;
        let stored = |chunk, chunk_len, skip, len| Segment::Stored {
            chunk,
            chunk_len,
            skip,
            len,
        };
        let good = scene.live(100_000..200_000);
        let hostile: [(&str, Vec<Segment>); 12] = [
            ("no file first", vec![good.clone()]),
            ("nothing but the end", vec![file(), Segment::End]),
            ("less than asked", vec![file(), good.clone(), Segment::End]),
            ("a body that ends early", vec![file(), good.clone()]),
            (
                "more than asked",
                vec![file(), good.clone(), scene.live(200_000..300_001)],
            ),
            ("an empty piece", vec![file(), Segment::Bytes(Vec::new())]),
            ("the file again", vec![file(), good.clone(), file()]),
            (
                "a chunk of nobody",
                vec![file(), stored(ChunkId([1; 32]), 300_000, 100_000, 200_000)],
            ),
            ("another length", vec![file(), stored(chunk, 300_001, 100_000, 200_000)]),
            (
                "beyond the chunk",
                vec![file(), stored(chunk, 300_000, u32::MAX, 200_000)],
            ),
            (
                "a little beyond the chunk",
                vec![file(), stored(chunk, 300_000, 100_001, 200_000)],
            ),
            (
                "a chunk in crumbs",
                vec![
                    file(),
                    stored(chunk, 300_000, 100_000, 100_000),
                    stored(chunk, 300_000, 200_000, 100_000),
                ],
            ),
        ];
        for (what, segments) in hostile {
            let got = scene.told(&[("range", "bytes=100000-299999")], &segments).await;
            match got.status() {
                StatusCode::PARTIAL_CONTENT => assert!(got.bytes().await.is_err(), "{what}"),
                _ => _ = refused(got).await,
            }
        }
        let good = [file(), stored(chunk, 300_000, 100_000, 200_000), Segment::End];
        let got = scene.told(&[("range", "bytes=100000-299999")], &good).await;
        assert!(got.bytes().await.unwrap() == scene.content[100_000..300_000]);
        scene.server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn chunks_of_another_account_are_not_read() {
    local(async {
        let mut scene = Scene::new().await;
        let app = scene.server.beside().await;
        let chunk = scene.store(300_000).await;
        let bob = invited(&scene.ann, "Bob", false).await;
        // As if he, and not she, had stored it.
        let space = hex::encode(bob.space().as_bytes());
        app.meta().run(&format!("UPDATE chunk SET space = x'{space}'")).await;
        let stolen = Segment::Stored {
            chunk,
            chunk_len: 300_000,
            skip: 0,
            len: 100_000,
        };
        let got = scene.told(&[("range", "bytes=0-99999")], &[file(), stolen]).await;
        assert_eq!(refused(got).await, ErrorCode::Damaged);
        scene.server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_ticket_counts_once_and_not_without_a_reader() {
    local(async {
        let mut scene = Scene::new().await;
        let read = scene.read(&[]);
        scene.tell_size().await;
        let asked = scene.asked().await;
        assert_eq!(
            post(&scene.server, [7; 32], Vec::new()).await,
            StatusCode::NOT_FOUND,
            "a made-up one"
        );
        let (pieces, body) = mpsc::unbounded_channel::<Vec<u8>>();
        let body = Body::wrap_stream(UnboundedReceiverStream::new(body).map(Ok::<_, io::Error>));
        let url = format!("{}/bulk/live/{}", scene.server.url, hex::encode(asked.ticket));
        let mut running = tokio::task::spawn_local(async move { bare(Method::POST, &url).body(body).send().await });
        pieces.send(framed(&file())).unwrap();
        pieces.send(framed(&scene.live(0..100_000))).unwrap();
        let got = read.await.unwrap();
        assert_eq!(
            scene.answer(&asked, &[file()]).await,
            StatusCode::NOT_FOUND,
            "used twice"
        );
        drop(got);
        // The reader is gone: nobody takes what the machine still sends, and its request ends.
        let ended = async {
            loop {
                tokio::select! {
                    _ = &mut running => return,
                    () = tokio::time::sleep(Duration::from_millis(10)) => {
                        let _ = pieces.send(framed(&scene.live(0..1000)));
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
        scene.server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_machine_that_goes_away_or_is_revoked_in_the_middle_cuts_the_answer() {
    local(async {
        for revoked in [false, true] {
            let mut scene = Scene::new().await;
            let read = scene.read(&[]);
            scene.tell_size().await;
            let asked = scene.asked().await;
            let (pieces, body) = mpsc::unbounded_channel::<io::Result<Vec<u8>>>();
            pieces.send(Ok(framed(&file()))).unwrap();
            pieces.send(Ok(framed(&scene.live(0..100_000)))).unwrap();
            let body = Body::wrap_stream(UnboundedReceiverStream::new(body));
            let url = format!("{}/bulk/live/{}", scene.server.url, hex::encode(asked.ticket));
            let sending = tokio::task::spawn_local(async move { bare(Method::POST, &url).body(body).send().await });
            let mut got = read.await.unwrap();
            assert_eq!(got.status(), StatusCode::OK);
            if revoked {
                assert!(scene.ann.revoke(scene.device, 1).await.status().is_success());
            } else {
                pieces.send(Err(io::ErrorKind::ConnectionReset.into())).unwrap();
            }
            let rest = async {
                let mut len = 0;
                loop {
                    match got.chunk().await {
                        Ok(Some(piece)) => len += piece.len(),
                        end => return (len, end.is_err()),
                    }
                }
            };
            let (len, is_cut) = tokio::time::timeout(Duration::from_secs(5), rest).await.unwrap();
            assert!(len <= 100_000 && is_cut, "{len} bytes and no error");
            drop(sending);
            scene.server.stop().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_machine_that_is_away_or_does_not_answer_is_told_with_what_to_do() {
    local(async {
        let mut scene = Scene::new().await;
        let read = scene.read(&[]);
        let late = scene.asked().await;
        let got = tokio::time::timeout(Duration::from_secs(15), read)
            .await
            .unwrap()
            .unwrap();
        assert!(got.headers().contains_key("retry-after"));
        assert_eq!(refused(got).await, ErrorCode::Away);
        assert_eq!(scene.answer(&late, &[file()]).await, StatusCode::NOT_FOUND);
        drop(scene.machine);
        let got = scene
            .ann
            .get(&format!("/api/transfers/{}/content?path=a", scene.transfer))
            .await;
        assert_eq!(refused(got).await, ErrorCode::Away);
        scene.server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn paths_that_lead_out_and_transfers_of_others_or_over_are_refused() {
    local(async {
        let mut scene = Scene::new().await;
        let get = async |query: &str| {
            let path = format!("/api/transfers/{}/content{query}", scene.transfer);
            refused(scene.ann.get(&path).await).await
        };
        for query in [
            "",
            "?path=",
            "?path=../a",
            "?path=/etc/passwd",
            "?path=a/../b",
            "?path=a%00b",
            "?path=a//b",
        ] {
            assert_eq!(get(query).await, ErrorCode::BadRequest, "{query}");
        }
        let stranger = bare(Method::GET, &format!("{}{}", scene.server.url, scene.path())).send();
        assert_eq!(refused(stranger.await.unwrap()).await, ErrorCode::NotSignedIn);
        let bob = invited(&scene.ann, "Bob", false).await;
        assert_eq!(refused(bob.get(&scene.path()).await).await, ErrorCode::NotFound);
        let end = Request::EndTransfer {
            transfer: scene.transfer,
            state: TransferState::Failed,
            progress: Progress::default(),
            error: None,
        };
        scene.machine.ask(end).await.unwrap();
        let path = format!("/api/transfers/{}/content?path=a", scene.transfer);
        assert_eq!(refused(scene.ann.get(&path).await).await, ErrorCode::Conflict);
        scene.server.stop().await;
    })
    .await;
}
