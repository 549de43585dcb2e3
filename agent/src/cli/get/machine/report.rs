//! What came from a machine, and what did not.

use std::path::Path;

use beckon_shared::path::RootPath;
use serde::Serialize;

use super::lane::Counts;
use crate::{
    cli::{
        Here,
        get::{local::Fetched, tree::ProblemJson},
    },
    output::{Exit, Failure, count, size, visible},
};

/// What was done, and what was not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    path: String,
    files: u64,
    skipped: u64,
    bytes: u64,
    /// Pipes, sockets and devices.
    pub(super) left_out: u64,
    problems: Vec<ProblemJson>,
    came: Counts,
}

impl Report {
    /// Of a download into `target`.
    pub(super) fn new(target: &Path) -> Self {
        Self {
            path: target.to_string_lossy().into_owned(),
            ..Self::default()
        }
    }

    /// Counts a file or symlink.
    pub(super) fn count(&mut self, fetched: Fetched, bytes: u64) {
        match fetched {
            Fetched::New => {
                self.files += 1;
                self.bytes += bytes;
            }
            Fetched::Same => self.skipped += 1,
        }
    }

    /// Names what failed.
    pub(super) fn problem(&mut self, here: &Here, path: &RootPath, failure: Failure) {
        self.problems.push(ProblemJson::told(here, path, failure));
    }

    /// Prints it.
    pub(super) fn print(mut self, here: &Here, came: Counts) -> Result<Exit, Failure> {
        self.came = came;
        here.out.one(&self, || self.text())?;
        Ok(if self.problems.is_empty() {
            Exit::Done
        } else {
            Exit::Partly
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}, {}",
            visible(self.path.as_bytes()),
            count(self.files, "file"),
            size(self.bytes)
        );
        if self.skipped > 0 {
            text += &format!(", {} were there already", self.skipped);
        }
        if self.left_out > 0 {
            text += &format!(", {} left out (pipes, sockets, devices)", self.left_out);
        }
        if !self.problems.is_empty() {
            text += &format!(", {} failed (named above)", self.problems.len());
        }
        text
    }
}
