//! Secrets that people type: from a file, from standard input or from a terminal without echo; never from an argument,
//! which every user of the machine could read.

use std::{
    io::{ErrorKind, IsTerminal, Read},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{output::Failure, state};

/// What is typed is no longer than this. Bytes.
const TYPED_MAX: usize = 64 * 1024;

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The terminal.
    Terminal,
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl From<Option<&PathBuf>> for Source {
    fn from(path: Option<&PathBuf>) -> Self {
        match path {
            None => Self::Terminal,
            Some(path) if path.as_path() == Path::new("-") => Self::Stdin,
            Some(path) => Self::File(path.clone()),
        }
    }
}

/// Reads a secret. `question` is shown on a terminal, `option` names what to give where there is none.
pub(crate) fn read(source: &Source, question: &str, option: &str) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::File(path) => first_line(state::read_small_file(path, TYPED_MAX)?.into()),
        Source::Stdin => first_line(stdin()?),
        Source::Terminal => ask(question, option),
    }
}

/// Reads a new secret; on a terminal twice.
pub(crate) fn read_new(source: &Source, question: &str, option: &str) -> Result<Zeroizing<String>, Failure> {
    let typed = read(source, question, option)?;
    if matches!(source, Source::Terminal) && *ask("The same again: ", option)? != *typed {
        return Err(Failure::usage(
            "the two passwords differ; run the command again and type the same one twice",
        ));
    }
    Ok(typed)
}

/// All of a text, over several lines.
pub(crate) fn read_text(source: &Source, question: &str, option: &str) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::File(path) => text(state::read_small_file(path, TYPED_MAX)?.into()),
        Source::Stdin => text(stdin()?),
        Source::Terminal => ask(question, option),
    }
}

fn stdin() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin()
        .lock()
        .take(TYPED_MAX as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(Path::new("standard input"), &error))?;
    Ok(bytes)
}

fn ask(question: &str, option: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "there is no terminal to ask at; give {option} FILE, or {option} - for standard input"
        )));
    }
    let typed = interrupt::held(|| rpassword::prompt_password(question)).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Failure::usage(format!("nothing was typed; type it, or give {option} FILE")),
        _ => Failure::file(Path::new("the terminal"), &error),
    })?;
    Ok(Zeroizing::new(typed))
}

/// Ctrl-C while the terminal shows no echo: the program ends by it, but only after the terminal is as it was.
#[cfg(unix)]
mod interrupt {
    use std::{
        io::{self, ErrorKind},
        sync::{
            Arc, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
    };

    use signal_hook::{consts::SIGINT, flag, low_level};

    /// Whether the signal ends the program at once, as it does without a handler.
    static ENDS: OnceLock<Arc<AtomicBool>> = OnceLock::new();

    pub(super) fn held<T>(ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let ends = ENDS.get_or_init(|| {
            let ends = Arc::new(AtomicBool::new(true));
            if let Err(cause) = flag::register_conditional_default(SIGINT, Arc::clone(&ends)) {
                tracing::debug!(%cause, "Ctrl-C may leave the terminal without echo");
            }
            ends
        });
        ends.store(false, Ordering::SeqCst);
        let typed = ask();
        ends.store(true, Ordering::SeqCst);
        if typed
            .as_ref()
            .is_err_and(|cause| cause.kind() == ErrorKind::Interrupted)
        {
            low_level::raise(SIGINT)?;
        }
        typed
    }
}

#[cfg(not(unix))]
mod interrupt {
    pub(super) fn held<T>(ask: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        ask()
    }
}

fn first_line(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Failure> {
    let text = text(bytes)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn text(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Failure> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::usage("what was typed is not UTF-8 text; store it as UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        let line = |bytes: &[u8]| first_line(Zeroizing::new(bytes.to_vec())).map(|line| line.to_string());
        assert_eq!(line(b"correct horse\n").unwrap(), "correct horse");
        assert_eq!(line(b" with spaces \r\nnext\n").unwrap(), " with spaces ");
        assert_eq!(line(b"").unwrap(), "");
        assert_eq!(line(b"\xff").unwrap_err().code, "usage");
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert!(matches!(Source::from(Some(&PathBuf::from("-"))), Source::Stdin));
        assert!(matches!(Source::from(None), Source::Terminal));
        assert!(matches!(Source::from(Some(&PathBuf::from("./-"))), Source::File(_)));
    }
}
