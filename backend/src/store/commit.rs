//! Checking a commit before the database hears of it: signature, hashes, manifests, paths.

use std::collections::{HashMap, HashSet};

use beckon_shared::{
    bulk::CommitUpload,
    commit::{CHANGES_MAX, Change, Commit, commit_hash, decode_changes},
    error::{ErrorCode, Refusal},
    id::{ChunkId, Hash},
    manifest::{Content, Manifest},
    path::RootPath,
    signature::{PublicKey, Signed},
    wire,
};

use crate::access::{Opens, TransferAccess};

/// A path of a commit has at most this many names: each level of a tree is looked up on its own.
pub(crate) const DEPTH_MAX: usize = 512;

/// The folders above a commit's paths take at most about this many bytes of memory, each once. Far above what folders
/// of people need; paths that share nothing and are as deep as can be would need gigabytes.
const FOLDERS_MAX: usize = 16 << 20;

/// What a folder takes in memory besides its path. Bytes.
const FOLDER_OVERHEAD: usize = 128;

/// A commit that is what it says. Whether it fits the present state is for the database to see.
#[derive(Debug)]
pub(crate) struct CheckedCommit {
    /// The commit.
    pub(crate) commit: Commit,
    /// As it was signed.
    pub(crate) signed: Signed<Commit>,
    /// What the next one names as its parent.
    pub(crate) hash: Hash,
    /// What it puts, each path once; nothing where it shifts.
    pub(crate) changes: Vec<CheckedChange>,
    /// What it removes and moves, in order; nothing where it puts.
    pub(crate) shifts: Vec<CheckedShift>,
    /// What the changes put.
    pub(crate) manifests: HashMap<Hash, CheckedManifest>,
}

/// A change with its own encoding.
#[derive(Debug)]
pub(crate) struct CheckedChange {
    /// As it is stored.
    pub(crate) bytes: Vec<u8>,
    /// Below the root.
    pub(crate) path: RootPath,
    /// The manifest that the path now holds.
    pub(crate) put: Hash,
}

/// A change that puts nothing, with its own encoding.
#[derive(Debug)]
pub(crate) struct CheckedShift {
    /// As it is stored.
    pub(crate) bytes: Vec<u8>,
    /// What becomes of what is there.
    pub(crate) shift: Shift,
}

/// What becomes of what is at a path and below it. Paths are not the root itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// It is there no more.
    Remove(RootPath),
    /// It is elsewhere.
    Move {
        /// Where it was.
        from: RootPath,
        /// Where it is; not below `from`.
        to: RootPath,
    },
}

/// A manifest with its own encoding.
#[derive(Debug)]
pub(crate) struct CheckedManifest {
    /// As it came.
    pub(crate) bytes: Vec<u8>,
    /// What it says.
    pub(crate) manifest: Manifest,
}

impl CheckedCommit {
    /// Every chunk that the manifests name, each once, in their order of changes, with its content length.
    pub(crate) fn chunks(&self) -> Vec<(ChunkId, u32)> {
        let mut seen = HashSet::new();
        let manifests = self.changes.iter().filter_map(|change| self.manifests.get(&change.put));
        let files = manifests.filter_map(|checked| match &checked.manifest.content {
            Content::File(file) => Some(&file.chunks),
            _ => None,
        });
        files
            .flatten()
            .filter(|chunk| seen.insert(chunk.id))
            .map(|chunk| (chunk.id, chunk.len))
            .collect()
    }
}

/// Checks all that can be checked without the database.
pub(crate) fn check(access: &TransferAccess, key: &PublicKey, upload: CommitUpload) -> Result<CheckedCommit, Refusal> {
    let commit = upload
        .commit
        .verify(key)
        .map_err(|_| bad("the commit's signature does not fit; join the machine again"))?;
    if commit.suite != 0 {
        return Err(bad("the commit is of an unknown suite; update the server"));
    }
    if (commit.space, commit.device, commit.root) != (access.space, access.device, access.root) {
        return Err(Refusal::new(
            ErrorCode::NotAllowed,
            "the commit is for something else than its transfer; begin the transfer again",
        ));
    }
    if Hash::of(&upload.changes) != commit.changes {
        return Err(bad("the changes are not those that were signed; commit again"));
    }
    let (changes, shifts) = check_changes(access.opens, &upload.changes)?;
    let manifests = check_manifests(upload.manifests)?;
    if !changes.iter().all(|change| manifests.contains_key(&change.put)) {
        return Err(bad("a manifest is missing from the commit; commit again"));
    }
    let hash = commit_hash(&upload.commit);
    Ok(CheckedCommit {
        commit,
        signed: upload.commit,
        hash,
        changes,
        shifts,
        manifests,
    })
}

