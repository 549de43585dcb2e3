//! The files of the web app, which `build.rs` put into this crate.

use crate::policy;

/// A file, as it is and compressed.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is fetched from, as in `/app/boot-0123456789abcdef.js`.
    pub path: &'static str,
    /// Its content.
    pub plain: &'static [u8],
    /// The same, compressed by brotli.
    pub brotli: Option<&'static [u8]>,
    /// The same, compressed by gzip.
    pub gzip: Option<&'static [u8]>,
}

const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Says how to build the web app.
static PLACEHOLDER: File = File {
    path: "/index.html",
    plain: include_bytes!("../placeholder.html"),
    brotli: None,
    gzip: None,
};

/// The file of this path.
pub(crate) fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// The page of the web app.
pub(crate) fn page() -> &'static File {
    find(PLACEHOLDER.path).unwrap_or(&PLACEHOLDER)
}

impl File {
    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "wasm" => "application/wasm",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "ico" => "image/x-icon",
            "webmanifest" => "application/manifest+json",
            _ => "application/octet-stream",
        }
    }

    /// The policy (CSP) that it goes out with.
    pub fn policy(&self) -> &'static str {
        match self.path {
            "/save.js" => policy::SAVE,
            path if path.starts_with("/app/session-") => policy::SESSION,
            _ => policy::PAGE_POLICY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_media_type_and_the_page_is_there() {
        for file in FILES {
            assert_ne!(file.media_type(), "application/octet-stream", "{}", file.path);
        }
        assert!(page().media_type().starts_with("text/html"));
        assert!(find("/app/../index.html").is_none());
    }

    #[test]
    fn only_the_worker_of_sessions_may_reach_other_hosts() {
        let script = |path| File {
            path,
            plain: b"",
            brotli: None,
            gzip: None,
        };
        let policy = |path| script(path).policy();
        assert!(policy("/app/session-0123456789abcdef.js").contains("connect-src 'self' ws: wss:;"));
        for path in ["/index.html", "/app/worker-0123456789abcdef.js", "/app/sessions.js"] {
            assert!(policy(path).contains("connect-src 'self';"), "{path}");
        }
        assert!(!policy("/save.js").contains("-src 'self'"));
    }
}
