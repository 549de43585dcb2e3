//! The HTTP that opens a WebSocket (RFC 6455), and nothing more: whoever asks for anything else is hung up on without a word.

use std::net::SocketAddr;

use beckon_shared::{route, wire::SESSION_PROTOCOL};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{
    handshake::{machine::TryParse, server},
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

use crate::origin::Origin;

/// A head is no longer, a browser's with its cookies for other programs at this address included. Bytes.
const HEAD_MAX: usize = 8 << 10;
const PROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;

/// Who may open a session, as far as HTTP can tell. It keeps away web pages that mean no good; the proof comes later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guests {
    /// Web apps: the paired server's, and those that the owner added.
    pub(super) origins: Vec<Origin>,
    /// Names by which the machine may be dialled besides the address that was dialled.
    pub(super) hosts: Vec<String>,
}

/// Reads what opens a WebSocket and agrees, or reads what does not and is silent.
pub(super) async fn greet<S>(stream: &mut S, guests: &Guests, local: SocketAddr) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = read_head(stream).await?;
    let answer = guests.answer(&head, local)?;
    stream.write_all(&answer).await.ok()
}

/// Nobody says anything behind the head before it is answered.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(1 << 10);
    let mut stream = stream.take(HEAD_MAX as u64);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

impl Guests {
    /// What is answered to a head; nothing if it is not exactly what a guest says.
    fn answer(&self, head: &[u8], local: SocketAddr) -> Option<Vec<u8>> {
        let (len, request) = server::Request::try_parse(head).ok()??;
        let headers = request.headers();
        let is_whole = len == head.len() && request.uri() == route::LAN;
        if !is_whole || !self.is_dialled(headers, local) || !self.is_known(headers) || !speaks_sessions(headers) {
            return None;
        }
        let mut response = server::create_response(&request).ok()?;
        let taken = HeaderValue::from_static(SESSION_PROTOCOL);
        response.headers_mut().insert(PROTOCOL, taken);
        let mut answer = Vec::new();
        server::write_response(&mut answer, &response).ok()?;
        Some(answer)
    }

    /// A page whose own name was made to lead here is told by the name that it dialled.
    fn is_dialled(&self, headers: &HeaderMap, local: SocketAddr) -> bool {
        let Some(Some(host)) = only(headers, &header::HOST) else {
            return false;
        };
        let with_port = |host: &str| format!("{host}:{}", local.port());
        let address = SocketAddr::new(local.ip(), local.port());
        let is_named = |name: &String| host.eq_ignore_ascii_case(&with_port(name));
        host.parse() == Ok(address) || self.hosts.iter().any(is_named)
    }

    /// A program says no origin. A page says its own, and the browser sees to it that this is true.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        match only(headers, &header::ORIGIN) {
            Some(None) => true,
            Some(Some(origin)) => is_loopback(origin) || self.origins.iter().any(|known| known.as_str() == origin),
            None => false,
        }
    }
}

/// The one value of a header, or that it is absent; nothing if it stands there twice or is no text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