fn check_changes(opens: Opens, bytes: &[u8]) -> Result<(Vec<CheckedChange>, Vec<CheckedShift>), Refusal> {
    let malformed = || {
        bad(&format!(
            "the changes are malformed, or more than {CHANGES_MAX}; update the agent"
        ))
    };
    let changes = decode_changes(bytes).map_err(|_| malformed())?;
    let (mut puts, mut shifts) = (Vec::new(), Vec::new());
    for change in changes {
        let bytes = wire::encode(&change);
        let shift = match change {
            Change::Put { path, manifest } => {
                let put = manifest;
                puts.push(CheckedChange { bytes, path, put });
                continue;
            }
            Change::Remove { path } => Shift::Remove(path),
            Change::Move { from, to } => Shift::Move { from, to },
        };
        check_shift(&shift)?;
        shifts.push(CheckedShift { bytes, shift });
    }
    // The signed order is for an upload: a machine that was taken over must not empty its folder with it.
    if !shifts.is_empty() && opens != Opens::Watch {
        let message = "an upload deletes nothing in the drive; delete it there, or let the folder be watched";
        return Err(Refusal::new(ErrorCode::NotAllowed, message));
    }
    if !shifts.is_empty() && !puts.is_empty() {
        return Err(bad("a commit either puts, or removes and moves; make two of it"));
    }
    check_paths(puts.iter().map(|change| &change.path).collect())?;
    Ok((puts, shifts))
}

fn check_shift(shift: &Shift) -> Result<(), Refusal> {
    let paths = match shift {
        Shift::Remove(path) => vec![path],
        Shift::Move { from, to } => vec![from, to],
    };
    if paths.iter().any(|path| path.is_root()) {
        return Err(bad("a root can be neither removed nor moved; commit what is below it"));
    }
    if let Shift::Move { from, to } = shift
        && from.holds(to)
    {
        return Err(bad("a folder cannot be moved into itself; scan it again"));
    }
    if paths.iter().any(|path| path.names().count() > DEPTH_MAX) {
        return Err(too_deep());
    }
    Ok(())
}

fn too_deep() -> Refusal {
    let message = format!("a path has more than {DEPTH_MAX} names; leave that folder out, or make it less deep");
    Refusal::new(ErrorCode::TooLarge, message)
}

/// Each path once, and folders above them that fit in memory.
fn check_paths(mut paths: Vec<&RootPath>) -> Result<(), Refusal> {
    paths.sort_unstable();
    let mut before: &[u8] = b"";
    let mut folders = 0;
    for (at, path) in paths.iter().map(|path| path.as_bytes()).enumerate() {
        if at > 0 && path == before {
            return Err(bad("a path stands twice in the commit; commit each once"));
        }
        let shared = path.iter().zip(before).take_while(|(one, other)| one == other).count();
        let slashes = || {
            path.iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'/')
                .map(|(at, _)| at)
        };
        if slashes().count() >= DEPTH_MAX {
            return Err(too_deep());
        }
        folders += slashes()
            .filter(|end| *end >= shared)
            .map(|end| end + FOLDER_OVERHEAD)
            .sum::<usize>();
        before = path;
    }
    if folders > FOLDERS_MAX {
        return Err(Refusal::new(
            ErrorCode::TooLarge,
            "the folders of a commit are too many and too deep; commit fewer at once",
        ));
    }
    Ok(())
}

fn check_manifests(encoded: Vec<Vec<u8>>) -> Result<HashMap<Hash, CheckedManifest>, Refusal> {
    let mut manifests = HashMap::with_capacity(encoded.len());
    for bytes in encoded {
        let manifest = Manifest::parse(&bytes).map_err(|error| bad(&error.to_string()))?;
        manifests.insert(Hash::of(&bytes), CheckedManifest { bytes, manifest });
    }
    Ok(manifests)
}

fn bad(message: &str) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(paths: &[String]) -> Result<(), ErrorCode> {
        let paths: Vec<RootPath> = paths
            .iter()
            .map(|path| RootPath::new(path.as_bytes()).unwrap())
            .collect();
        check_paths(paths.iter().collect()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn paths_that_are_too_deep_are_refused() {
        let deep = |names: usize| vec!["d"; names].join("/");
        assert_eq!(checked(&[deep(DEPTH_MAX)]), Ok(()));
        assert_eq!(checked(&[deep(DEPTH_MAX + 1)]), Err(ErrorCode::TooLarge));
    }

    #[test]
    fn folders_count_once_and_are_bounded_together() {
        let below = |top: usize, file: usize| format!("{top}/{}/{file}", vec!["d"; 300].join("/"));
        let siblings: Vec<String> = (0..1000).map(|file| below(1, file)).collect();
        assert_eq!(checked(&siblings), Ok(()));
        let strangers: Vec<String> = (0..1000).map(|top| below(top, 1)).collect();
        assert_eq!(checked(&strangers), Err(ErrorCode::TooLarge));
    }

    #[test]
    fn a_path_stands_once_in_a_commit() {
        assert_eq!(checked(&[String::new()]), Ok(()));
        assert_eq!(
            checked(&["a".to_owned(), "b".to_owned(), "a".to_owned()]),
            Err(ErrorCode::BadRequest)
        );
        assert_eq!(checked(&[String::new(), String::new()]), Err(ErrorCode::BadRequest));
    }
}
