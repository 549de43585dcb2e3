//! The app on loopback before a server that is played here, seen as a browser sees it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::AbortHandle,
};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, handshake::server};

use super::*;
use crate::origin::Origin;

/// The app, serving; its server's address, and what that heard.
struct Scene {
    url: String,
    server: String,
    heard: Arc<Mutex<Vec<String>>>,
    running: [AbortHandle; 2],
}

impl Drop for Scene {
    fn drop(&mut self) {
        for task in &self.running {
            task.abort();
        }
    }
}

impl Scene {
    /// Before a server that reads the head of a request and then does this.
    async fn with<F: Future<Output = ()> + Send>(
        answer: impl Fn(TcpStream, String) -> F + Clone + Send + 'static,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let played = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), answer.clone());
                tokio::spawn(async move {
                    let head = head(&mut stream).await;
                    log.lock().unwrap().push(head.to_lowercase());
                    answer(stream, head).await;
                });
            }
        });
        let server_there = Server::new(Origin::parse(&server).unwrap(), None).unwrap();
        let ui = Ui::bind(&server_there, 0).await.unwrap();
        let url = ui.url().to_owned();
        let serving = tokio::spawn(ui.serve());
        Self {
            url,
            server,
            heard,
            running: [played.abort_handle(), serving.abort_handle()],
        }
    }

    /// Before a server that answers all alike.
    async fn answering(answer: &'static str) -> Self {
        Self::with(async |mut stream: TcpStream, _| stream.write_all(answer.as_bytes()).await.unwrap()).await
    }

    fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        client.build().unwrap().request(method, format!("{}{path}", self.url))
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\nconnection: close\r\n\
    content-security-policy: script-src *\r\nset-cookie: a=b\r\nclear-site-data: \"*\"\r\n\r\nevil";

#[tokio::test]
async fn nothing_of_the_server_is_served_in_place_of_the_app() {
    let scene = Scene::answering(EVIL).await;
    for path in [
        "/",
        "/machines",
        "/nothing",
        "/index.html",
        "/save.js",
        "/icon.svg",
        "/app/x.js",
        "/apis",
        "/healthz",
        "/save/1",
    ] {
        let answer = scene.ask(Method::GET, path).send().await.unwrap();
        assert!(
            answer.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'"),
            "{path}"
        );
        assert_ne!(answer.text().await.unwrap(), "evil", "{path}");
    }
    assert_eq!(scene.heard(), [""; 0]);
    let page = scene.ask(Method::GET, "/").send().await.unwrap().text().await.unwrap();
    let meta = format!("<meta name=\"server\" content=\"{}\">", scene.server);
    assert!(page.contains(&meta), "{page}");
}

