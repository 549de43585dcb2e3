//! The server's session cookie, made fit for loopback and back.
//!
//! Over plain http a browser keeps no cookie of the name `__Host-...`. And it does not tell ports apart: it shows the cookies of
//! `127.0.0.1` to every program that serves there. So the cookie carries the port in its name, and no other cookie is passed on.

use beckon_shared::route;
use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// What a name begins with that a browser takes from this very host alone (RFC 6265bis, 4.1.3.2).
const HOST_PREFIX: &str = "__Host-";

/// No session cookie is longer. Bytes.
const VALUE_MAX: usize = 256;

/// Renames the session cookie.
#[derive(Debug)]
pub(super) struct Cookies {
    prefix: String,
}

impl Cookies {
    /// For the app on this port.
    pub(super) fn at(port: u16) -> Self {
        Self {
            prefix: format!("ui{port}-"),
        }
    }

    /// The browser's cookies as the server is to see them; nothing if none is the server's.
    pub(super) fn to_server(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = values.flat_map(|value| value.split(';')).map(str::trim);
        let own: Vec<_> = pairs
            .filter_map(|pair| pair.strip_prefix(&self.prefix))
            .filter(|pair| pair.split_once('=').is_some_and(|(name, _)| is_session(name)))
            .collect();
        if own.is_empty() {
            return None;
        }
        let mut value = HeaderValue::try_from(own.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The session cookie that the server sets, as the browser is to keep it.
    pub(super) fn to_browser(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let values = headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut kept = values.filter_map(|value| self.kept(value));
        kept.next()
    }

    fn kept(&self, cookie: &str) -> Option<HeaderValue> {
        let mut parts = cookie.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        if !is_session(name) || value.len() > VALUE_MAX || !value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let age = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("max-age"));
        let age = age.and_then(|(_, seconds)| seconds.parse::<u32>().ok());
        let age = age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let cookie = format!("{}{name}={value}; Path=/{age}; HttpOnly; SameSite=Strict", self.prefix);
        let mut cookie = HeaderValue::try_from(cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }
}

fn is_session(name: &str) -> bool {
    name.strip_prefix(HOST_PREFIX).unwrap_or(name) == route::COOKIE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_session_goes_to_the_browser_and_comes_back_under_the_servers_name() {
        let cookies = Cookies::at(8442);
        for name in ["__Host-beckon_session", "beckon_session"] {
            let set = format!("{name}=ab12; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
            let kept = cookies.to_browser(&headers(SET_COOKIE, &["theme=dark", &set])).unwrap();
            let kept = kept.to_str().unwrap();
            assert_eq!(
                kept,
                format!("ui8442-{name}=ab12; Path=/; Max-Age=60; HttpOnly; SameSite=Strict")
            );
            let (pair, _) = kept.split_once(';').unwrap();
            let back = cookies.to_server(&headers(COOKIE, &[&format!("a=b; {pair}"), "c=d"]));
            assert_eq!(back.unwrap(), format!("{name}=ab12"));
        }
    }

    #[test]
    fn cookies_of_other_programs_of_this_computer_are_not_passed_on() {
        let others = headers(
            COOKIE,
            &["beckon_session=1; ui8443-beckon_session=2", "ui8442-other=3; ui8442-x"],
        );
        assert_eq!(Cookies::at(8442).to_server(&others), None);
    }

    #[test]
    fn a_server_sets_nothing_but_its_session() {
        for cookie in [
            "theme=dark; Path=/",
            "beckon_session=a b; Path=/",
            "__Host-beckon_session=\"x\"",
            "ui8442-beckon_session=1",
            "beckon_session",
        ] {
            let set = headers(SET_COOKIE, &[cookie]);
            assert_eq!(Cookies::at(8442).to_browser(&set), None, "{cookie}");
        }
    }

    #[test]
    fn a_sign_out_takes_the_cookie_back() {
        let set = headers(SET_COOKIE, &["beckon_session=; Path=/; Max-Age=0; Domain=evil.example"]);
        assert_eq!(
            Cookies::at(1).to_browser(&set).unwrap(),
            "ui1-beckon_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
