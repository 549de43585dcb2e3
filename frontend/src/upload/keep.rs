//! Uploads and sendings that outlive the page: what was planned, and the files themselves where they are small enough.

use beckon_shared::{id::TransferId, path::RootPath, transfer::Problem, wire};
use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};

use super::message::{Entry, Way};
use crate::vault::{self, Store};

/// Up to so much the browser keeps copies of the files. Bytes.
pub(super) const FILES_MAX: u64 = 512 << 20;

/// What an upload consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The folder below `Files` that it goes into.
    pub(super) folder: RootPath,
    /// What is put in.
    pub(super) entries: Vec<Entry>,
    /// What could not be planned.
    pub(super) problems: Vec<Problem>,
}

impl Record {
    /// Content bytes of all.
    pub(super) fn bytes(&self) -> u64 {
        self.entries
            .iter()
            .filter_map(|entry| entry.file)
            .map(|facts| facts.size)
            .sum()
    }

    /// Finds again, among what was chosen anew, each entry of this upload: for each of the record's entries the place in
    /// `found`, where its path and facts are the same.
    pub(super) fn matching(&self, found: &[(usize, Entry)]) -> Vec<Option<usize>> {
        let places: std::collections::HashMap<_, _> = found.iter().map(|(at, entry)| (entry, *at)).collect();
        self.entries.iter().map(|entry| places.get(entry).copied()).collect()
    }
}

/// Stands before the key of what is sent to a machine.
const TO_MACHINE: &str = "machine/";

fn key(way: Way, transfer: TransferId) -> String {
    match way {
        Way::Drive => transfer.to_string(),
        Way::Machine => format!("{TO_MACHINE}{transfer}"),
    }
}

fn of_key(key: &str) -> Option<(Way, TransferId)> {
    let (way, id) = match key.strip_prefix(TO_MACHINE) {
        Some(id) => (Way::Machine, id),
        None => (Way::Drive, key),
    };
    Some((way, id.parse().ok()?))
}

/// Keeps an upload; whether its files are kept with it.
pub(super) async fn keep(way: Way, transfer: TransferId, record: &Record, files: &Array) -> bool {
    if record.bytes() <= FILES_MAX && put(way, transfer, record, files).await {
        return true;
    }
    put(way, transfer, record, &JsValue::NULL).await;
    false
}

async fn put(way: Way, transfer: TransferId, record: &Record, files: &JsValue) -> bool {
    let bytes = Uint8Array::from(wire::encode(record).as_slice());
    vault::put_value(Store::Upload, &key(way, transfer), &Array::of2(&bytes, files)).await
}

/// What is kept of an upload, with its files where they are.
pub(super) async fn kept(way: Way, transfer: TransferId) -> Option<(Record, Option<Array>)> {
    let value: Array = vault::get_value(Store::Upload, &key(way, transfer))
        .await?
        .dyn_into()
        .ok()?;
    let bytes: Uint8Array = value.get(0).dyn_into().ok()?;
    let record = wire::decode(&bytes.to_vec()).ok()?;
    Some((record, value.get(1).dyn_into().ok()))
}

/// Keeps its files no longer, and the rest only if that can be had without them.
pub(super) async fn drop_files(way: Way, transfer: TransferId) {
    let is_without = match kept(way, transfer).await {
        Some((_, None)) => true,
        Some((record, Some(_))) => put(way, transfer, &record, &JsValue::NULL).await,
        None => false,
    };
    if !is_without {
        forget(way, transfer).await;
    }
}

/// Keeps it no longer.
pub(super) async fn forget(way: Way, transfer: TransferId) {
    vault::delete(Store::Upload, &key(way, transfer)).await;
}

/// What is kept.
pub(super) async fn all() -> Vec<(Way, TransferId)> {
    let keys = vault::keys(Store::Upload).await;
    keys.iter().filter_map(|key| of_key(key)).collect()
}

#[cfg(test)]
mod tests {
    use beckon_shared::time::Timestamp;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::upload::message::Facts;

    fn entry(path: &str, size: u64) -> Entry {
        Entry {
            path: RootPath::new(path).unwrap(),
            file: Some(Facts { size, modified: 5 }),
        }
    }

    fn record() -> Record {
        Record {
            folder: RootPath::root(),
            entries: vec![entry("a", 3), entry("b", 4)],
            problems: Vec::new(),
        }
    }

    #[wasm_bindgen_test]
    fn files_chosen_again_are_found_by_path_and_facts() {
        let found = [(0, entry("b", 4)), (1, entry("a", 9)), (2, entry("c", 3))];
        assert_eq!(record().matching(&found), [None, Some(0)]);
    }

    #[wasm_bindgen_test]
    async fn an_upload_comes_back_with_its_files() {
        let id = TransferId::new(Timestamp(1), [3; 10]);
        let files = Array::of2(&"one".into(), &"two".into());
        assert!(keep(Way::Drive, id, &record(), &files).await);
        let (back, files) = kept(Way::Drive, id).await.unwrap();
        assert_eq!((back, files.map(|files| files.length())), (record(), Some(2)));
        drop_files(Way::Drive, id).await;
        let (back, files) = kept(Way::Drive, id).await.unwrap();
        assert_eq!((back, files.is_none()), (record(), true));
        forget(Way::Drive, id).await;
        assert!(kept(Way::Drive, id).await.is_none());
    }

    #[wasm_bindgen_test]
    async fn what_is_sent_to_a_machine_is_kept_apart_from_uploads() {
        let id = TransferId::new(Timestamp(2), [4; 10]);
        assert!(keep(Way::Machine, id, &record(), &Array::new()).await);
        assert!(kept(Way::Drive, id).await.is_none());
        assert!(all().await.contains(&(Way::Machine, id)));
        forget(Way::Machine, id).await;
        assert!(!all().await.iter().any(|(_, kept)| *kept == id));
    }
}
