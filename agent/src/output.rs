//! What the command line prints: results on standard output, errors on standard error, as text or as JSON.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this module is for"
)]

mod failure;
mod format;
mod progress;
mod table;
mod visible;

use std::io::{BufWriter, StdoutLock, Write};

use serde::Serialize;

pub(crate) use failure::{Exit, Failure};
pub(crate) use format::{base64, count, size, time};
pub(crate) use progress::{Bar, moved};
pub(crate) use table::Table;
pub(crate) use visible::{visible, visible_text};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// How they are written.
    pub(crate) format: Format,
}

impl Output {
    /// Whether the reader is a program.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// One result: the object for programs, the text for people.
    pub(crate) fn one<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json_line(value),
            Format::Text => self.line(&text()),
        }
    }

    /// Several results: one array for programs, a table for people.
    pub(crate) fn list<T: Serialize>(self, values: &[T], table: impl FnOnce() -> Table) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json_line(values),
            Format::Text => self.write(table().to_string().as_bytes()),
        }
    }

    /// A value as a line of JSON.
    pub(crate) fn json_line<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        let mut bytes =
            serde_json::to_vec(value).map_err(|_| Failure::internal("this result cannot be written as JSON"))?;
        bytes.push(b'\n');
        self.write(&bytes)
    }

    /// A line of text as it stands; nothing for an empty one.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.write(format!("{text}\n").as_bytes())
    }

    /// Bytes as they stand, written at once.
    pub(crate) fn write(self, bytes: &[u8]) -> Result<(), Failure> {
        progress::aside(|| {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        })
        .map_err(Failure::output)
    }

    /// A list too long to be held: rows are written as they come.
    pub(crate) fn rows(self) -> Rows {
        Rows {
            format: self.format,
            out: BufWriter::with_capacity(64 * 1024, std::io::stdout().lock()),
            count: 0,
        }
    }
}

/// A remark for people beside the results: on standard error, and not where a program reads.
pub(crate) fn remark(output: Output, text: &str) {
    if !output.is_json() {
        // A remark that cannot be shown is not missed.
        let _ = progress::aside(|| writeln!(std::io::stderr().lock(), "{}", visible_text(text)));
    }
}

/// Says on standard error why the program ends, and what to do.
pub(crate) fn report(failure: &Failure, format: Format) {
    let mut out = std::io::stderr().lock();
    // Nothing is left to be done if standard error is closed.
    let _ = match format {
        _ if failure.message.is_empty() => Ok(()),
        Format::Json => writeln!(out, "{}", failure.to_json()),
        Format::Text => writeln!(out, "beckon: {}", visible_text(&failure.message)),
    };
}

/// Rows that are written as they come.
pub(crate) struct Rows {
    format: Format,
    out: BufWriter<StdoutLock<'static>>,
    count: u64,
}

impl Rows {
    /// Writes one.
    pub(crate) fn push<T: Serialize>(&mut self, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let first = self.count == 0;
        self.count += 1;
        match self.format {
            Format::Text => writeln!(self.out, "{}", text()),
            Format::Json => {
                let opened = self.out.write_all(if first { b"[" } else { b",\n" });
                opened.and_then(|()| serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::from))
            }
        }
        .map_err(Failure::output)
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::output)
    }

    /// Ends the list; without this a JSON array stays open, so that a broken one is never taken for whole.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let end: &[u8] = match (self.format, self.count) {
            (Format::Text, _) => b"",
            (Format::Json, 0) => b"[]\n",
            (Format::Json, _) => b"]\n",
        };
        self.out
            .write_all(end)
            .and_then(|()| self.out.flush())
            .map_err(Failure::output)
    }
}
