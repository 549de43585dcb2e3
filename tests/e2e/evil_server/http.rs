//! As much of HTTP/1.1 as the programs use: one request on each connection, of known length.

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A request; its headers say nothing that matters here.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

/// An answer.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: &'static str,
    pub(super) body: Vec<u8>,
}

/// The path of the request that begins the stream, which stays unread.
pub(super) async fn peek_path(stream: &TcpStream) -> Option<String> {
    let mut head = [0; 1024];
    loop {
        let len = stream.peek(&mut head).await.ok().filter(|len| *len > 0)?;
        let head = String::from_utf8_lossy(&head[..len]);
        if let Some((line, _)) = head.split_once("\r\n") {
            return line.split(' ').nth(1).map(ToOwned::to_owned);
        }
        tokio::task::yield_now().await;
    }
}

pub(super) async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let first = line(&mut reader).await?;
    let mut words = first.split(' ').map(ToOwned::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let header = line(&mut reader).await?;
        if header.is_empty() {
            break;
        }
        let header = header.to_ascii_lowercase();
        assert!(
            !header.starts_with("transfer-encoding"),
            "{path}: a body without a length is not understood here"
        );
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some(Request { method, path, body })
}

async fn line(reader: &mut BufReader<&mut TcpStream>) -> Option<String> {
    let mut line = String::new();
    let len = reader.read_line(&mut line).await.ok()?;
    (len > 0).then(|| line.trim_end().to_owned())
}

pub(super) async fn write(stream: &mut TcpStream, response: Response) {
    let Response { status, headers, body } = response;
    let head = format!(
        "HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    // Who asked may have gone.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _ = stream.shutdown().await;
}
