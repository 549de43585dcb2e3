//! Whether a machine is to be tried directly from this page, and if not, why not. A judgement without any effect: only the
//! handshake proves who is where.

use core::net::IpAddr;

use beckon_shared::neighbour::Hint;

use super::message::Missed;

/// Where the page came from: what a browser lets it open depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// This computer.
    Loopback,
    /// Without TLS, from a private address.
    PlainPrivate,
    /// Without TLS, from any other one.
    PlainPublic,
    /// With TLS, from a private address that stands in the page's own.
    SecurePrivate,
    /// With TLS, from a name or a public address.
    Secure,
}

/// A kind of browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    /// Chromium and what is made of it.
    Chromium,
    /// Any other: from pages with TLS it opens no socket without.
    Other,
}

/// What the person let the page do in the local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// This browser does not ask for it.
    Unknown,
    /// Not asked yet.
    Unasked,
    /// Yes.
    Granted,
    /// No.
    Denied,
}

/// What is known when it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    /// Where the page came from.
    pub(crate) from: From,
    /// The kind of browser.
    pub(crate) browser: Browser,
    /// What the person let the page do.
    pub(crate) permission: Permission,
    /// Whether it is worth a try.
    pub(crate) hint: Hint,
    /// Why the last try failed, while that counts.
    pub(crate) missed: Option<Missed>,
    /// The person chose the relay.
    pub(crate) relay_only: bool,
    /// The person asks for the try by a click.
    pub(crate) insists: bool,
}

/// Why a machine is reached by the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The person chose it.
    Chosen,
    /// The machine does not listen.
    Closed,
    /// This browser forbids it from a page with TLS.
    Forbidden,
    /// Browsers forbid it from a page that came without TLS over the Internet.
    Plain,
    /// The browser has to ask the person first.
    Unasked,
    /// The person did not permit it.
    Denied,
    /// Nothing says that both are in one network.
    Far,
    /// Nothing answered.
    Silent,
    /// Somebody else answered.
    Another,
}

/// Whether to try; only a click opens a socket for which the browser would ask the person.
pub(crate) fn judge(case: Case) -> Result<(), Why> {
    if case.relay_only {
        return Err(Why::Chosen);
    }
    if case.hint == Hint::Closed {
        return Err(Why::Closed);
    }
    let is_far = case.hint == Hint::Unlikely && !case.insists;
    match allowed(case) {
        // What would be asked for is better not asked where it is hardly of use.
        Err(Why::Unasked) if is_far => return Err(Why::Far),
        Err(Why::Unasked | Why::Denied) if case.insists => {}
        other => other?,
    }
    match case.missed {
        _ if case.insists => Ok(()),
        Some(Missed::Silent) => Err(Why::Silent),
        Some(Missed::Another) => Err(Why::Another),
        None if is_far => Err(Why::Far),
        None => Ok(()),
    }
}

/// What the browser lets this page do.
fn allowed(case: Case) -> Result<(), Why> {
    match (case.from, case.browser, case.permission) {
        (From::Loopback | From::PlainPrivate, _, _) => Ok(()),
        (From::PlainPublic, Browser::Chromium, _) => Err(Why::Plain),
        (From::PlainPublic, Browser::Other, _) => Ok(()),
        (From::SecurePrivate | From::Secure, Browser::Other, _) => Err(Why::Forbidden),
        // Older ones know of no such permission, and count the socket as mixed content.
        (_, Browser::Chromium, Permission::Unknown) => Err(Why::Forbidden),
        // Needs none, and is not kept back by a no.
        (From::SecurePrivate, Browser::Chromium, _) => Ok(()),
        (From::Secure, Browser::Chromium, Permission::Granted) => Ok(()),
        (From::Secure, Browser::Chromium, Permission::Unasked) => Err(Why::Unasked),
        (From::Secure, Browser::Chromium, Permission::Denied) => Err(Why::Denied),
    }
}

/// Where a page came from, by its own address and by where the server saw the browser: who is seen at a private address is
/// in the server's own network.
pub(crate) fn from(protocol: &str, host: &str, seen_at: &str) -> From {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let literal = literal.ok().map(|ip| ip.to_canonical());
    let is_loopback = match literal {
        Some(ip) => ip.is_loopback(),
        None => host == "localhost" || host.ends_with(".localhost"),
    };
    if is_loopback {
        return From::Loopback;
    }
    let is_tls = protocol == "https:";
    match literal {
        Some(ip) if is_private(ip) && is_tls => From::SecurePrivate,
        _ if is_tls => From::Secure,
        Some(ip) if is_private(ip) => From::PlainPrivate,
        Some(_) => From::PlainPublic,
        None if is_local_name(host) || seen_at.parse().is_ok_and(is_private) => From::PlainPrivate,
        None => From::PlainPublic,
    }
}

/// Names that no public server has (RFC 6762, RFC 8375, and the reserved `internal`).
fn is_local_name(host: &str) -> bool {
    let ends = [".local", ".lan", ".home", ".home.arpa", ".internal"];
    !host.contains('.') || ends.iter().any(|end| host.ends_with(end))
}

