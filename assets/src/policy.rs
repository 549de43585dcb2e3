//! Which headers the web app goes out with: what its page and its workers may load, run and reach.

/// The policy (CSP) of the page and of all that has none of its own. No page of ours runs anything but our own files; nobody may
/// frame it; it sends nothing elsewhere. Previews are blobs that the page makes with a type of its own choice, in frames those of
/// PDF alone; a frame besides begins a download that the service worker at `/save/` answers.
///
/// No policy may say `upgrade-insecure-requests`: it turns `ws://` to a machine in the same network into `wss://`, which that
/// machine does not speak.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' blob:; media-src 'self' blob:; frame-src 'self' blob:; font-src 'self'; connect-src 'self'; \
    worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The worker that holds sessions with machines: it alone opens sockets to their addresses, which nobody knows beforehand.
pub(crate) const SESSION: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The service worker that hands downloads to the browser: it loads and reaches nothing.
pub(crate) const SAVE: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer that does not say otherwise.
pub const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", PAGE_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    ("cross-origin-resource-policy", "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;

    #[test]
    fn nothing_turns_sockets_to_machines_into_secure_ones() {
        let page = String::from_utf8_lossy(file::page().plain).to_lowercase();
        assert!(!page.contains("http-equiv"), "policies stand in headers");
        let headers = HEADERS.map(|(_, value)| value);
        for policy in headers.into_iter().chain([PAGE_POLICY, SESSION, SAVE]) {
            let policy = policy.to_lowercase();
            assert!(!policy.contains("upgrade-insecure-requests"), "{policy}");
            assert!(!policy.contains("block-all-mixed-content"), "{policy}");
        }
    }
}
