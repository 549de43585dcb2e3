//! Who may ask: pages of this very address, and programs of this computer.
//!
//! The address is on loopback, but every web page in the same browser can send requests to it, under a name that it makes point
//! here too (DNS rebinding). So `Host`, `Origin` and what the browser says of where a request comes from must all be right.

use hyper::{
    Method, Request,
    header::{HOST, HeaderMap, ORIGIN},
};

use super::pass;
use crate::origin::Origin;

/// The address under which the app is served.
#[derive(Debug)]
pub(super) struct Own {
    origin: String,
    /// As in `Host`.
    host: String,
    /// Other names of loopback, which are sent to the one above: what a browser knows belongs to a name.
    aliases: [String; 2],
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered.
    Admitted,
    /// It is asked again there.
    Elsewhere(String),
    /// It is refused, in words for a person.
    Refused(String),
}

impl Own {
    /// On this port.
    pub(super) fn at(port: u16) -> Self {
        let written = format!("http://127.0.0.1:{port}");
        // Leaves the scheme's own port out, as browsers do.
        let origin = Origin::parse(&written).map_or(written, |origin| origin.to_string());
        let host = origin.trim_start_matches("http://").to_owned();
        let aliases = ["localhost", "[::1]"].map(|name| host.replacen("127.0.0.1", name, 1));
        Self { origin, host, aliases }
    }

    /// As in an `Origin` header.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether a request is answered.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Verdict {
        let headers = request.headers();
        if request.uri().authority().is_some() || request.uri().scheme().is_some() {
            return self.refuse("Requests to other hosts are not passed on.");
        }
        let host = only(headers, HOST.as_str());
        if self.aliases.iter().any(|alias| host == Only::One(alias)) {
            return self.at_an_alias(request);
        }
        if host != Only::One(&self.host) {
            return self.refuse("The app is not served under this name.");
        }
        if !matches!(only(headers, ORIGIN.as_str()), Only::None)
            && only(headers, ORIGIN.as_str()) != Only::One(&self.origin)
        {
            return self.refuse("Another web page asked for this.");
        }
        match only(headers, "sec-fetch-site") {
            Only::None | Only::One("same-origin" | "none") => {}
            _ => return self.refuse("Another web page led here."),
        }
        if pass::is_the_servers(request.uri().path()) && !is_data(headers) {
            return self.refuse("What a server sends is data; no page is made of it.");
        }
        Verdict::Admitted
    }

    fn at_an_alias<B>(&self, request: &Request<B>) -> Verdict {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
        if reads && rest.starts_with('/') && !pass::is_the_servers(request.uri().path()) {
            return Verdict::Elsewhere(format!("{}{rest}", self.origin));
        }
        self.refuse("The app is not served under this name.")
    }

    fn refuse(&self, why: &str) -> Verdict {
        Verdict::Refused(format!(
            "{why}\nIf you meant to use Beckon, type this address into the browser: {}\n",
            self.origin
        ))
    }
}

/// Whether the browser wants the answer for what data of the server is used for: read by the app, shown by an element that runs
/// nothing, or saved. Programs do not say.
fn is_data(headers: &HeaderMap) -> bool {
    matches!(
        only(headers, "sec-fetch-dest"),
        Only::None | Only::One("empty" | "document" | "image" | "audio" | "video" | "websocket")
    )
}

/// A header that may stand once.
#[derive(Debug, PartialEq, Eq)]
enum Only<'a> {
    None,
    One(&'a str),
    /// Several, or no text.
    Odd,
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Only<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Only::None,
        (Some(value), None) => value.to_str().map_or(Only::Odd, Only::One),
        _ => Only::Odd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, path: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Own::at(8442).admit(&request.body(()).unwrap())
    }

    fn is_refused(path: &str, headers: &[(&str, &str)]) -> bool {
        matches!(verdict("GET", path, headers), Verdict::Refused(_))
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:8442");

    #[test]
    fn pages_of_the_own_address_and_programs_are_admitted() {
        for headers in [
            vec![HOST],
            vec![HOST, ("origin", "http://127.0.0.1:8442")],
            vec![HOST, ("sec-fetch-site", "none"), ("sec-fetch-dest", "document")],
            vec![HOST, ("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "empty")],
        ] {
            assert_eq!(
                verdict("POST", "/api/sign-in", &headers),
                Verdict::Admitted,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_refused() {
        for host in [
            "evil.example",
            "evil.example:8442",
            "127.0.0.1",
            "127.0.0.1:8441",
            "127.0.0.1:8442.evil.example",
            "localhost.evil.example:8442",
            "",
        ] {
            assert!(is_refused("/", &[("host", host)]), "{host}");
        }
        assert!(is_refused("/", &[]));
        assert!(is_refused("/", &[HOST, HOST]));
        assert!(is_refused("http://evil.example/", &[HOST]));
    }

    #[test]
    fn other_pages_are_refused_wherever_they_are() {
        for origin in [
            "https://evil.example",
            "http://127.0.0.1:9000",
            "http://localhost:8442",
            "https://127.0.0.1:8442",
            "null",
            "",
        ] {
            assert!(is_refused("/socket", &[HOST, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(is_refused("/", &[HOST, ("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn nothing_of_the_server_becomes_a_script_a_style_or_a_frame() {
        for dest in [
            "script",
            "worker",
            "serviceworker",
            "sharedworker",
            "style",
            "iframe",
            "object",
        ] {
            assert!(is_refused("/api/x", &[HOST, ("sec-fetch-dest", dest)]), "{dest}");
            let own = verdict("GET", "/app/x.js", &[HOST, ("sec-fetch-dest", dest)]);
            assert_eq!(own, Verdict::Admitted, "{dest}");
        }
    }

    #[test]
    fn other_names_of_loopback_lead_to_the_one_that_counts() {
        for host in ["localhost:8442", "[::1]:8442"] {
            let there = verdict("GET", "/drive/a%20b?x=1", &[("host", host)]);
            assert_eq!(
                there,
                Verdict::Elsewhere("http://127.0.0.1:8442/drive/a%20b?x=1".to_owned())
            );
            assert!(is_refused("/api/status", &[("host", host)]));
            assert!(matches!(verdict("POST", "/", &[("host", host)]), Verdict::Refused(_)));
        }
    }

    #[test]
    fn the_port_of_http_is_not_written() {
        assert_eq!(Own::at(80).origin(), "http://127.0.0.1");
        assert_eq!(Own::at(80).host, "127.0.0.1");
    }
}