/// Addresses that browsers count as the local network.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let is_carriers = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || is_carriers
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const FROMS: [From; 5] = [
        From::Loopback,
        From::PlainPrivate,
        From::PlainPublic,
        From::SecurePrivate,
        From::Secure,
    ];
    const PERMISSIONS: [Permission; 4] = [
        Permission::Unknown,
        Permission::Unasked,
        Permission::Granted,
        Permission::Denied,
    ];

    fn case(from: From, browser: Browser, permission: Permission) -> Case {
        Case {
            from,
            browser,
            permission,
            hint: Hint::Near,
            missed: None,
            relay_only: false,
            insists: false,
        }
    }

    #[wasm_bindgen_test]
    fn a_near_machine_is_tried_where_the_browser_lets_the_page() {
        use Why::{Denied, Forbidden, Plain, Unasked};
        // By permission: unknown, unasked, granted, denied.
        let chromium: [(From, [Result<(), Why>; 4]); 5] = [
            (From::Loopback, [Ok(()); 4]),
            (From::PlainPrivate, [Ok(()); 4]),
            (From::PlainPublic, [Err(Plain); 4]),
            (From::SecurePrivate, [Err(Forbidden), Ok(()), Ok(()), Ok(())]),
            (From::Secure, [Err(Forbidden), Err(Unasked), Ok(()), Err(Denied)]),
        ];
        for (from, expected) in chromium {
            let judged = PERMISSIONS.map(|permission| judge(case(from, Browser::Chromium, permission)));
            assert_eq!(judged, expected, "{from:?}");
        }
        for from in FROMS {
            let is_forbidden = matches!(from, From::SecurePrivate | From::Secure);
            let expected = if is_forbidden { Err(Forbidden) } else { Ok(()) };
            let judged = PERMISSIONS.map(|permission| judge(case(from, Browser::Other, permission)));
            assert_eq!(judged, [expected; 4], "{from:?}");
        }
    }

    #[wasm_bindgen_test]
    fn without_a_click_nothing_is_opened_for_which_the_browser_would_ask() {
        for from in FROMS {
            for hint in [Hint::Near, Hint::Unlikely, Hint::Closed] {
                let asked = Case {
                    hint,
                    ..case(from, Browser::Chromium, Permission::Unasked)
                };
                assert!(from != From::Secure || judge(asked).is_err(), "{from:?} {hint:?}");
            }
        }
        let clicked = Case {
            insists: true,
            ..case(From::Secure, Browser::Chromium, Permission::Unasked)
        };
        assert_eq!(judge(clicked), Ok(()));
    }

    #[wasm_bindgen_test]
    fn a_click_tries_what_seems_far_or_failed_and_nothing_that_cannot_be() {
        let here = case(From::PlainPrivate, Browser::Chromium, Permission::Unknown);
        let insists = |case: Case| judge(Case { insists: true, ..case });
        let far = Case {
            hint: Hint::Unlikely,
            ..here
        };
        assert_eq!((judge(far), insists(far)), (Err(Why::Far), Ok(())));
        for (missed, why) in [(Missed::Silent, Why::Silent), (Missed::Another, Why::Another)] {
            let failed = Case {
                missed: Some(missed),
                ..here
            };
            assert_eq!((judge(failed), insists(failed)), (Err(why), Ok(())));
        }
        let closed = Case {
            hint: Hint::Closed,
            ..here
        };
        let chosen = Case {
            relay_only: true,
            ..here
        };
        let plain = case(From::PlainPublic, Browser::Chromium, Permission::Granted);
        let forbidden = case(From::Secure, Browser::Other, Permission::Unknown);
        for (case, why) in [
            (closed, Why::Closed),
            (chosen, Why::Chosen),
            (plain, Why::Plain),
            (forbidden, Why::Forbidden),
        ] {
            assert_eq!((judge(case), insists(case)), (Err(why), Err(why)), "{case:?}");
        }
    }

    #[wasm_bindgen_test]
    fn a_permission_is_not_asked_for_where_it_is_hardly_of_use() {
        let far = Case {
            hint: Hint::Unlikely,
            ..case(From::Secure, Browser::Chromium, Permission::Unasked)
        };
        assert_eq!(judge(far), Err(Why::Far));
    }

    #[wasm_bindgen_test]
    fn pages_are_told_apart_by_where_they_came_from() {
        for (protocol, host, seen_at, expected) in [
            ("http:", "127.0.0.1", "", From::Loopback),
            ("http:", "[::1]", "", From::Loopback),
            ("https:", "localhost", "", From::Loopback),
            ("http:", "192.168.1.2", "203.0.113.1", From::PlainPrivate),
            ("http:", "[fd00::1]", "", From::PlainPrivate),
            ("http:", "100.64.1.1", "", From::PlainPrivate),
            ("http:", "203.0.113.10", "192.168.1.2", From::PlainPublic),
            ("http:", "[2001:db8::1]", "", From::PlainPublic),
            ("http:", "nas", "", From::PlainPrivate),
            ("http:", "nas.local", "", From::PlainPrivate),
            ("http:", "drive.example", "192.168.1.2", From::PlainPrivate),
            ("http:", "drive.example", "203.0.113.1", From::PlainPublic),
            ("http:", "localhost.example", "203.0.113.1", From::PlainPublic),
            ("https:", "192.168.1.2", "", From::SecurePrivate),
            ("https:", "[fd00::1]", "", From::SecurePrivate),
            ("https:", "203.0.113.10", "192.168.1.2", From::Secure),
            ("https:", "drive.example", "192.168.1.2", From::Secure),
        ] {
            assert_eq!(from(protocol, host, seen_at), expected, "{protocol} {host} {seen_at}");
        }
    }
}
