//! Addresses of the app's pages. Names that are not UTF-8 travel in them without loss.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    id::{DeviceId, RootId, TransferId},
    path::{Name, RootPath},
};

/// Pages without arguments.
pub(crate) const MACHINES: &str = "/machines";
/// Where the dialog that adds a machine is open.
pub(crate) const ADD_MACHINE: &str = "/machines#add";
/// The drive's top.
pub(crate) const DRIVE: &str = "/drive";
/// Transfers.
pub(crate) const TRANSFERS: &str = "/transfers";
/// Search.
pub(crate) const SEARCH: &str = "/search";
/// Settings.
pub(crate) const SETTINGS: &str = "/settings";
/// Administration.
pub(crate) const ADMIN: &str = "/admin";
/// Signing in.
pub(crate) const SIGN_IN: &str = "/sign-in";
/// Recovering.
pub(crate) const RECOVER: &str = "/recover";

/// Opens a part that is not UTF-8 and goes on in base64; a part that begins so by itself begins so twice.
const BYTES: char = '~';

/// Signing in, to come back to the place where the page is now.
pub(crate) fn sign_in_for_here() -> String {
    let location = crate::dom::window().location();
    let (path, query) = (
        location.pathname().unwrap_or_default(),
        location.search().unwrap_or_default(),
    );
    if matches!(path.as_str(), "/" | MACHINES | SIGN_IN) {
        return SIGN_IN.to_owned();
    }
    format!("{SIGN_IN}?to={}", percent(&format!("{path}{query}")))
}

/// Where to go after signing in: the place asked for, if it is one of this app's.
pub(crate) fn after_sign_in(to: Option<&str>) -> String {
    to.filter(|to| is_ours(to)).unwrap_or(MACHINES).to_owned()
}

/// Whether an address stays on this server. The browser's own reading of it counts: it drops tabs and line ends, takes a
/// backslash for a slash, and what begins with two slashes is another host.
fn is_ours(address: &str) -> bool {
    let here = crate::dom::address();
    web_sys::Url::new_with_base(address, &here)
        .is_ok_and(|url| address.starts_with('/') && url.origin() == here && !url.pathname().starts_with("//"))
}

/// A machine's roots.
pub(crate) fn machine(device: DeviceId) -> String {
    format!("/machine/{device}")
}

/// A folder of a machine.
pub(crate) fn folder(device: DeviceId, root: RootId, path: &RootPath) -> String {
    let mut address = format!("/machine/{device}/{root}");
    for name in path.names() {
        address.push('/');
        address.push_str(&part(name.as_bytes()));
    }
    address
}

/// A device's page.
pub(crate) fn device(device: DeviceId) -> String {
    format!("/device/{device}")
}

/// The part of a machine's page that says how fast it may send.
pub(crate) fn limits(device: DeviceId) -> String {
    format!("{}#limits", self::device(device))
}

/// A transfer's page.
pub(crate) fn transfer(transfer: TransferId) -> String {
    format!("{TRANSFERS}/{transfer}")
}

/// A folder of the drive, by its path from the top.
pub(crate) fn drive(path: &RootPath) -> String {
    let mut address = DRIVE.to_owned();
    for name in path.names() {
        address.push('/');
        address.push_str(&part(name.as_bytes()));
    }
    address
}

/// A path out of the rest of an address, as the router hands it over (percent-decoded or not).
pub(crate) fn path(rest: &str) -> Option<RootPath> {
    rest.split('/')
        .filter(|part| !part.is_empty())
        .try_fold(RootPath::root(), |path, part| path.join(&name(part)?).ok())
}

fn part(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with(BYTES) && is_plain(text) => percent(&format!("{BYTES}{text}")),
        Ok(text) if is_plain(text) => percent(text),
        _ => format!("{BYTES}{}", URL_SAFE_NO_PAD.encode(bytes)),
    }
}

