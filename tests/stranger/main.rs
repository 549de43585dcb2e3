//! Somebody who listens where a machine is looked for, takes what comes, and says on standard output what that was:
//! `stranger ADDRESS:PORT silent|garbage`. With `page` it answers whatever is asked with an empty page instead.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for tests that is ended with them"
)]

use std::env;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

/// As long as the answer of a machine may be, and no secret is in it.
const GARBAGE: [u8; 600] = [0x5a; 600];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = env::args().skip(1);
    let address = args.next().expect("an address and a port");
    let manner = args.next().unwrap_or_default();
    let listener = TcpListener::bind(&address).await.expect("a free port");
    println!("listening");
    while let Ok((socket, from)) = listener.accept().await {
        println!("connection from {}", from.ip());
        let answers = manner == "garbage";
        match manner == "page" {
            true => drop(tokio::spawn(show(socket))),
            false => drop(tokio::spawn(hear(socket, answers))),
        }
    }
}

/// What a browser asks for comes in one piece, and is of no interest.
async fn show(mut socket: TcpStream) {
    let page = "<!doctype html><title>A page of somebody else</title>";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
    let answer = format!("{head}content-length: {}\r\n\r\n{page}", page.len());
    if socket.read(&mut [0; 4096]).await.is_ok() {
        // Who closed it already needs no page.
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

async fn hear(socket: TcpStream, answers: bool) {
    let Ok(mut socket) = accept_hdr_async(socket, agree).await else {
        println!("no WebSocket");
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => println!("message {}", hex::encode(bytes)),
            Message::Text(text) => println!("text {text}"),
            _ => continue,
        }
        if answers && socket.send(Message::Binary(GARBAGE.to_vec().into())).await.is_err() {
            break;
        }
    }
    println!("closed");
}

/// Agrees to whatever language is asked for first.
#[expect(clippy::result_large_err, reason = "the type is the library's")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if let Some(language) = request.headers().get("sec-websocket-protocol") {
        response
            .headers_mut()
            .insert("sec-websocket-protocol", language.clone());
    }
    Ok(response)
}
