//! What a failure of the file system means: for one step, or for all of them.

use std::io::{self, ErrorKind};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    path::RootPath,
    transfer::Problem,
};

use crate::copy::Became;

/// Why something did not go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Only this step.
    Step(Became),
    /// All steps.
    All(Refusal),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::All(refusal)
    }
}

impl Trouble {
    /// Of a path, with what the file system said.
    pub(super) fn of(path: &RootPath, cause: &io::Error) -> Self {
        tracing::debug!(%cause, ?path, "the file system refused");
        let (code, advice) = match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                let advice = "the machine's disk is full; free some space there, then resume";
                return Self::All(Refusal::new(ErrorCode::NoRoom, advice));
            }
            // Somebody changed the folder meanwhile.
            ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => {
                return Self::Step(Became::Waits);
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => (
                ErrorCode::NotAllowed,
                "the agent may not write here; change the folder's permissions, or run the agent as a user who may write",
            ),
            ErrorKind::InvalidInput | ErrorKind::InvalidFilename => (
                ErrorCode::BadRequest,
                "this machine cannot have such a name, or it is too long; rename it where it comes from",
            ),
            ErrorKind::CrossesDevices => (
                ErrorCode::Conflict,
                "it lies on another disk than the root, so it cannot be kept aside or moved; take it away by hand",
            ),
            ErrorKind::Unsupported => (
                ErrorCode::NotAFile,
                "this system makes no symbolic links; leave it out where it comes from",
            ),
            _ if is_no_folder(cause) => (
                ErrorCode::Conflict,
                "a symlink or file stands in the place of a folder above it, and symlinks are not followed; take it away",
            ),
            _ => (
                ErrorCode::Internal,
                "the machine could not write it; check its disk, the agent's log says more",
            ),
        };
        Self::problem(path, code, advice)
    }

    /// A path that cannot be as it is wanted.
    pub(super) fn problem(path: &RootPath, code: ErrorCode, advice: &str) -> Self {
        Self::Step(Became::Problem(Problem {
            path: path.clone(),
            code,
            message: advice.to_owned(),
        }))
    }
}

/// Whether something that is no folder stands where one is needed: `ENOTDIR`, or `ELOOP` for a symlink.
pub(super) fn is_no_folder(cause: &io::Error) -> bool {
    #[cfg(target_os = "linux")]
    if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return true;
    }
    cause.kind() == ErrorKind::NotADirectory
}
