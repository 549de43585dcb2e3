//! Bodies as they go over the wire, and what answers are taken for.

use beckon_shared::bulk::{ChunkHeader, Encoding};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use super::*;
use crate::{
    connection::LinkEnd,
    index::Index,
    origin::Origin,
    state::StateDir,
    upload::{
        encode::{Chunk, Compression},
        progress::Counters,
    },
};

/// Sends two chunks to a server that answers so; comes back with what it was sent.
async fn send_to(answer: &'static str) -> (Result<(), Failure>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_end, link) = LinkEnd::new();
    let folder = tempfile::tempdir().unwrap();
    let index = Index::in_memory(&StateDir::open(folder.path()).unwrap()).unwrap();
    let tools = Tools::new(link, reqwest::Client::new(), origin, index);
    let http = Http::new(&tools, TransferId::from_slice(&[1; 16]).unwrap());
    let chunk = |id: u8, content| Chunk {
        id: ChunkId([id; 32]),
        content,
        recipe: None,
    };
    let chunks = vec![
        chunk(1, Bytes::from_static(b"first")),
        chunk(2, Bytes::from(vec![b'x'; 5000])),
    ];
    let counters = Arc::new(Counters::default());
    let body = Body::new(chunks, Compression::Fast, Arc::clone(&counters));
    let (sent, seen) = tokio::join!(http.send(body), serve(listener, answer));
    (sent, seen)
}

/// Reads one request up to the last chunk of its body (RFC 9112, 7.1), answers, and closes.
async fn serve(listener: TcpListener, answer: &str) -> Vec<u8> {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        assert_ne!(socket.read_buf(&mut seen).await.unwrap(), 0);
    }
    socket.write_all(answer.as_bytes()).await.unwrap();
    seen
}

fn position(all: &[u8], part: &[u8]) -> Option<usize> {
    all.windows(part.len()).position(|window| window == part)
}

#[tokio::test]
async fn chunks_travel_as_header_and_stored_bytes_with_the_ticket() {
    let (sent, seen) = send_to("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(sent, Ok(()));
    let head = String::from_utf8_lossy(&seen).to_lowercase();
    assert!(head.starts_with("post /bulk/01010101-0101-0101-0101-010101010101/chunks http/1.1"));
    assert!(head.contains(&format!("authorization: bearer {}", "00".repeat(32))));
    let plain = ChunkHeader {
        id: ChunkId([1; 32]),
        encoding: Encoding::Plain,
        len: 5,
        stored_len: 5,
    };
    let first = position(&seen, &plain.to_bytes()).unwrap();
    assert!(position(&seen, b"first").unwrap() > first);
    let second = position(&seen, &[2; 32]).unwrap();
    let header = ChunkHeader::parse(seen[second..].first_chunk().unwrap()).unwrap();
    assert_eq!((header.encoding, header.len), (Encoding::Zstd, 5000));
    assert!(header.stored_len < 100);
}

#[tokio::test]
async fn answers_are_told_apart() {
    let code_of = |failure: Failure| match failure {
        Failure::Ticket => "a ticket",
        Failure::Break => "a break",
        Failure::Refused(refusal) => refusal.code.name(),
    };
    let cases = [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "a ticket"),
        (
            "HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 4\r\n\r\nfull",
            "no-room",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 15\r\n\r\n<h1>proxy</h1>\r\n",
            "a break",
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "bad-version"),
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 49\r\n\r\n{\"code\":\"revoked\",\"message\":\"gone\",\"retry\":false}",
            "revoked",
        ),
        ("", "a break"),
    ];
    for (answer, expected) in cases {
        let (sent, _) = send_to(answer).await;
        assert_eq!(code_of(sent.unwrap_err()), expected, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_a_rate_frames_are_cut_into_steps_and_nothing_of_them_is_lost() {
    let (throttle, moved) = (Arc::new(Throttle::default()), Arc::new(AtomicU64::new(0)));
    throttle.set(Some(8000));
    let frames = vec![Bytes::from(vec![1; 500]), Bytes::new(), Bytes::from(vec![2; 7500])];
    let begun = Instant::now();
    let steps: Vec<_> = paced(frames.into_iter(), throttle, Arc::clone(&moved)).collect().await;
    assert_eq!(
        (steps.len(), moved.load(Relaxed)),
        (9, 9),
        "none is over a thousand bytes"
    );
    assert_eq!(steps.concat(), [vec![1; 500], vec![2; 7500]].concat());
    assert!((0.8..=1.0).contains(&begun.elapsed().as_secs_f64()));
}
