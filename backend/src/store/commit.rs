//! Checking a commit before the database hears of it: signature, hashes, manifests, paths.

use std::collections::{HashMap, HashSet};

use beckon_shared::{
    bulk::CommitUpload,
    commit::{CHANGES_MAX, Change, Commit, commit_hash},
    error::{ErrorCode, Refusal},
    id::{ChunkId, Hash},
    manifest::{Content, Manifest},
    path::RootPath,
    signature::{PublicKey, Signed},
    wire,
};

use crate::access::TransferAccess;

/// A commit that is what it says. Whether it fits the present state is for the database to see.
#[derive(Debug)]
pub(crate) struct CheckedCommit {
    /// The commit.
    pub(crate) commit: Commit,
    /// As it was signed.
    pub(crate) signed: Signed<Commit>,
    /// What the next one names as its parent.
    pub(crate) hash: Hash,
    /// What it changes, each path once.
    pub(crate) changes: Vec<CheckedChange>,
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
    /// The manifest that the path now holds; nothing if it holds nothing any more.
    pub(crate) put: Option<Hash>,
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
        let manifests = self.changes.iter().filter_map(|change| self.manifests.get(&change.put?));
        let files = manifests.filter_map(|checked| match &checked.manifest.content {
            Content::File(file) => Some(&file.chunks),
            _ => None,
        });
        files.flatten().filter(|chunk| seen.insert(chunk.id)).map(|chunk| (chunk.id, chunk.len)).collect()
    }
}

/// Checks all that can be checked without the database.
pub(crate) fn check(access: &TransferAccess, key: &PublicKey, upload: CommitUpload) -> Result<CheckedCommit, Refusal> {
    let commit = upload.commit.verify(key).map_err(|_| bad("the commit's signature does not fit; join the machine again"))?;
    if commit.suite != 0 {
        return Err(bad("the commit is of an unknown suite; update the server"));
    }
    if (commit.space, commit.device, commit.root) != (access.space, access.device, access.root) {
        return Err(Refusal::new(ErrorCode::NotAllowed, "the commit is for something else than its transfer; begin the transfer again"));
    }
    if Hash::of(&upload.changes) != commit.changes {
        return Err(bad("the changes are not those that were signed; commit again"));
    }
    let changes = check_changes(&upload.changes)?;
    let manifests = check_manifests(upload.manifests)?;
    if !changes.iter().all(|change| change.put.is_none_or(|hash| manifests.contains_key(&hash))) {
        return Err(bad("a manifest is missing from the commit; commit again"));
    }
    let hash = commit_hash(&upload.commit);
    Ok(CheckedCommit { commit, signed: upload.commit, hash, changes, manifests })
}

fn check_changes(bytes: &[u8]) -> Result<Vec<CheckedChange>, Refusal> {
    let changes: Vec<Change> = wire::decode(bytes).map_err(|_| bad("the changes are malformed; update the agent"))?;
    if changes.len() > CHANGES_MAX {
        return Err(Refusal::new(ErrorCode::TooLarge, "a commit has at most 1,000 changes; split it"));
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(changes.len());
    for change in changes {
        let bytes = wire::encode(&change);
        let (path, put) = match change {
            Change::Put { path, manifest } => (path, Some(manifest)),
            Change::Remove { path } => (path, None),
        };
        if !seen.insert(path.clone()) {
            return Err(bad("a path stands twice in the commit; commit each once"));
        }
        checked.push(CheckedChange { bytes, path, put });
    }
    Ok(checked)
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
