//! The server's HTTP interface as a controller uses it: one request at a time, bounded answers, errors that say what to do.

use std::{error::Error, io, time::Duration};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    route::MUTATION_HEADER,
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, ORIGIN, RETRY_AFTER, SET_COOKIE},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{output::Failure, server::Server};

/// How long an answer may take; downloads are timed by the piece.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// No answer in JSON is larger. Bytes.
const ANSWER_MAX: usize = 32 << 20;
/// No refusal is larger. Bytes.
const REFUSAL_MAX: usize = 64 << 10;

/// The server, by HTTP, with or without a session.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    origin: String,
    cookie: Option<HeaderValue>,
}

/// An answer that opened a session.
pub(crate) struct WithCookie<T> {
    /// The answer.
    pub(crate) body: T,
    /// `name=value`, to be sent with each request of the session.
    pub(crate) cookie: String,
}

impl Api {
    /// Without a session.
    pub(crate) fn anonymous(server: &Server) -> Result<Self, Failure> {
        Ok(Self {
            http: server.http()?,
            origin: server.origin.to_string(),
            cookie: None,
        })
    }

    /// In the session that `cookie` (`name=value`) names.
    pub(crate) fn signed_in(server: &Server, cookie: &str) -> Result<Self, Failure> {
        let mut cookie = HeaderValue::from_str(cookie).map_err(|_| Failure::not_signed_in())?;
        cookie.set_sensitive(true);
        Ok(Self {
            cookie: Some(cookie),
            ..Self::anonymous(server)?
        })
    }

    /// Reads a resource.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.answer(self.send(self.request(Method::GET, path)).await?).await
    }

    /// Sends a value and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.answer(self.send(self.request(Method::POST, path).json(body)).await?)
            .await
    }

    /// Sends a value that opens a session.
    pub(crate) async fn post_for_cookie<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<WithCookie<T>, Failure> {
        let response = self.send(self.request(Method::POST, path).json(body)).await?;
        let cookie = session_cookie(response.headers()).ok_or_else(|| self.not_beckon())?;
        Ok(WithCookie {
            body: self.answer(response).await?,
            cookie,
        })
    }

    /// Sends a value where nothing is answered.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &impl Serialize) -> Result<(), Failure> {
        self.send(self.request(method, path).json(body)).await.map(drop)
    }

    /// Sends bytes where nothing is answered.
    pub(crate) async fn put_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        let request = self
            .request(Method::PUT, path)
            .header(CONTENT_TYPE, "application/octet-stream");
        self.send(request.body(bytes)).await.map(drop)
    }

    /// Takes a resource away.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Begins a download. Its body is not timed as a whole.
    pub(crate) async fn download(&self, path: &str, headers: HeaderMap) -> Result<Response, Failure> {
        self.begin(self.request(Method::GET, path).headers(headers)).await
    }

    /// As [`Api::download`], of what `body` asks for.
    pub(crate) async fn download_by(&self, path: &str, body: &impl Serialize) -> Result<Response, Failure> {
        self.begin(self.request(Method::POST, path).json(body)).await
    }

    async fn begin(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, request.send()).await;
        let response = answered
            .map_err(|_| self.silent())?
            .map_err(|error| self.transport(&error))?;
        if response.status().is_success() || response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let changes = !method.is_safe();
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.origin))
            .header(ORIGIN, &self.origin);
        if changes {
            request = request.header(MUTATION_HEADER, "1");
        }
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie.clone()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request
            .timeout(ANSWER_TIMEOUT)
            .send()
            .await
            .map_err(|error| self.transport(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    async fn answer<T: DeserializeOwned>(&self, response: Response) -> Result<T, Failure> {
        let bytes = self.bounded(response, ANSWER_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|cause| {
            tracing::debug!(%cause, "an answer that is not understood");
            self.not_beckon()
        })
    }

    async fn refusal(&self, response: Response) -> Failure {
        let status = response.status();
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
        let Ok(bytes) = self.bounded(response, REFUSAL_MAX).await else {
            return self.unexplained(status);
        };
        let Ok(mut refusal) = serde_json::from_slice::<Refusal>(&bytes) else {
            return self.unexplained(status);
        };
        if let (ErrorCode::TooMany, Some(seconds)) = (refusal.code, wait) {
            refusal.message.push_str(&format!(" (in {seconds} s)"));
        }
        refusal.into()
    }

    async fn bounded(&self, mut response: Response, max: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if bytes.len() + piece.len() > max {
                return Err(Refusal::new(
                    ErrorCode::TooLarge,
                    format!(
                        "the answer of {} is larger than this program accepts; update it",
                        self.origin
                    ),
                )
                .into());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// An error below HTTP.
    pub(crate) fn transport(&self, error: &reqwest::Error) -> Failure {
        tracing::debug!(cause = ?error, "a request failed");
        if error.is_timeout() {
            return self.silent();
        }
        let causes = chain(error);
        if says(&causes, "certificate") {
            let message = format!(
                "{} shows a certificate that is not trusted here; check the address, or name its authority with --ca FILE",
                self.origin
            );
            return Failure {
                retry: false,
                message,
                ..Failure::unreachable(&self.origin, "")
            };
        }
        Failure::unreachable(&self.origin, why(error, &causes))
    }

    /// The server took a connection and says nothing.
    pub(crate) fn silent(&self) -> Failure {
        Failure::unreachable(&self.origin, "it does not answer in time")
    }

    fn unexplained(&self, status: StatusCode) -> Failure {
        let message = format!(
            "{} answered {status} without a reason; check that this is the address of a Beckon server",
            self.origin
        );
        Failure {
            retry: status.is_server_error(),
            ..Failure::local("not-beckon", message)
        }
    }

    fn not_beckon(&self) -> Failure {
        let message = format!(
            "the answer of {} is not understood; check that it is a Beckon server, and update the older of both programs",
            self.origin
        );
        Failure::local("not-beckon", message)
    }
}

/// The session cookie of an answer, whatever the server calls it.
fn session_cookie(headers: &HeaderMap) -> Option<String> {
    let mut cookies = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| cookie.to_str().ok());
    let cookie = cookies.find(|cookie| cookie.contains(beckon_shared::route::COOKIE))?;
    cookie.split(';').next().map(|pair| pair.trim().to_owned())
}

/// The error's causes, the nearest first.
fn chain(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

/// The cause in words that help.
fn why(error: &reqwest::Error, causes: &[&(dyn Error + 'static)]) -> &'static str {
    let io = causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "nothing listens there",
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => "the connection broke",
        _ if says(causes, "dns error") => "this name is not known",
        _ if error.is_connect() => "no connection",
        _ => "the connection broke",
    }
}

fn says(causes: &[&(dyn Error + 'static)], words: &str) -> bool {
    causes.iter().any(|cause| cause.to_string().contains(words))
}

/// Bytes as one part of a path or a query (RFC 3986, 2.1): all but unreserved characters are escaped.
pub(crate) fn percent(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_can_stand_in_a_query() {
        assert_eq!(percent("a b/ü&\u{0}".as_bytes()), "a%20b%2F%C3%BC%26%00");
        assert_eq!(percent(b"\xff~"), "%FF~");
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("theme=dark; Path=/"));
        headers.append(
            SET_COOKIE,
            HeaderValue::from_static("__Host-beckon_session=ab12; Path=/; Secure; HttpOnly"),
        );
        assert_eq!(session_cookie(&headers).as_deref(), Some("__Host-beckon_session=ab12"));
        headers.clear();
        assert_eq!(session_cookie(&headers), None);
    }
}
