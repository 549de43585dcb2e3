//! Which headers pass, and which every answer has.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// What a browser says that is not for the server: of one connection only (RFC 9110, 7.6.1), of this address, or of who asks.
/// `Origin`, `Host` and `Cookie` are written anew.
const KEPT: &[&str] = &[
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];

/// The rest of what is kept, by how it begins.
const KEPT_PREFIXES: &[&str] = &["sec-fetch-", "x-forwarded-"];

/// What a server says of the data that it sends. All else would speak for this address: set cookies, open it to other pages,
/// clear what the app keeps, lead elsewhere.
const FROM_SERVER: &[&str] = &[
    "accept-ranges",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
];

/// The policy of what a server sends: should it be shown by itself, it runs nothing and belongs to no address.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// What the server hears of what a browser said.
pub(super) fn to_server(headers: &HeaderMap) -> HeaderMap {
    let passes = |name: &str| !KEPT.contains(&name) && !KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let passed = headers.iter().filter(|(name, _)| passes(name.as_str()));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Puts what the browser hears of what a server said into `headers`, which are of data then.
pub(super) fn from_server(said: &HeaderMap, headers: &mut HeaderMap) {
    for name in FROM_SERVER {
        if let Some(value) = said.get(*name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    for (name, value) in [("content-security-policy", DATA_POLICY), ("cache-control", "no-store")] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// Sets the headers of every answer.
pub(super) fn guard(headers: &mut HeaderMap) {
    let opener = ("cross-origin-opener-policy", "same-origin");
    for (name, value) in beckon_assets::HEADERS.into_iter().chain([opener]) {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_server_cannot_speak_for_the_address_of_the_app() {
        let mut heard = HeaderMap::new();
        guard(&mut heard);
        let said = [
            ("content-type", "text/html"),
            ("content-security-policy", "script-src *"),
            ("access-control-allow-origin", "*"),
            ("set-cookie", "a=b"),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("location", "https://evil.example"),
            ("refresh", "0; url=https://evil.example"),
            ("link", "<https://evil.example>; rel=preload"),
            ("cache-control", "public, max-age=99"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "none"),
        ];
        from_server(&headers(&said), &mut heard);
        assert_eq!(heard["content-security-policy"], DATA_POLICY);
        assert_eq!(heard["cache-control"], "no-store");
        assert_eq!(heard["cross-origin-resource-policy"], "same-origin");
        assert_eq!(heard["x-content-type-options"], "nosniff");
        assert_eq!(heard["content-type"], "text/html");
        for name in said.map(|(name, _)| name) {
            let is_there = heard
                .get(name)
                .is_some_and(|value| said.contains(&(name, value.to_str().unwrap())));
            assert!(!is_there || name == "content-type", "{name}");
        }
    }

    #[test]
    fn the_server_hears_nothing_of_this_address() {
        let told = to_server(&headers(&[
            ("host", "127.0.0.1:8442"),
            ("origin", "http://127.0.0.1:8442"),
            ("referer", "http://127.0.0.1:8442/drive"),
            ("cookie", "other=1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("sec-fetch-site", "same-origin"),
            ("connection", "keep-alive"),
            ("x-beckon", "1"),
            ("range", "bytes=0-1"),
            ("authorization", "Bearer ab"),
        ]));
        let mut names: Vec<_> = told.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "range", "x-beckon"]);
    }
}
