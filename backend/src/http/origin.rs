//! Whom a request is meant for and whom it comes from: `Host`, `Origin`, and the address behind proxies.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{self, HeaderMap};

use crate::config::{Network, Origin};

/// The origins under which this server may be reached.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    public: Option<Origin>,
    listen: Origin,
}

impl Origins {
    /// From the public URL and what the server listens on. `None` where the address is no origin.
    pub(crate) fn new(public: Option<Origin>, listen: SocketAddr, tls: bool) -> Option<Self> {
        Some(Self {
            public,
            listen: Origin::new(tls, &listen.to_string()).ok()?,
        })
    }

    /// The address to tell people.
    pub(crate) fn main(&self) -> &Origin {
        self.public.as_ref().unwrap_or(&self.listen)
    }

    /// Where the server itself listens, whatever stands before it.
    pub(crate) fn listen(&self) -> &Origin {
        &self.listen
    }

    /// The origin that a request was sent to; nothing if this server does not answer under its `Host`.
    ///
    /// With a public URL only that and the listening address count, so that no other name can be made to point here
    /// (DNS rebinding). Without one the server cannot know its names: then only `localhost` and addresses count, which
    /// nobody can make point elsewhere.
    pub(crate) fn of(&self, host: &str) -> Option<Origin> {
        let secure = self.listen.is_secure();
        let Some(public) = &self.public else {
            return Origin::new(secure, host).ok().filter(|_| is_unnamed(host));
        };
        [public, &self.listen]
            .into_iter()
            .find(|known| Origin::new(known.is_secure(), host).as_ref() == Ok(known))
            .cloned()
    }
}

/// Whether a `Host` names this machine or an address, with or without a port, and not a name that somebody registered.
fn is_unnamed(host: &str) -> bool {
    let is_address = host.parse::<SocketAddr>().is_ok() || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    is_address || name.eq_ignore_ascii_case("localhost")
}

/// The `Host` of a request; of HTTP/2 its `:authority`.
pub(crate) fn host<'a>(headers: &'a HeaderMap, uri: &'a actix_web::http::Uri) -> &'a str {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| uri.authority().map(|authority| authority.as_str()))
        .unwrap_or_default()
}

/// The address that a request comes from: of the peer, or, where trusted proxies passed it on, the last one that they did not make up.
pub(crate) fn client(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[Network]) -> SocketAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let Some(peer) = peer else {
        return SocketAddr::from(([0, 0, 0, 0], 0));
    };
    if !is_trusted(peer.ip()) {
        return peer;
    }
    let headers = headers
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = headers.flat_map(|value| value.split(',')).collect();
    let client = hops
        .iter()
        .rev()
        .map_while(|hop| hop.trim().parse().ok())
        .find(|hop| !is_trusted(*hop));
    client.map_or(peer, |address| SocketAddr::new(address, 0))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn forwarded(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static(value),
        );
        headers
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let headers = forwarded("6.6.6.6, 1.2.3.4, 10.0.0.9");
        let proxy = Some("10.0.0.1:5000".parse().unwrap());
        let stranger = Some("9.9.9.9:5000".parse().unwrap());
        assert_eq!(client(proxy, &headers, &trusted).to_string(), "1.2.3.4:0");
        assert_eq!(client(stranger, &headers, &trusted).to_string(), "9.9.9.9:5000");
        assert_eq!(client(proxy, &headers, &[]).to_string(), "10.0.0.1:5000");
    }

    #[test]
    fn with_a_public_url_only_known_hosts_are_answered() {
        let origins = Origins::new(
            Some("https://b.example".parse().unwrap()),
            "127.0.0.1:8440".parse().unwrap(),
            false,
        )
        .unwrap();
        assert_eq!(origins.of("B.example:443").unwrap().as_str(), "https://b.example");
        assert_eq!(origins.of("127.0.0.1:8440").unwrap().as_str(), "http://127.0.0.1:8440");
        assert_eq!(origins.of("evil.example"), None);
    }

    #[test]
    fn without_a_public_url_only_addresses_and_this_machine_are_answered() {
        let origins = Origins::new(None, "0.0.0.0:8440".parse().unwrap(), false).unwrap();
        for host in [
            "127.0.0.1:8440",
            "192.168.1.5",
            "[::1]:8440",
            "[fd00::1]",
            "localhost",
            "localhost:8440",
        ] {
            assert_eq!(origins.of(host).unwrap().as_str(), format!("http://{host}"));
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8440",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "1.2.3.4:x",
        ] {
            assert_eq!(origins.of(host), None, "{host}");
        }
    }
}
