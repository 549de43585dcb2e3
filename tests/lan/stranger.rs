//! Somebody who listens where nobody of ours is.

use beckon_tests::{Process, net::Host};
use tempfile::TempDir;

use crate::scene::SOON;

/// Somebody who listens at an address and tells what came.
pub(crate) struct Stranger {
    pub(crate) process: Process,
    _folder: TempDir,
}

impl Stranger {
    /// Starts one who is `silent`, answers `garbage`, or shows a `page`.
    #[track_caller]
    pub(crate) fn start(host: &Host, port: u16, manner: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let process = Process::start_through(&host.through(), "stranger", "stranger", &log, |command| {
            command.args([&format!("0.0.0.0:{port}"), manner]);
        });
        process.wait_for_line("listening", SOON);
        Self {
            process,
            _folder: folder,
        }
    }

    /// Of each connection the one message that came, in bytes. Panics if more came, or something else.
    #[track_caller]
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        let lines = self.process.lines();
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
        let messages: Vec<_> = lines
            .iter()
            .filter_map(|line| Some(hex::decode(line.strip_prefix("message ")?).unwrap()))
            .collect();
        assert_eq!(count("text "), 0, "{lines:?}");
        assert!(messages.len() <= count("connection from"), "{lines:?}");
        messages
    }
}
