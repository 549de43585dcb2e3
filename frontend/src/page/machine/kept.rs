//! What this browser last read of machines' folders, for when they are away.

use beckon_shared::{
    entry::{Entry, InDrive},
    id::{DeviceId, RootId},
    path::RootPath,
    time::Timestamp,
    wire,
};
use serde::{Deserialize, Serialize};

use crate::{
    identity,
    vault::{self, Store},
};

/// So many folders are kept.
const FOLDERS: usize = 200;
/// So many entries of each.
pub(super) const ENTRIES: usize = 5_000;
/// Names the kept folders, the newest first.
const INDEX: &str = "#index";

/// A folder as it was read.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// When it was read.
    pub(super) at: Timestamp,
    /// Its entries, with how they stood if that was known.
    pub(super) entries: Vec<(Entry, Option<InDrive>)>,
}

fn key(machine: DeviceId, (root, path): &(RootId, RootPath)) -> String {
    format!("{machine}/{root}/{}", hex::encode(path.as_bytes()))
}

/// The folder as it was last read here.
pub(super) async fn get(machine: DeviceId, place: &(RootId, RootPath)) -> Option<Kept> {
    let bytes = vault::get(Store::Folder, &key(machine, place)).await?;
    wire::decode(&bytes).ok()
}

/// Keeps a folder, and forgets those that were looked at longest ago. Once nobody is signed in any more, nothing is kept.
pub(super) async fn put(machine: DeviceId, place: &(RootId, RootPath), kept: &Kept) {
    if identity::current().is_none() {
        return;
    }
    let key = key(machine, place);
    if !vault::put(Store::Folder, &key, &wire::encode(kept)).await {
        return;
    }
    let index = vault::get(Store::Folder, INDEX).await;
    let mut names: Vec<String> = index.and_then(|bytes| wire::decode(&bytes).ok()).unwrap_or_default();
    if names.first() == Some(&key) {
        return;
    }
    names.retain(|name| *name != key);
    names.insert(0, key);
    for old in names.split_off(names.len().min(FOLDERS)) {
        vault::delete(Store::Folder, &old).await;
    }
    vault::put(Store::Folder, INDEX, &wire::encode(&names)).await;
}
