//! Downloads as a client sees them, over a real connection.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{App, HttpRequest, HttpServer, rt, web};
use beckon_shared::id::{ChunkId, NodeId};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{drive::body::Body, http::drive::download::Download, store::Error};

const ETAG: &str = "\"c0ffee\"";

fn content() -> Bytes {
    (0..60_000u32).flat_map(u32::to_le_bytes).collect()
}

/// What the body does after this many bytes.
#[derive(Clone, Copy, PartialEq)]
enum After {
    End,
    Damage(u64),
    Nothing(u64),
}

#[derive(Clone)]
struct Served {
    after: After,
    cut: CancellationToken,
}

async fn answer(request: HttpRequest, served: web::Data<Served>) -> crate::error::Answer {
    let all = if request.path() == "/empty" {
        Bytes::new()
    } else {
        content()
    };
    let download = Download {
        name: "größe \u{202e}.bin".to_owned(),
        etag: ETAG.to_owned(),
        total: all.len() as u64,
    };
    let after = served.after;
    download
        .answer(&request, served.cut.clone(), async move |range| {
            Ok(body(all.slice(range.start as usize..range.end as usize), after))
        })
        .await
}

fn body(all: Bytes, after: After) -> Body {
    let piece = |bytes: Bytes| {
        stream::iter(
            bytes
                .chunks(7000)
                .map(Bytes::copy_from_slice)
                .map(Ok)
                .collect::<Vec<_>>(),
        )
    };
    match after {
        After::End => piece(all).boxed(),
        After::Damage(at) => {
            let error = Error::Damaged {
                node: NodeId::new(Default::default(), [7; 10]),
                chunk: ChunkId([0; 32]),
            };
            piece(all.slice(..at as usize))
                .chain(stream::iter([Err(error)]))
                .boxed()
        }
        After::Nothing(at) => piece(all.slice(..at as usize)).chain(stream::pending()).boxed(),
    }
}

async fn serve(after: After) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let cut = CancellationToken::new();
    let served = web::Data::from(Arc::new(Served {
        after,
        cut: cut.clone(),
    }));
    let server = HttpServer::new(move || {
        let resource = web::resource("/{any}")
            .route(web::get().to(answer))
            .route(web::head().to(answer));
        App::new().app_data(served.clone()).service(resource)
    });
    rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
    (address, cut)
}

struct Reply {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// `request` is a method and a path, `headers` whole lines.
async fn begin(address: SocketAddr, request: &str, headers: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n");
    connection.write_all(text.as_bytes()).await.unwrap();
    connection
}

async fn finish(mut connection: TcpStream, mut received: Vec<u8>) -> Reply {
    // A connection that is broken off may be reset.
    let _ = connection.read_to_end(&mut received).await;
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let text = String::from_utf8(received[..head].to_vec()).unwrap();
    let (status, headers) = text.split_once("\r\n").unwrap();
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    Reply {
        status: status.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: received[head + 4..].to_vec(),
    }
}

async fn ask(address: SocketAddr, request: &str, headers: &str) -> Reply {
    finish(begin(address, request, headers).await, Vec::new()).await
}

#[actix_web::test]
async fn the_whole_comes_as_an_attachment_that_runs_nothing() {
    let (address, _) = serve(After::End).await;
    let reply = ask(address, "GET /file", "").await;
    assert_eq!((reply.status, reply.body.len()), (200, content().len()));
    assert!(reply.body == content());
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert_eq!(reply.header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!((reply.header("etag"), reply.header("accept-ranges")), (ETAG, "bytes"));
    assert_eq!(
        reply.header("content-disposition"),
        "attachment; filename=\"gr__e _.bin\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20_.bin"
    );
}

#[actix_web::test]
async fn a_range_is_that_part_and_one_beyond_the_end_is_refused() {
    let (address, _) = serve(After::End).await;
    let reply = ask(address, "GET /file", "Range: bytes=1000-99999\r\n").await;
    assert_eq!(
        (reply.status, reply.header("content-range")),
        (206, "bytes 1000-99999/240000")
    );
    assert!(reply.body == content()[1000..100_000]);
    let reply = ask(address, "GET /file", "Range: bytes=-5\r\nIf-Range: \"c0ffee\"\r\n").await;
    assert!(reply.status == 206 && reply.body == content()[239_995..]);
    let reply = ask(address, "GET /file", "Range: bytes=-5\r\nIf-Range: \"other\"\r\n").await;
    assert_eq!((reply.status, reply.body.len()), (200, 240_000));
    let reply = ask(address, "GET /file", "Range: bytes=240000-\r\n").await;
    assert_eq!((reply.status, reply.header("content-range")), (416, "bytes */240000"));
    let reply = ask(address, "GET /file", "If-None-Match: \"c0ffee\"\r\n").await;
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    // What a browser keeps of a file takes these over.
    assert_eq!(reply.header("content-security-policy"), "sandbox; default-src 'none'");
    assert!(reply.header("content-disposition").starts_with("attachment"));
}

#[actix_web::test]
async fn head_tells_the_length_and_sends_nothing() {
    let (address, _) = serve(After::End).await;
    let reply = ask(address, "HEAD /file", "").await;
    assert_eq!(
        (reply.status, reply.header("content-length"), reply.body.len()),
        (200, "240000", 0)
    );
    let reply = ask(address, "HEAD /file", "Range: bytes=0-9\r\n").await;
    assert_eq!(
        (reply.status, reply.header("content-length"), reply.body.len()),
        (206, "10", 0)
    );
    let reply = ask(address, "GET /empty", "").await;
    assert_eq!(
        (reply.status, reply.header("content-length"), reply.body.len()),
        (200, "0", 0)
    );
}

#[actix_web::test]
async fn damage_at_the_start_is_an_error_that_names_the_file() {
    let (address, _) = serve(After::Damage(0)).await;
    let reply = ask(address, "GET /file", "").await;
    let node = NodeId::new(Default::default(), [7; 10]).to_string();
    assert!(reply.status == 500 && String::from_utf8(reply.body).unwrap().contains(&node));
}

#[actix_web::test]
async fn damage_in_the_middle_breaks_the_connection_off() {
    let (address, _) = serve(After::Damage(100_000)).await;
    let reply = ask(address, "GET /file", "").await;
    assert_eq!((reply.status, reply.header("content-length")), (200, "240000"));
    assert!(reply.body.len() <= 100_000 && content().starts_with(&reply.body));
}

#[actix_web::test]
async fn a_running_body_ends_at_once_when_the_device_is_cut_off() {
    let (address, cut) = serve(After::Nothing(7000)).await;
    let mut connection = begin(address, "GET /file", "").await;
    let mut received = vec![0; 1];
    connection.read_exact(&mut received).await.unwrap();
    cut.cancel();
    let reply = finish(connection, received).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.len() <= 7000);
}
