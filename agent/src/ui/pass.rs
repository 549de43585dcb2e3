//! Passes what the app asks of the server on to it, and what it answers back: bodies and sockets as they come, no faster than
//! the other end takes them.

use std::sync::atomic::{AtomicBool, Ordering};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    route,
};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONNECTION, COOKIE, HeaderMap, HeaderValue, ORIGIN, SET_COOKIE, UPGRADE},
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use reqwest::{Body, Client, Url};

use super::{cookie::Cookies, header, refusal, respond};
use crate::{origin::Origin, output::Failure, server::Server};

/// The first parts of the addresses that are the server's.
const PREFIXES: [&str; 4] = ["/api", "/bulk", route::SOCKET, route::RELAY];

/// Bytes of a socket that are on their way in each direction.
const SOCKET_BUFFER: usize = 64 << 10;

/// The server behind the app.
#[derive(Debug)]
pub(super) struct Upstream {
    origin: Origin,
    http: Client,
    cookies: Cookies,
    /// The server refused the app's last socket since both speak no version in common.
    is_strange: AtomicBool,
}

/// Whether an address is the server's, by its first part.
pub(super) fn is_the_servers(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

impl Upstream {
    /// The server, for the app on this port.
    pub(super) fn new(server: &Server, port: u16) -> Result<Self, Failure> {
        Ok(Self {
            origin: server.origin.clone(),
            http: server.http_for_sockets()?,
            cookies: Cookies::at(port),
            is_strange: AtomicBool::new(false),
        })
    }

    /// What to tell whoever opens the app, once, if the server was found to speak another language: it was updated since the
    /// program started, or put back.
    pub(super) fn take_news(&self) -> Option<String> {
        self.is_strange.swap(false, Ordering::Relaxed).then(|| {
            format!(
                "The server at {} and the app in this program (version {}) have no language in common.\n\
                 Update the older of both: this program, or the server. Then start beckon ui again.\n",
                self.origin,
                env!("CARGO_PKG_VERSION")
            )
        })
    }

    /// Asks the server.
    pub(super) async fn pass(&self, mut request: Request<Incoming>) -> Response<Body> {
        let Some(url) = self.url(request.uri()) else {
            let words = "this address is written in a way that is not passed on; open it from within the app";
            return refusal(&Refusal::new(ErrorCode::BadRequest, words));
        };
        let is_control = request.uri().path() == route::SOCKET;
        let socket = is_socket(request.headers()).then(|| hyper::upgrade::on(&mut request));
        let headers = self.headers(request.headers(), socket.is_some());
        let method = request.method().clone();
        let body = Body::wrap(request.into_body());
        let sent = self.http.request(method, url).headers(headers).body(body).send();
        match sent.await {
            Ok(response) => {
                if is_control {
                    let is_strange = response.status().as_u16() == ErrorCode::BadVersion.status();
                    self.is_strange.store(is_strange, Ordering::Relaxed);
                }
                self.answer(response, socket)
            }
            Err(cause) => {
                tracing::debug!(?cause, "a request was not passed on");
                let words = format!(
                    "{} cannot be reached from this computer; check that it runs and that this computer has a network",
                    self.origin
                );
                refusal(&Refusal::new(ErrorCode::GoingAway, words))
            }
        }
    }

    /// The same address at the server; nothing if it would be another one there, as with `..` in it.
    fn url(&self, uri: &Uri) -> Option<Url> {
        let url = Url::parse(&self.origin.url(uri.path_and_query()?.as_str())).ok()?;
        let is_same = url.path() == uri.path() && url.origin().ascii_serialization() == self.origin.as_str();
        is_same.then_some(url)
    }

    /// What the server hears. The app's own origin was checked; it becomes the server's.
    fn headers(&self, said: &HeaderMap, is_socket: bool) -> HeaderMap {
        let mut headers = header::to_server(said);
        headers.extend(self.cookies.to_server(said).map(|cookies| (COOKIE, cookies)));
        if said.contains_key(ORIGIN)
            && let Ok(origin) = HeaderValue::from_str(self.origin.as_str())
        {
            headers.insert(ORIGIN, origin);
        }
        if is_socket {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        headers
    }

    fn answer(&self, response: reqwest::Response, socket: Option<OnUpgrade>) -> Response<Body> {
        let status = response.status();
        let mut answer = respond(status, "");
        header::from_server(response.headers(), answer.headers_mut());
        let cookie = self.cookies.to_browser(response.headers());
        answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        match (status, socket) {
            (StatusCode::SWITCHING_PROTOCOLS, Some(browser)) => {
                let upgrade = [(CONNECTION, "upgrade"), (UPGRADE, "websocket")];
                let upgrade = upgrade.map(|(name, value)| (name, HeaderValue::from_static(value)));
                answer.headers_mut().extend(upgrade);
                tokio::spawn(join(browser, response));
            }
            (StatusCode::NOT_MODIFIED, _) => {}
            _ if status.is_informational() || status.is_redirection() => return self.odd(status),
            _ => *answer.body_mut() = response.into(),
        }
        answer
    }

    /// A Beckon server never leads elsewhere.
    fn odd(&self, status: StatusCode) -> Response<Body> {
        let words = format!(
            "{} answered {status}; check its address: if it has moved, start beckon ui --server with the new one",
            self.origin
        );
        refusal(&Refusal::new(ErrorCode::Internal, words))
    }
}

fn is_socket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Carries both directions of a socket until one end closes it.
async fn join(browser: OnUpgrade, server: reqwest::Response) {
    let (Ok(browser), Ok(mut server)) = tokio::join!(browser, server.upgrade()) else {
        return;
    };
    let mut browser = TokioIo::new(browser);
    let copied =
        tokio::io::copy_bidirectional_with_sizes(&mut browser, &mut server, SOCKET_BUFFER, SOCKET_BUFFER).await;
    if let Err(cause) = copied {
        tracing::debug!(%cause, "a socket ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream() -> Upstream {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let origin = Origin::parse("https://drive.example").unwrap();
        Upstream::new(&Server::new(origin, None).unwrap(), 8442).unwrap()
    }

    #[test]
    fn four_addresses_are_the_servers_and_all_below_them() {
        for path in ["/api", "/api/status", "/bulk/1/have", "/socket", "/relay/ab"] {
            assert!(is_the_servers(path), "{path}");
        }
        for path in [
            "/",
            "/apis",
            "/API",
            "/api%2Fx",
            "//api",
            "/app/a.js",
            "/sockets",
            "/save.js",
            "/lan",
        ] {
            assert!(!is_the_servers(path), "{path}");
        }
    }

    #[test]
    fn an_address_is_the_same_at_the_server_or_not_asked_for() {
        let upstream = upstream();
        let url = |path: &str| upstream.url(&path.parse().unwrap()).map(String::from);
        assert_eq!(
            url("/api/drive?path=a%2F..&x=/../").as_deref(),
            Some("https://drive.example/api/drive?path=a%2F..&x=/../")
        );
        for path in [
            "/api/../app/x.js",
            "/api/%2e%2e/x",
            "/api/./x",
            "/api/.%2E/x",
            "/api\\..\\x",
        ] {
            assert_eq!(url(path), None, "{path}");
        }
    }

    #[test]
    fn the_origin_becomes_the_servers_only_where_there_was_one() {
        let upstream = upstream();
        let mut said = HeaderMap::new();
        assert!(!upstream.headers(&said, false).contains_key(ORIGIN));
        said.insert(ORIGIN, HeaderValue::from_static("http://127.0.0.1:8442"));
        assert_eq!(upstream.headers(&said, false)[ORIGIN], "https://drive.example");
        assert_eq!(upstream.headers(&said, true)[UPGRADE], "websocket");
    }
}
