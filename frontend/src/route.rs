//! Addresses of the app's pages. Names that are not UTF-8 travel in them without loss.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    id::{DeviceId, RootId},
    path::{Name, RootPath},
};

/// Pages without arguments.
pub(crate) const MACHINES: &str = "/machines";
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
        Ok(text) if text.starts_with(BYTES) => percent(&format!("{BYTES}{text}")),
        Ok(text) => percent(text),
        Err(_) => format!("{BYTES}{}", URL_SAFE_NO_PAD.encode(bytes)),
    }
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
