//! Compares trees of files by what is in them.

use std::{
    collections::BTreeMap,
    fs::{self, DirEntry},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::Path,
};

/// How many differences a failure shows.
const SHOWN: usize = 20;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory; its children have entries of their own.
    Directory,
    /// A regular file: its length and the BLAKE3 of its content.
    File(u64, blake3::Hash),
    /// A symlink and the bytes that it holds; it is not followed.
    Symlink(Vec<u8>),
    /// A FIFO, socket or device.
    Special,
}

/// Everything below a directory: the path's bytes, relative to it, and what stands there.
pub type Tree = BTreeMap<Vec<u8>, Entry>;

/// Reads and hashes everything below `root`, following no symlink.
pub fn tree_hashes(root: &Path) -> Tree {
    collect(root, |entry| hash(entry).map(Some))
}

/// As [`tree_hashes`], of a copy that its machine may be writing to: without what machines keep for themselves. An error
/// says that something vanished while it was looked at.
pub fn copy_hashes(root: &Path) -> io::Result<Tree> {
    try_collect(root, |name| !name.starts_with(OWN), |entry| hash(entry).map(Some))
}

/// As [`tree_modes`], of a copy.
pub fn copy_modes(root: &Path) -> io::Result<BTreeMap<Vec<u8>, u32>> {
    try_collect(root, |name| !name.starts_with(OWN), mode)
}

/// What machines keep for themselves in a root begins so.
const OWN: &[u8] = b".beckon";

/// The permission bits of all files and directories below `root`.
pub fn tree_modes(root: &Path) -> BTreeMap<Vec<u8>, u32> {
    collect(root, mode)
}

/// How `right` differs from `left`, a line each.
pub fn tree_difference(left: &Tree, right: &Tree) -> Vec<String> {
    let missing = left.iter().filter_map(|(path, entry)| match right.get(path) {
        None => Some(format!("missing: {}", show(path))),
        Some(other) if other != entry => Some(format!("differs: {}: {entry:?} became {other:?}", show(path))),
        Some(_) => None,
    });
    let added = right.keys().filter(|path| !left.contains_key(*path));
    missing
        .chain(added.map(|path| format!("added: {}", show(path))))
        .collect()
}

/// Panics with the first differences unless both directories hold the same.
#[track_caller]
pub fn assert_same_tree(left: &Path, right: &Path) {
    let difference = tree_difference(&tree_hashes(left), &tree_hashes(right));
    assert!(
        difference.is_empty(),
        "{} and {} differ in {} places:\n{}",
        left.display(),
        right.display(),
        difference.len(),
        difference[..difference.len().min(SHOWN)].join("\n"),
    );
}

fn collect<T>(root: &Path, read: impl FnMut(&DirEntry) -> io::Result<Option<T>>) -> BTreeMap<Vec<u8>, T> {
    try_collect(root, |_| true, read).unwrap_or_else(|error| panic!("cannot read {}: {error}", root.display()))
}

/// Where a name is not `wanted`, neither is what lies below.
fn try_collect<T>(
    root: &Path,
    wanted: impl Fn(&[u8]) -> bool,
    mut read: impl FnMut(&DirEntry) -> io::Result<Option<T>>,
) -> io::Result<BTreeMap<Vec<u8>, T>> {
    let mut found = BTreeMap::new();
    let mut open = vec![(root.to_owned(), Vec::new())];
    while let Some((folder, prefix)) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !wanted(entry.file_name().as_bytes()) {
                continue;
            }
            let path = join(&prefix, entry.file_name().into_vec());
            let value = read(&entry)?;
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), path.clone()));
            }
            found.extend(value.map(|value| (path, value)));
        }
    }
    Ok(found)
}

fn mode(entry: &DirEntry) -> io::Result<Option<u32>> {
    let metadata = entry.metadata()?;
    Ok((!metadata.is_symlink()).then(|| metadata.mode() & 0o7777))
}

fn hash(entry: &DirEntry) -> io::Result<Entry> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return Ok(Entry::Directory);
    }
    if kind.is_symlink() {
        return Ok(Entry::Symlink(
            fs::read_link(entry.path())?.as_os_str().as_bytes().to_vec(),
        ));
    }
    if !kind.is_file() {
        return Ok(Entry::Special);
    }
    let mut hasher = blake3::Hasher::new();
    let length = io::copy(&mut fs::File::open(entry.path())?, &mut hasher)?;
    Ok(Entry::File(length, hasher.finalize()))
}

fn join(prefix: &[u8], name: Vec<u8>) -> Vec<u8> {
    if prefix.is_empty() {
        return name;
    }
    [prefix, b"/", &name].concat()
}

fn show(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn equal_trees_have_no_difference() {
        let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        sample::small_tree(left.path());
        sample::small_tree(right.path());
        assert_same_tree(left.path(), right.path());
        assert_eq!(tree_modes(left.path()), tree_modes(right.path()));
    }

    #[test]
    fn a_changed_a_missing_and_an_added_file_are_named() {
        let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, there) in [("changed", left.path()), ("changed", right.path())] {
            fs::write(there.join(name), there.as_os_str().as_bytes()).unwrap();
        }
        fs::write(left.path().join("gone"), "").unwrap();
        fs::write(right.path().join("new"), "").unwrap();
        let lines = tree_difference(&tree_hashes(left.path()), &tree_hashes(right.path()));
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("differs: changed"));
        assert_eq!(lines[1..], ["missing: gone", "added: new"]);
    }
}
