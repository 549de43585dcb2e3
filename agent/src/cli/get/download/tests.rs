//! Downloads from a server that breaks off, lies and changes its mind.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::*;
use crate::{origin::Origin, server::Server};

/// A place for bytes that remembers them.
#[derive(Default)]
struct Memory(Vec<u8>);

impl Sink for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    async fn restart(&mut self) -> io::Result<()> {
        self.0.clear();
        Ok(())
    }
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
    async fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request: the start of its range, and its `If-Range`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    from: u64,
    if_range: Option<String>,
}

/// An HTTP server that answers the n-th request by `answer`, then closes the connection.
async fn serve(answer: impl Fn(usize, &Asked) -> Vec<u8> + Send + 'static) -> (Api, Arc<AtomicUsize>) {
    crate::cli::tests::install_tls();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut asked = Asked {
                from: 0,
                if_range: None,
            };
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
                let lower = line.trim().to_lowercase();
                if let Some(range) = lower.strip_prefix("range: bytes=") {
                    asked.from = range.trim_end_matches('-').parse().unwrap();
                }
                asked.if_range = lower.strip_prefix("if-range: ").map(str::to_owned).or(asked.if_range);
                line.clear();
            }
            let bytes = answer(counted.fetch_add(1, Ordering::SeqCst), &asked);
            let _ = stream.get_mut().write_all(&bytes).await;
        }
    });
    (Api::anonymous(&Server::new(origin, None).unwrap()).unwrap(), count)
}

/// The rest of `content` from `asked.from` on, cut off after `sent` bytes.
fn rest(content: &[u8], asked: &Asked, etag: &str, sent: usize) -> Vec<u8> {
    let from = asked.from as usize;
    let body = &content[from..];
    let head = match from {
        0 => format!(
            "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\n\r\n",
            content.len() - 1,
            content.len(),
            body.len()
        ),
    };
    [head.as_bytes(), &body[..sent.min(body.len())]].concat()
}

fn source() -> Source {
    Source {
        url: "/file".to_owned(),
        etag: None,
    }
}

fn content() -> Vec<u8> {
    (0..100_000u32).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn a_download_goes_on_where_each_break_left_it() {
    let (api, count) = serve(|_, asked| rest(&content(), asked, "\"a\"", 150_000)).await;
    let mut sink = Memory::default();
    assert_eq!(
        download(&api, &mut source(), &mut sink, |_| Ok(())).await.unwrap(),
        400_000
    );
    assert_eq!(sink.0, content());
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn another_content_meanwhile_begins_anew() {
    let new = vec![7; 300_000];
    let expected = new.clone();
    let (api, _) = serve(move |n, asked| match n {
        0 => rest(&content(), asked, "\"old\"", 100_000),
        1 => {
            assert_eq!(asked.if_range.as_deref(), Some("\"old\""));
            rest(
                &new,
                &Asked {
                    from: 0,
                    if_range: None,
                },
                "\"new\"",
                usize::MAX,
            )
        }
        _ => panic!("asked too often"),
    })
    .await;
    let mut sink = Memory::default();
    let mut tags = Vec::new();
    let mut source = source();
    let remember = |tag: &HeaderValue| {
        tags.push(tag.clone());
        Ok(())
    };
    assert_eq!(download(&api, &mut source, &mut sink, remember).await.unwrap(), 300_000);
    assert_eq!(sink.0, expected);
    assert_eq!(tags, ["\"old\"", "\"new\""]);
}

#[tokio::test]
async fn what_is_whole_already_is_not_fetched_again() {
    let (api, count) = serve(|_, _| {
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */400000\r\nContent-Length: 0\r\n\r\n".to_vec()
    })
    .await;
    let mut sink = Memory(content());
    assert_eq!(
        download(&api, &mut source(), &mut sink, |_| Ok(())).await.unwrap(),
        400_000
    );
    assert_eq!((sink.0.len(), count.load(Ordering::SeqCst)), (400_000, 1));
}

#[tokio::test]
async fn a_leftover_that_is_too_long_is_thrown_away() {
    let (api, _) = serve(|n, asked| match n {
        0 => b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */5\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => rest(b"hello", asked, "\"a\"", 5),
    })
    .await;
    let mut sink = Memory(content());
    assert_eq!(download(&api, &mut source(), &mut sink, |_| Ok(())).await.unwrap(), 5);
    assert_eq!(sink.0, b"hello");
}

#[tokio::test]
async fn a_server_that_never_gets_further_is_given_up() {
    let (api, count) = serve(|n, asked| rest(&content(), asked, "\"a\"", if n == 0 { 10 } else { 0 })).await;
    let Err(Broken::Remote(failure)) = download(&api, &mut source(), &mut Memory::default(), |_| Ok(())).await else {
        panic!("came whole")
    };
    assert_eq!(failure.code, "unreachable");
    assert_eq!(count.load(Ordering::SeqCst), 1 + TRIES as usize);
}

#[tokio::test]
async fn a_refusal_is_told_and_not_repeated() {
    let body = r#"{"code":"damaged","message":"a.txt is damaged","retry":false}"#;
    let answer = format!(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (api, count) = serve(move |_, _| answer.clone().into_bytes()).await;
    let Err(Broken::Remote(failure)) = download(&api, &mut source(), &mut Memory::default(), |_| Ok(())).await else {
        panic!("came whole")
    };
    assert_eq!(
        (failure.code, failure.message.as_str()),
        ("damaged", "a.txt is damaged")
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