/// Whether a name stays the same however often it is decoded on its way through router and address bar, which decode
/// a path once or twice, drop controls and spaces at its ends, and take a backslash for a slash.
fn is_plain(name: &str) -> bool {
    name.trim() == name && !name.chars().any(|c| c.is_control() || matches!(c, '%' | '\\'))
}

fn name(part: &str) -> Option<Name> {
    let text = js_sys::decode_uri_component(part).ok()?.as_string()?;
    let bytes = match text.strip_prefix(BYTES) {
        None => text.into_bytes(),
        Some(rest) if rest.starts_with(BYTES) => rest.as_bytes().to_vec(),
        Some(encoded) => URL_SAFE_NO_PAD.decode(encoded).ok()?,
    };
    Name::new(bytes).ok()
}

/// Percent-encodes a text for an address or a query.
pub(crate) fn percent(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// Percent-encodes bytes for a query of the server's API, which takes names as bytes.
pub(crate) fn percent_bytes(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    bytes
        .iter()
        .map(|byte| match plain(byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const DEVICE: DeviceId = DeviceId([7; 32]);
    const ROOT: RootId = RootId([9; 16]);

    const NAMES: [&[u8]; 16] = [
        b"plain.txt",
        b"with space",
        b" at the ends ",
        b"100%",
        b"100%41",
        b"%2e%2e",
        b"a#b?c&d=e+f;g",
        b"back\\slash",
        b"~tilde",
        b"~~",
        b"caf\xe9",
        b"new\nline\ttab",
        b"<img src=x onerror=alert(1)>",
        "办公室 文件".as_bytes(),
        "\u{202e}txt.exe".as_bytes(),
        b"...",
    ];

    /// What follows the root in an address, as the browser keeps it.
    fn rest(address: &str) -> String {
        let url = web_sys::Url::new_with_base(address, "http://localhost").unwrap();
        url.pathname().splitn(5, '/').nth(4).unwrap_or_default().to_owned()
    }

    fn decoded(text: &str, decode: fn(&str) -> Result<js_sys::JsString, wasm_bindgen::JsValue>) -> String {
        decode(text)
            .ok()
            .and_then(|text| text.as_string())
            .unwrap_or_else(|| text.to_owned())
    }

    #[wasm_bindgen_test]
    fn every_name_survives_an_address() {
        for name in NAMES {
            let wanted = RootPath::root().join(&Name::new(name).unwrap()).unwrap();
            let wanted = wanted.join(&Name::new(name).unwrap()).unwrap();
            let raw = rest(&folder(DEVICE, ROOT, &wanted));
            assert_eq!(path(&raw).as_ref(), Some(&wanted), "{raw}");
            // The router hands a parameter over decoded.
            assert_eq!(
                path(&decoded(&raw, js_sys::decode_uri_component)).as_ref(),
                Some(&wanted),
                "{raw}"
            );
        }
    }

    #[wasm_bindgen_test]
    fn every_name_survives_the_address_bar() {
        for name in NAMES {
            let wanted = RootPath::root().join(&Name::new(name).unwrap()).unwrap();
            let address = folder(DEVICE, ROOT, &wanted);
            // What the router pushes after a click on a link.
            let pushed = decoded(&address, js_sys::decode_uri);
            assert_eq!(path(&rest(&pushed)).as_ref(), Some(&wanted), "{pushed}");
        }
    }

    #[wasm_bindgen_test]
    fn signing_in_leads_to_no_other_host() {
        for ours in ["/machines", "/drive/a%20b?focus=c", "/search?q=//x"] {
            assert_eq!(after_sign_in(Some(ours)), ours);
        }
        let others = [
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\\evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "",
        ];
        for other in others {
            assert_eq!(after_sign_in(Some(other)), MACHINES, "{other:?}");
        }
    }

    #[wasm_bindgen_test]
    fn what_is_no_path_is_none() {
        assert_eq!(path("a/../b"), None);
        assert_eq!(path("~!"), None);
        assert_eq!(path(""), Some(RootPath::root()));
    }
}
