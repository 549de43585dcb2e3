//! Uploads that outlive the page: what was planned, and the files themselves where they are small enough.

use beckon_shared::{id::TransferId, path::RootPath, transfer::Problem, wire};
use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};

use super::message::Entry;
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

/// Keeps an upload; whether its files are kept with it.
pub(super) async fn keep(transfer: TransferId, record: &Record, files: &Array) -> bool {
    if record.bytes() <= FILES_MAX && put(transfer, record, files).await {
        return true;
    }
    put(transfer, record, &JsValue::NULL).await;
    false
}

async fn put(transfer: TransferId, record: &Record, files: &JsValue) -> bool {
    let bytes = Uint8Array::from(wire::encode(record).as_slice());
    vault::put_value(Store::Upload, &transfer.to_string(), &Array::of2(&bytes, files)).await
}

/// What is kept of an upload, with its files where they are.
pub(super) async fn kept(transfer: TransferId) -> Option<(Record, Option<Array>)> {
    let value: Array = vault::get_value(Store::Upload, &transfer.to_string())
        .await?
        .dyn_into()
        .ok()?;
    let bytes: Uint8Array = value.get(0).dyn_into().ok()?;
    let record = wire::decode(&bytes.to_vec()).ok()?;
    Some((record, value.get(1).dyn_into().ok()))
}

/// Keeps its files no longer, and the rest only if that can be had without them.
pub(super) async fn drop_files(transfer: TransferId) {
    let is_without = match kept(transfer).await {
        Some((_, None)) => true,
        Some((record, Some(_))) => put(transfer, &record, &JsValue::NULL).await,
        None => false,
    };
    if !is_without {
        forget(transfer).await;
    }
}

/// Keeps it no longer.
pub(super) async fn forget(transfer: TransferId) {
    vault::delete(Store::Upload, &transfer.to_string()).await;
}

/// What uploads are kept.
pub(super) async fn all() -> Vec<TransferId> {
    let keys = vault::keys(Store::Upload).await;
    keys.iter().filter_map(|key| key.parse().ok()).collect()
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
        assert!(keep(id, &record(), &files).await);
        let (back, files) = kept(id).await.unwrap();
        assert_eq!((back, files.map(|files| files.length())), (record(), Some(2)));
        drop_files(id).await;
        let (back, files) = kept(id).await.unwrap();
        assert_eq!((back, files.is_none()), (record(), true));
        forget(id).await;
        assert!(kept(id).await.is_none());
    }
}
