//! How the machines reach the server, each from an address of its own: control sockets with or without TLS, requests without.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use beckon_shared::{route, wire::FRAME_MAX};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream,
    tungstenite::{client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

/// A WebSocket to the server.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A server, and whom to trust to vouch for it.
pub(crate) struct Target {
    /// `https://127.0.0.1:PORT`.
    origin: String,
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// The server at this origin; over TLS with this certificate.
    pub(crate) fn new(origin: &str, certificate: Option<&Path>) -> Self {
        let (_, address) = origin.split_once("://").expect("a scheme");
        Self {
            origin: origin.to_owned(),
            address: address.parse().expect("an address with a port"),
            tls: certificate.map(trusting),
        }
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    async fn tcp(&self, source: Ipv4Addr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Opens a WebSocket as an agent does; nothing if the server is away.
    pub(super) async fn socket(&self, source: Ipv4Addr, offered: &str) -> Option<Socket> {
        let tcp = self.tcp(source).await.ok()?;
        let url = format!("{}{}", self.origin.replacen("http", "ws", 1), route::SOCKET);
        let mut request = url.into_client_request().ok()?;
        let offered = HeaderValue::from_str(offered).ok()?;
        request.headers_mut().insert("sec-websocket-protocol", offered);
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(0)
            .max_message_size(Some(FRAME_MAX))
            .max_frame_size(Some(FRAME_MAX));
        let connector = match &self.tls {
            Some(tls) => Connector::Rustls(Arc::clone(tls)),
            None => Connector::Plain,
        };
        tokio_tungstenite::client_async_tls_with_config(request, tcp, Some(config), Some(connector))
            .await
            .ok()
            .map(|(socket, _)| socket)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, source: Ipv4Addr, path: &str) -> T {
        let answer = self.ask(source, &format!("GET {path}"), "").await;
        serde_json::from_str(&answer).expect("JSON as agreed")
    }

    pub(super) async fn post(&self, source: Ipv4Addr, path: &str, body: &impl Serialize) {
        let body = serde_json::to_string(body).expect("it can be written");
        self.ask(source, &format!("POST {path}"), &body).await;
    }

    /// One request without TLS on a connection of its own (RFC 9112); the body of the answer, which must be a good one.
    async fn ask(&self, source: Ipv4Addr, what: &str, body: &str) -> String {
        let mut tcp = self.tcp(source).await.expect("the server listens");
        let request = format!(
            "{what} HTTP/1.1\r\nhost: {}\r\norigin: {}\r\n{}: 1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.origin,
            route::MUTATION_HEADER,
            body.len()
        );
        tcp.write_all(request.as_bytes()).await.expect("the server reads");
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.expect("the server answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 2"), "{what}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        body.to_owned()
    }
}

fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    roots.add(certificate).expect("a certificate that counts");
    let config = ClientConfig::builder().with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
}