#[tokio::test]
async fn what_the_server_answers_is_data() {
    let scene = Scene::answering(EVIL).await;
    let answer = scene.ask(Method::GET, "/api/drive").send().await.unwrap();
    let headers = answer.headers().clone();
    assert_eq!(answer.text().await.unwrap(), "evil");
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .ends_with("sandbox")
    );
    for name in ["set-cookie", "clear-site-data"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_server_that_leads_elsewhere_is_not_followed() {
    let leads = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let scene = Scene::answering(leads).await;
    let answer = scene.ask(Method::GET, "/api/status").send().await.unwrap();
    assert!(!answer.headers().contains_key("location"));
    let refusal: Refusal = answer.json().await.unwrap();
    assert!(refusal.message.contains("302"), "{}", refusal.message);
    assert_eq!(scene.heard().len(), 1);
}

#[tokio::test]
async fn the_server_is_asked_in_its_own_name_and_its_session_is_kept_under_another() {
    let signs_in = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\
        set-cookie: __Host-beckon_session=ab12; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure\r\n\r\n";
    let scene = Scene::answering(signs_in).await;
    let sent = scene
        .ask(Method::POST, "/api/sign-in?x=1")
        .header("origin", &scene.url)
        .header("referer", format!("{}/drive", scene.url))
        .header("cookie", "beckon_session=other")
        .body("body");
    let answer = sent.send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(!cookie.contains("Secure") && cookie.starts_with("ui"), "{cookie}");
    let (pair, _) = cookie.split_once(';').unwrap();
    scene
        .ask(Method::GET, "/api/sessions")
        .header("cookie", pair)
        .send()
        .await
        .unwrap();
    let heard = scene.heard();
    let address = scene.server.trim_start_matches("http://");
    assert!(
        heard[0].starts_with("post /api/sign-in?x=1 http/1.1\r\n"),
        "{}",
        heard[0]
    );
    for line in [
        format!("\r\nhost: {address}\r\n"),
        format!("\r\norigin: {}\r\n", scene.server),
    ] {
        assert!(heard[0].contains(&line), "{}", heard[0]);
    }
    for kept in ["referer", "cookie"] {
        assert!(!heard[0].contains(kept), "{}", heard[0]);
    }
    assert!(
        heard[1].contains("\r\ncookie: __host-beckon_session=ab12\r\n"),
        "{}",
        heard[1]
    );
}

#[tokio::test]
async fn other_pages_get_no_answer_and_the_server_does_not_hear_of_them() {
    let scene = Scene::answering(EVIL).await;
    for (name, value) in [
        ("host", "rebound.example"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-dest", "script"),
    ] {
        let answer = scene
            .ask(Method::GET, "/api/status")
            .header(name, value)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        assert!(answer.text().await.unwrap().contains(&scene.url), "{name}");
    }
    let port = scene.url.rsplit(':').next().unwrap();
    let named = scene
        .ask(Method::GET, "/drive")
        .header("host", format!("localhost:{port}"));
    let answer = named.send().await.unwrap();
    assert_eq!(answer.headers()["location"], format!("{}/drive", scene.url));
    assert_eq!(scene.heard(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_is_away_is_told_of_in_words_for_the_app() {
    let scene = Scene::answering(EVIL).await;
    scene.running[0].abort();
    let answer = loop {
        // The port is closed once the task that held it is gone.
        let answer = scene.ask(Method::GET, "/api/status").send().await.unwrap();
        if answer.status() != StatusCode::OK {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    let refusal: Refusal = answer.json().await.unwrap();
    assert!(
        refusal.retry && refusal.message.contains(&scene.server),
        "{}",
        refusal.message
    );
}

#[tokio::test]
async fn whoever_opens_the_app_of_another_time_than_the_server_is_told_what_to_update() {
    let scene =
        Scene::answering("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let open = async || {
        let page = scene.ask(Method::GET, "/machines").header("accept", "text/html,*/*");
        page.send().await.unwrap().text().await.unwrap()
    };
    assert!(open().await.contains("<meta name=\"server\""));
    let socket = scene.ask(Method::GET, "/socket").header("upgrade", "websocket");
    assert_eq!(socket.send().await.unwrap().status(), StatusCode::UPGRADE_REQUIRED);
    let script = scene.ask(Method::GET, "/save.js").send().await.unwrap();
    assert_ne!(script.status(), StatusCode::FORBIDDEN);
    let words = open().await;
    assert!(
        words.contains("Update the older") && words.contains(&scene.server),
        "{words}"
    );
    // The server may have been updated since: the next attempt finds out.
    assert!(open().await.contains("<meta name=\"server\""));
}

/// More than all buffers on the way hold together. Bytes.
const MUCH: usize = 64 << 20;

#[tokio::test]
async fn a_download_comes_no_faster_than_the_browser_takes_it() {
    let sent = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(Notify::new());
    let (count, end) = (Arc::clone(&sent), Arc::clone(&ended));
    let scene = Scene::with(move |mut stream, _| {
        let (count, end) = (Arc::clone(&count), Arc::clone(&end));
        async move {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {MUCH}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(&[7; 1 << 16]).await.is_ok() {
                count.fetch_add(1 << 16, Ordering::SeqCst);
            }
            end.notify_one();
        }
    })
    .await;
    let mut answer = scene.ask(Method::GET, "/api/drive/content").send().await.unwrap();
    assert_eq!(answer.content_length(), Some(MUCH as u64));
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    // Whoever does not read on has the server stop, at the latest when the connection is gone.
    ended.notified().await;
    assert!(sent.load(Ordering::SeqCst) < MUCH, "{}", sent.load(Ordering::SeqCst));
}

#[tokio::test]
async fn an_upload_is_taken_no_faster_than_the_server_takes_it() {
    let scene = Scene::with(async |mut stream: TcpStream, _| {
        // Reads nothing of the body.
        let refused = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(refused).await.unwrap();
        std::future::pending().await
    })
    .await;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let pieces = futures_util::stream::repeat_with(move || {
        count.fetch_add(1 << 16, Ordering::SeqCst);
        Ok::<_, io::Error>(vec![7_u8; 1 << 16])
    });
    let body = Body::wrap_stream(pieces.take(MUCH >> 16));
    let answer = scene
        .ask(Method::PUT, "/bulk/1/chunks")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(taken.load(Ordering::SeqCst) < MUCH, "{}", taken.load(Ordering::SeqCst));
}

#[tokio::test]
async fn sockets_pass_both_ways_with_their_sub_protocol() {
    let scene = Scene::with(async |stream, head| echo(stream, head).await).await;
    let url = format!("{}/relay/ab", scene.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "one, two".parse().unwrap());
    headers.insert("origin", scene.url.parse().unwrap());
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "two");
    for text in ["up", "down"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    let heard = scene.heard().remove(0);
    assert!(heard.starts_with("get /relay/ab http/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("\r\norigin: {}\r\n", scene.server)), "{heard}");
}

/// A socket that says what it hears, by the second of the sub-protocols.
#[allow(clippy::result_large_err, reason = "the library's own type of a refusal")]
async fn echo(stream: TcpStream, head: String) {
    let (reader, writer) = stream.into_split();
    let stream = tokio::io::join(io::Cursor::new(head).chain(reader), writer);
    let choose = |request: &server::Request, mut answer: server::Response| {
        assert_eq!(request.headers()["sec-websocket-protocol"], "one, two");
        answer
            .headers_mut()
            .insert("sec-websocket-protocol", "two".parse().unwrap());
        Ok(answer)
    };
    let (mut outgoing, incoming) = tokio_tungstenite::accept_hdr_async(stream, choose)
        .await
        .unwrap()
        .split();
    let texts = incoming.filter(|message| std::future::ready(message.as_ref().is_ok_and(Message::is_text)));
    // Ends with an error where the other end closes first.
    let _ = outgoing.send_all(&mut texts.boxed()).await;
}
