//! Files that belong to the agent or that its user named on the command line: the one place that opens files by path.
#![allow(
    clippy::disallowed_methods,
    reason = "the agent's own state and files named on the command line; user files below roots go through root.rs"
)]

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use beckon_shared::error::{ErrorCode, Refusal};

/// Makes a folder (and those above it) that only its owner may enter. One that is there already keeps its permissions: it
/// may be anyone's, and every file in it is private by itself.
pub(super) fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

pub(super) fn absolute(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

pub(super) fn is_there(path: &Path) -> bool {
    path.exists()
}

#[cfg(unix)]
pub(super) fn owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|meta| meta.uid())
}

#[cfg(not(unix))]
pub(super) fn owner(_: &Path) -> Option<u32> {
    None
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(from)
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

pub(super) fn open_private(path: &Path) -> io::Result<File> {
    private().create(true).truncate(false).open(path)
}

/// Temporary file, fsync, rename, fsync of the folder. The caller sees to it that nobody else replaces the same file.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    let mut file = private().create(true).truncate(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    rename(&temporary, path)
}

pub(super) fn read_if_there(path: &Path, max: usize) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => read_bounded(file, max).map(Some),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Reads a file that the user named on the command line, of at most `max` bytes.
pub(crate) fn read_small_file(path: &Path, max: usize) -> Result<Vec<u8>, Refusal> {
    File::open(path)
        .and_then(|file| read_bounded(file, max))
        .map_err(|cause| {
            let advice = format!(
                "cannot read {}: {cause}; check the path and its permissions",
                path.display()
            );
            Refusal::new(ErrorCode::BadRequest, advice)
        })
}

/// Writes a new file that only its owner can read, at a place that the user named. What is there already is left alone.
pub(crate) fn create_private_file(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let write = || -> io::Result<()> {
        let mut file = private().create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_folder_of(path)
    };
    write().map_err(|cause| {
        let advice = match cause.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{} exists already and is not overwritten; name a new file",
                path.display()
            ),
            _ => format!("cannot write {}: {cause}; name another file", path.display()),
        };
        Refusal::new(ErrorCode::BadRequest, advice)
    })
}

/// The full path, without symlinks, of a folder that its owner opens to Beckon.
pub(crate) fn owned_folder(path: &Path) -> Result<PathBuf, Refusal> {
    let refuse = |why: &str| {
        Refusal::new(
            ErrorCode::BadRequest,
            format!(
                "{} cannot be a root: {why}; name a folder that you can read",
                path.display()
            ),
        )
    };
    let full = fs::canonicalize(path).map_err(|cause| refuse(&cause.to_string()))?;
    if full.is_dir() {
        Ok(full)
    } else {
        Err(refuse("it is no folder"))
    }
}

/// The full path, without symlinks, of the folder that something stands in, and what it is called there.
pub(crate) fn located(path: &Path) -> Result<(PathBuf, OsString), Refusal> {
    let refuse = |why: &str| {
        let advice = format!("{}: {why}; name a file or folder that is there", path.display());
        Refusal::new(ErrorCode::NotFound, advice)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let full = match path.file_name() {
        Some(name) => fs::canonicalize(folder.unwrap_or(Path::new("."))).map(|folder| folder.join(name)),
        // `.` and `..` say nothing of the name.
        None => fs::canonicalize(path),
    };
    let full = full.map_err(|cause| refuse(&cause.to_string()))?;
    match (full.parent(), full.file_name()) {
        (Some(folder), Some(name)) => Ok((folder.to_owned(), name.to_owned())),
        _ => Err(refuse("this is a whole disk")),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn read_bounded(file: File, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {max} bytes"),
        ));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Windows has no way to do this, and orders renames by its journal.
#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}
