//! Which server is meant: `scheme://host[:port]`, as it is dialled and as it is signed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A server's origin: lower case, the scheme's own port left out.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct Origin(String);

/// The text is not the address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a server's address; write it as http://HOST:PORT or https://HOST, as the server printed it")]
pub(crate) struct BadOrigin;

impl Origin {
    /// Reads a URL; what follows host and port is left away, so that any link to the server will do.
    pub(crate) fn parse(text: &str) -> Result<Self, BadOrigin> {
        let url = reqwest::Url::parse(text.trim()).map_err(|_| BadOrigin)?;
        let is_web = matches!(url.scheme(), "http" | "https");
        if !is_web || url.host_str().is_none_or(str::is_empty) || !url.username().is_empty() || url.password().is_some()
        {
            return Err(BadOrigin);
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// As in an `Origin` header (RFC 6454).
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the server is reached over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// The URL of a path (with its slash) at this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The WebSocket URL of a path (with its slash) at this server.
    pub(crate) fn socket_url(&self, path: &str) -> String {
        format!("ws{}{path}", self.0.strip_prefix("http").unwrap_or_default())
    }

    /// Host and port to open a TCP connection to.
    pub(crate) fn address(&self) -> (String, u16) {
        let url = reqwest::Url::parse(&self.0).ok();
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        let port = url
            .as_ref()
            .and_then(|url| url.port_or_known_default())
            .unwrap_or_default();
        (host.trim_matches(['[', ']']).to_owned(), port)
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;
    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        Self::parse(text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_in_one_way_only() {
        let written = |text| Origin::parse(text).map(|origin| origin.to_string());
        assert_eq!(
            written("HTTP://Example.ORG:80/setup#ABC").as_deref(),
            Ok("http://example.org")
        );
        assert_eq!(
            written(" https://example.org:8440/ ").as_deref(),
            Ok("https://example.org:8440")
        );
        assert_eq!(written("http://[::1]:8440").as_deref(), Ok("http://[::1]:8440"));
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for text in [
            "",
            "example.org",
            "localhost:8440",
            "ftp://example.org",
            "file:///etc",
            "http://user:word@example.org",
        ] {
            assert_eq!(Origin::parse(text), Err(BadOrigin), "{text}");
        }
    }

    #[test]
    fn sockets_are_dialled_at_the_same_place() {
        let origin = Origin::parse("https://[::1]:8440").unwrap();
        assert_eq!(origin.socket_url("/socket"), "wss://[::1]:8440/socket");
        assert_eq!(origin.address(), ("::1".to_owned(), 8440));
        assert_eq!(
            Origin::parse("http://example.org").unwrap().address(),
            ("example.org".to_owned(), 80)
        );
    }
}