/// Whether a page came from the controller's own machine, as those of `beckon ui` do.
fn is_loopback(origin: &str) -> bool {
    let hosts = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
    let port = hosts.iter().find_map(|host| origin.strip_prefix(host));
    port.is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

fn speaks_sessions(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers
        .flat_map(|offers| offers.split(','))
        .any(|offer| offer.trim() == SESSION_PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> Guests {
        Guests {
            origins: vec![
                Origin::parse("https://drive.example").unwrap(),
                Origin::parse("http://192.168.1.2:8440").unwrap(),
            ],
            hosts: vec!["studio.lan".to_owned()],
        }
    }

    fn head(first: &str, host: &str, more: &str) -> Vec<u8> {
        format!(
            "{first} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: beckon.session.v1\r\n{more}\r\n"
        )
        .into_bytes()
    }

    fn is_answered(head: &[u8], local: &str) -> bool {
        guests().answer(head, local.parse().unwrap()).is_some()
    }

    const LOCAL: &str = "192.168.1.5:47820";

    #[test]
    fn the_answer_says_nothing_of_the_machine_or_its_program() {
        let answer = guests().answer(&head("GET /lan", LOCAL, ""), LOCAL.parse().unwrap());
        let answer = String::from_utf8(answer.unwrap()).unwrap().to_ascii_lowercase();
        let mut lines: Vec<&str> = answer.split("\r\n").collect();
        lines.sort_unstable();
        let expected = [
            "",
            "",
            "connection: upgrade",
            "http/1.1 101 switching protocols",
            "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
            "sec-websocket-protocol: beckon.session.v1",
            "upgrade: websocket",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn only_the_one_path_is_answered() {
        for first in [
            "GET /",
            "GET /lan/",
            "GET /lan?x",
            "GET /LAN",
            "GET //lan",
            "GET http://192.168.1.5:47820/lan",
            "GET *",
            "POST /lan",
            "HEAD /lan",
            "OPTIONS /lan",
            "CONNECT 192.168.1.5:47820",
        ] {
            assert!(!is_answered(&head(first, LOCAL, ""), LOCAL), "{first}");
        }
    }

    #[test]
    fn the_host_is_the_address_that_was_dialled_or_a_name_that_the_owner_allowed() {
        for (host, local, expected) in [
            (LOCAL, LOCAL, true),
            ("studio.lan:47820", LOCAL, true),
            ("Studio.LAN:47820", LOCAL, true),
            ("[fd00::5]:47820", "[fd00::5]:47820", true),
            ("[FD00:0::5]:47820", "[fd00::5]:47820", true),
            ("192.168.1.5", LOCAL, false),
            ("192.168.1.5:80", LOCAL, false),
            ("192.168.1.6:47820", LOCAL, false),
            ("127.0.0.1:47820", LOCAL, false),
            ("studio.lan", LOCAL, false),
            ("evil.example:47820", LOCAL, false),
            ("192.168.1.5.evil.example:47820", LOCAL, false),
            ("fd00::5:47820", "[fd00::5]:47820", false),
            ("", LOCAL, false),
        ] {
            assert_eq!(is_answered(&head("GET /lan", host, ""), local), expected, "{host}");
        }
        assert!(
            !is_answered(&head("GET /lan", LOCAL, "Host: evil.example\r\n"), LOCAL),
            "two"
        );
    }

    #[test]
    fn pages_of_the_paired_server_and_of_the_controllers_own_machine_are_guests() {
        for (origin, expected) in [
            ("https://drive.example", true),
            ("http://192.168.1.2:8440", true),
            ("http://127.0.0.1:8442", true),
            ("http://[::1]:1", true),
            ("http://localhost:65535", true),
            ("http://drive.example", false),
            ("https://drive.example:8440", false),
            ("https://drive.example.evil.example", false),
            ("https://127.0.0.1:8442", false),
            ("http://127.0.0.1", false),
            ("http://127.0.0.1:", false),
            ("http://127.0.0.1:+80", false),
            ("http://127.0.0.1:99999", false),
            ("http://127.0.0.1:80.evil.example", false),
            ("http://localhost.evil.example:80", false),
            ("null", false),
            ("file://", false),
            ("", false),
        ] {
            let head = head("GET /lan", LOCAL, &format!("Origin: {origin}\r\n"));
            assert_eq!(is_answered(&head, LOCAL), expected, "{origin}");
        }
        let two = "Origin: https://drive.example\r\nOrigin: https://evil.example\r\n";
        assert!(!is_answered(&head("GET /lan", LOCAL, two), LOCAL), "two");
    }

    #[test]
    fn what_is_no_request_for_a_session_is_not_answered() {
        let good = String::from_utf8(head("GET /lan", LOCAL, "")).unwrap();
        for (old, new) in [
            ("HTTP/1.1", "HTTP/1.0"),
            ("Upgrade: websocket", "Upgrade: h2c"),
            ("Connection: Upgrade", "Connection: close"),
            ("Version: 13", "Version: 8"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "short"),
            ("beckon.session.v1", "beckon.session.v2"),
            ("Sec-WebSocket-Protocol", "X-Protocol"),
            ("Host", "X-Host"),
            ("\r\n\r\n", "\r\n\r\nmore\r\n\r\n"),
            ("GET", "\u{16}\u{3}\u{1}"),
        ] {
            assert!(good.contains(old));
            assert!(
                !is_answered(good.replacen(old, new, 1).as_bytes(), LOCAL),
                "{old} -> {new}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_safe_to_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            proptest::prop_assert!(!is_answered(&bytes, LOCAL));
            let behind = [head("GET /lan", LOCAL, "").as_slice(), &bytes].concat();
            proptest::prop_assert_eq!(is_answered(&behind, LOCAL), bytes.is_empty());
        }
    }
}
