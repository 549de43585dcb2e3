//! The server as this device reaches it: its origin, and whom it trusts to vouch for it (TLS).

use std::{path::Path, sync::Arc, time::Duration};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    wire::FRAME_MAX,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream,
    tungstenite::{client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

use crate::{connection::ConnectError, origin::Origin, state};

/// A WebSocket to the server.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PROTOCOL_HEADER: &str = "sec-websocket-protocol";
/// How long dialling may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);
/// A file of certificates is no larger. Bytes.
const CA_FILE_MAX: usize = 4 << 20;

/// A connection that was of no use for so long is not used again: a dead one says nothing of it, and whoever asks over it
/// learns that late. The server keeps them no longer.
const IDLE: Duration = Duration::from_secs(5);

/// The server as this device reaches it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) origin: Origin,
    tls: Arc<ClientConfig>,
}

impl Server {
    /// A server that the system's certificate authorities vouch for, or those in the PEM file `ca` besides.
    pub(crate) fn new(origin: Origin, ca: Option<&Path>) -> Result<Self, Refusal> {
        // Reading the system's authorities takes its time, and without TLS nobody is to be vouched for.
        let roots = if origin.is_tls() {
            trusted(ca)?
        } else {
            RootCertStore::empty()
        };
        Ok(Self {
            origin,
            tls: Arc::new(tls_config(roots)?),
        })
    }

    /// An HTTP client for this server, with the same trust. It follows no redirects, so that nothing secret leaves the origin.
    pub(crate) fn http(&self) -> Result<reqwest::Client, Refusal> {
        built(self.http_builder())
    }

    /// As [`Server::http`], by HTTP/1.1, whose connections can become WebSockets.
    pub(crate) fn http_for_sockets(&self) -> Result<reqwest::Client, Refusal> {
        built(self.http_builder().http1_only())
    }

    fn http_builder(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(&self.tls))
            .connect_timeout(DIAL_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .no_proxy()
    }

    /// Opens a WebSocket at `path` with messages of at most `message_max` bytes. Offers the sub-protocols in `offered`
    /// (RFC 6455, 1.9), separated by commas, and says which one the server took.
    pub(crate) async fn socket(
        &self,
        path: &str,
        offered: &str,
        message_max: usize,
    ) -> Result<(Socket, String), ConnectError> {
        tokio::time::timeout(DIAL_TIMEOUT, self.dial(path, offered, message_max))
            .await
            .unwrap_or_else(|_| Err(ConnectError::unreachable(&self.origin)))
    }

    async fn dial(&self, path: &str, offered: &str, message_max: usize) -> Result<(Socket, String), ConnectError> {
        let unreachable = || ConnectError::unreachable(&self.origin);
        let (host, port) = self.origin.address();
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|cause| {
            tracing::debug!(%cause, "the server does not answer");
            unreachable()
        })?;
        let _ = tcp.set_nodelay(true);
        let mut request = self
            .origin
            .socket_url(path)
            .into_client_request()
            .map_err(|_| unreachable())?;
        let protocols = HeaderValue::from_str(offered).map_err(|_| ConnectError::Protocol)?;
        request.headers_mut().insert(PROTOCOL_HEADER, protocols);
        // A small buffer, because an idle connection costs its size for as long as it stands; but a session, which ends when
        // it is idle, takes in a record at a time.
        let config = WebSocketConfig::default()
            .read_buffer_size(if message_max > FRAME_MAX { 64 << 10 } else { 4096 })
            .write_buffer_size(0)
            .max_message_size(Some(message_max))
            .max_frame_size(Some(message_max));
        let connector = if self.origin.is_tls() {
            Connector::Rustls(Arc::clone(&self.tls))
        } else {
            Connector::Plain
        };
        let opened = tokio_tungstenite::client_async_tls_with_config(request, tcp, Some(config), Some(connector)).await;
        let (socket, response) = opened.map_err(|error| ConnectError::from_handshake(error, &self.origin))?;
        let taken = response
            .headers()
            .get(PROTOCOL_HEADER)
            .and_then(|taken| taken.to_str().ok())
            .unwrap_or_default();
        Ok((socket, taken.to_owned()))
    }
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Refusal> {
    builder.build().map_err(|cause| {
        tracing::error!(%cause, "no HTTP client");
        Refusal::new(ErrorCode::Internal, "the HTTP client could not be set up; see the log")
    })
}

fn trusted(ca: Option<&Path>) -> Result<RootCertStore, Refusal> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // The system's store may hold what this library does not understand.
        let _ = roots.add(certificate);
    }
    if let Some(path) = ca {
        add_file(&mut roots, path)?;
    }
    Ok(roots)
}

fn tls_config(roots: RootCertStore) -> Result<ClientConfig, Refusal> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| Refusal::new(ErrorCode::Internal, "TLS could not be set up; see the log"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), Refusal> {
    let bad = || {
        let advice = format!(
            "{} holds no certificate that can be used; give --ca a PEM file with the authority's certificate",
            path.display()
        );
        Refusal::new(ErrorCode::BadRequest, advice)
    };
    let bytes = state::read_small_file(path, CA_FILE_MAX)?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        roots.add(certificate.map_err(|_| bad())?).map_err(|_| bad())?;
    }
    if roots.len() == before { Err(bad()) } else { Ok(()) }
}
