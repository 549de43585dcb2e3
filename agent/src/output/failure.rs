//! How a command ends: exit codes, and errors that say what to do next.

use std::io;

use beckon_shared::error::{ErrorCode, Refusal};
use serde_json::json;

/// How the program ends; the numbers are fixed for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All of it is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command was not understood.
    Usage = 2,
    /// Nobody is signed in, or whoever is may not do this.
    NotAllowed = 3,
    /// The machine is away.
    Away = 4,
    /// Some of it is done, some failed.
    Partly = 5,
}

/// Why a command ends without its result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// The name of the error, fixed for scripts: one of the shared table or one made here.
    pub(crate) code: &'static str,
    /// Says what to do next; empty where there is nobody to tell.
    pub(crate) message: String,
    /// Whether the same command may succeed later without any change.
    pub(crate) retry: bool,
}

impl Failure {
    /// The command line was not understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            code: "usage",
            message: message.into(),
            retry: false,
        }
    }

    /// Nobody is signed in here.
    pub(crate) fn not_signed_in() -> Self {
        Refusal::new(
            ErrorCode::NotSignedIn,
            "nobody is signed in here; run: beckon login URL --name NAME",
        )
        .into()
    }

    /// The server does not answer.
    pub(crate) fn unreachable(server: &str, cause: &str) -> Self {
        let message = format!(
            "cannot reach {server}: {cause}; check that the server runs there and that this machine has a network"
        );
        Self {
            exit: Exit::Failed,
            code: "unreachable",
            message,
            retry: true,
        }
    }

    /// The time that `--timeout` gave is over.
    pub(crate) fn timeout() -> Self {
        let message =
            "not done within the time that --timeout gave; try again with more, what was begun goes on where it can"
                .to_owned();
        Self {
            exit: Exit::Failed,
            code: "timeout",
            message,
            retry: true,
        }
    }

    /// A file of this machine could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        let cause = match error.kind() {
            io::ErrorKind::NotFound => "it does not exist; check the path",
            io::ErrorKind::PermissionDenied => "this user may not; change its permissions or run as another user",
            io::ErrorKind::AlreadyExists => {
                "something else is there already; name another place or move it away (get --force replaces files)"
            }
            io::ErrorKind::StorageFull => "the disk is full; make room and try again",
            io::ErrorKind::IsADirectory => "it is a folder; name a file",
            io::ErrorKind::NotADirectory => "a part of the path is no folder; check the path",
            // Made by this program, and says what to do.
            io::ErrorKind::Unsupported | io::ErrorKind::InvalidFilename if error.get_ref().is_some() => {
                return Self::local("file", format!("{}: {error}", path.display()));
            }
            _ => {
                return Self::local(
                    "file",
                    format!("{}: {error}; check the path and the disk", path.display()),
                );
            }
        };
        Self::local("file", format!("{}: {cause}", path.display()))
    }

    /// Something on this machine is in the way.
    pub(crate) fn local(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            code,
            message: message.into(),
            retry: false,
        }
    }

    /// A fault of this program.
    pub(crate) fn internal(message: &str) -> Self {
        Refusal::new(ErrorCode::Internal, format!("{message}; please report this as a bug")).into()
    }

    /// Standard output does not take the result. Whoever closed it on purpose (as `head` does) is not told.
    pub(crate) fn output(error: io::Error) -> Self {
        let message = match error.kind() {
            io::ErrorKind::BrokenPipe => String::new(),
            _ => format!("the result cannot be written: {error}; check where standard output goes"),
        };
        Self::local("output", message)
    }

    /// As it is printed for programs.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({ "code": self.code, "message": self.message, "retry": self.retry })
    }

    /// Whether this is the shared error `code`.
    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        self.code == code.name()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            exit: exit_of(refusal.code),
            code: refusal.code.name(),
            message: refusal.message,
            retry: refusal.retry,
        }
    }
}

/// How the program ends on an error that another program told.
fn exit_of(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::NotSignedIn
        | ErrorCode::WrongPassword
        | ErrorCode::NotAllowed
        | ErrorCode::Revoked
        | ErrorCode::BadSetupCode
        | ErrorCode::BadOrder => Exit::NotAllowed,
        ErrorCode::Away => Exit::Away,
        ErrorCode::BadRequest => Exit::Usage,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_table_ends_the_program_with_its_fixed_number() {
        for code in ErrorCode::ALL {
            let expected = match code.name() {
                "not-signed-in" | "wrong-password" | "not-allowed" | "revoked" | "bad-setup-code" | "bad-order" => 3,
                "away" => 4,
                "bad-request" => 2,
                _ => 1,
            };
            assert_eq!(
                Failure::from(Refusal::new(*code, "do this")).exit as i32,
                expected,
                "{}",
                code.name()
            );
        }
        assert_eq!((Exit::Done as i32, Exit::Usage as i32, Exit::Partly as i32), (0, 2, 5));
    }

    #[test]
    fn an_error_for_programs_has_code_message_and_retry() {
        let failure = Failure::from(Refusal::new(ErrorCode::Away, "wake it up"));
        assert_eq!(
            failure.to_json().to_string(),
            r#"{"code":"away","message":"wake it up","retry":true}"#
        );
    }
}
