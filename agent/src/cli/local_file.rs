//! Single files that were named on the command line, besides those that [`crate::state`] reads and writes.

use std::path::Path;

use cap_std::{ambient_authority, fs::Dir};

/// Removes a file that this program made; if that fails it stays, which is no harm.
pub(crate) fn remove(path: &Path) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return };
    let removed = Dir::open_ambient_dir(folder, ambient_authority()).and_then(|folder| folder.remove_file(name));
    if let Err(cause) = removed {
        tracing::debug!(%cause, "a file could not be removed");
    }
}
