//! HTTP as a person at a shell does it: by `curl`, which is not ours.

use std::{
    ffi::{OsStr, OsString},
    fs,
    process::Command,
};

use serde_json::Value;

/// What `curl` was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status of the last answer; 0 where none came.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// The exit code of `curl`: 0 only if the whole answer came.
    pub exit: i32,
}

/// Runs `curl ARGS...` and takes the answer apart.
#[track_caller]
pub fn curl<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Answer {
    let folder = tempfile::tempdir().expect("room for an answer");
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .arg("--dump-header")
        .arg(&head)
        .arg("--output")
        .arg(&body)
        .args(args)
        .output()
        .expect("curl starts: `cargo xtask test` installs it");
    let head = String::from_utf8_lossy(&fs::read(&head).unwrap_or_default()).into_owned();
    let (status, headers) = last_head(&head);
    Answer {
        status,
        headers,
        body: fs::read(&body).unwrap_or_default(),
        exit: output.status.code().unwrap_or(-1),
    }
}

impl Answer {
    /// The value of a header; names are matched in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut same = self.headers.iter().filter(|(other, _)| other == name);
        same.next().map(|(_, value)| value.as_str())
    }

    /// The value of a header that must be there.
    #[track_caller]
    pub fn expect_header(&self, name: &str) -> &str {
        self.header(name)
            .unwrap_or_else(|| panic!("no header {name}: {:?}", self.headers))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}), status {}: {}", self.status, self.text()),
        }
    }

    /// Panics unless the status is `status`.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        let start: String = self.text().chars().take(500).collect();
        assert_eq!(self.status, status, "unexpected status: {start}");
        self
    }
}

/// A browser that is signed in: it sends the session's cookie, and with changes what the web app would.
#[derive(Clone, Debug)]
pub struct Browser {
    url: String,
    cookie: String,
    options: Vec<OsString>,
}

impl Browser {
    /// With the session of a terminal. A terminal's session is the same as a browser's to the server.
    #[track_caller]
    pub fn with_session_of(cli: &crate::Cli, url: &str) -> Self {
        let record = fs::read(cli.state().join("controller.json")).expect("a terminal that is signed in");
        let record: Value = serde_json::from_slice(&record).expect("it is JSON");
        let cookie = record["record"]["sign_in"]["cookie"]
            .as_str()
            .expect("it holds the cookie");
        Self {
            url: url.to_owned(),
            cookie: cookie.to_owned(),
            options: Vec::new(),
        }
    }

    /// The cookie as `name=value`.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Adds options of `curl` to each request.
    pub fn options<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.options.extend(args);
        self
    }

    /// Gets `path`, with more options of `curl`.
    #[track_caller]
    pub fn get(&self, path: &str, args: &[&str]) -> Answer {
        let cookie = format!("cookie: {}", self.cookie);
        let url = format!("{}{path}", self.url);
        let own = ["--header", &cookie, &url].map(OsString::from);
        let more = args.iter().map(OsString::from);
        curl(own.into_iter().chain(self.options.clone()).chain(more))
    }

    /// Posts JSON to `path` as the web app does, with the custom header and its own origin.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let origin = format!("origin: {}", self.url);
        let headers = ["--header", "x-beckon: 1", "--header", &origin];
        let (body, json) = (body.to_string(), "content-type: application/json");
        let data = ["--header", json, "--data-raw", &body];
        self.get(path, &[headers, data].concat())
    }
}

/// Status and headers of the last answer in a dump of heads.
fn last_head(heads: &str) -> (u16, Vec<(String, String)>) {
    let mut status = 0;
    let mut headers = Vec::new();
    for line in heads.lines() {
        if let Some(rest) = line.strip_prefix("HTTP/") {
            let number = rest.split_ascii_whitespace().nth(1);
            status = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            headers.clear();
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    (status, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_heads_counts() {
        let heads = "HTTP/1.1 100 Continue\r\na: 1\r\n\r\nHTTP/2 206\r\nETag: \"x:y\"\r\n\r\n";
        assert_eq!(last_head(heads), (206, vec![("etag".into(), "\"x:y\"".into())]));
        assert_eq!(last_head("").0, 0);
    }

    #[test]
    fn a_server_that_is_not_there_yields_no_status() {
        let answer = curl(["http://127.0.0.1:1/"]);
        assert_eq!((answer.status, answer.exit), (0, 7));
    }
}
