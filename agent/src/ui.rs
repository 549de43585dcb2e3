//! `beckon ui`: the web app out of this program, on loopback, while what it asks of the server is passed through.
//!
//! The page and its scripts are those of this program, whatever the server answers: only addresses of the server's interface
//! pass, and what comes back is data that the browser runs nothing of.

mod admit;
mod cookie;
mod header;
mod pass;

use std::{convert::Infallible, io, net::Ipv4Addr, sync::Arc, time::Duration};

use beckon_assets::{Asked, Reply, Site};
use beckon_shared::error::{ErrorCode, Refusal};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Body;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use self::{
    admit::{Own, Verdict},
    pass::Upstream,
};
use crate::{output::Failure, server::Server};

/// The port, unless another is asked for. It is always the same, since a browser keeps what it knows for an address with its port.
pub(crate) const PORT: u16 = 8442;

/// Browsers open six connections and a few sockets; this leaves room for several.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may be of no use.
const IDLE: Duration = Duration::from_secs(60);
/// How long nothing is accepted after that has failed, as when the process may open no more files.
const PAUSE: Duration = Duration::from_millis(100);

/// The web app on loopback, not yet serving.
#[derive(Debug)]
pub(crate) struct Ui {
    listener: TcpListener,
    desk: Desk,
}

/// What each request is answered by.
#[derive(Debug)]
struct Desk {
    own: Own,
    site: Site,
    upstream: Upstream,
}

impl Ui {
    /// Takes the port; 0 takes a free one.
    pub(crate) async fn bind(server: &Server, port: u16) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = listener.await.map_err(|cause| not_free(port, &cause))?;
        let address = listener.local_addr().map_err(|cause| not_free(port, &cause))?;
        let own = Own::at(address.port());
        let desk = Desk {
            site: Site::of_server(server.origin.as_str()),
            upstream: Upstream::new(server, address.port())?,
            own,
        };
        Ok(Self { listener, desk })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        self.desk.own.origin()
    }

    /// Serves until this is dropped.
    pub(crate) async fn serve(self) -> Infallible {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let desk = Arc::new(self.desk);
        loop {
            let permit = Arc::clone(&room).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let desk = Arc::clone(&desk);
                    tokio::spawn(async move {
                        desk.connection(stream).await;
                        drop(permit);
                    });
                }
                Err(cause) => {
                    tracing::warn!(%cause, "a connection was not taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn not_free(port: u16, cause: &io::Error) -> Failure {
    let message = match cause.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} of this computer is taken, perhaps by another beckon ui; end that, or give --port N \
             (a browser keeps what it knows by the port, so you sign in anew there)"
        ),
        _ => format!("port {port} cannot be served: {cause}; give another one with --port N"),
    };
    Failure::local("port-taken", message)
}

impl Desk {
    async fn connection(self: Arc<Self>, stream: TcpStream) {
        // Small answers shall not wait for more; without it they only come later.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let desk = Arc::clone(&self);
            async move { Ok::<_, Infallible>(desk.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(cause) = connection.await {
            tracing::debug!(%cause, "a connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.own.admit(&request) {
            Verdict::Elsewhere(location) => return moved(&location),
            Verdict::Refused(words) => return page_of_words(words),
            Verdict::Admitted => {}
        }
        if pass::is_the_servers(request.uri().path()) {
            return self.upstream.pass(request).await;
        }
        self.own_file(&request).unwrap_or_else(|| {
            let words = "nothing is here; go back, or open the app's own address";
            refusal(&Refusal::new(ErrorCode::NotFound, words))
        })
    }

    fn own_file(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = Asked {
            path: request.uri().path(),
            accept_encoding: header(ACCEPT_ENCODING).unwrap_or_default(),
            if_none_match: header(IF_NONE_MATCH).unwrap_or_default(),
        };
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let reply = self.site.answer(&asked).filter(|_| reads)?;
        let opens_a_page = header(ACCEPT).is_some_and(|kinds| kinds.contains("text/html"));
        match opens_a_page.then(|| self.upstream.take_news()).flatten() {
            Some(words) => Some(page_of_words(words)),
            None => Some(from_site(reply)),
        }
    }
}

fn from_site(reply: Reply) -> Response<Body> {
    let mut response = respond(StatusCode::from_u16(reply.status).unwrap_or_default(), reply.content);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The same page at the one address that counts.
fn moved(location: &str) -> Response<Body> {
    let mut response = respond(StatusCode::TEMPORARY_REDIRECT, "");
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// For a person who was led here.
fn page_of_words(words: String) -> Response<Body> {
    let mut response = respond(StatusCode::FORBIDDEN, words);
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// For the app, which shows what it says.
fn refusal(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or_default();
    let mut response = respond(status, serde_json::to_vec(refusal).unwrap_or_default());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An answer with the headers that all have.
fn respond(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    header::guard(response.headers_mut());
    response
}

#[cfg(test)]
mod tests;
