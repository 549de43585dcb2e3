//! What this browser keeps, in IndexedDB: keys, folders that were read, uploads under way. Works in workers too.
//!
//! A browser that forbids IndexedDB keeps nothing: reads find nothing, writes say so, and all else goes on.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use idb::{Database, DatabaseEvent, Factory, ObjectStore, ObjectStoreParams, Query, Transaction, TransactionMode};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

const NAME: &str = "beckon";
/// Grows when a store is added; [`create`] then adds what is missing.
const VERSION: u32 = 1;

/// The parts of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Who this browser is.
    Identity,
    /// What was last read of machines' folders.
    Folder,
    /// Uploads that go on after a reload.
    Upload,
}

impl Store {
    const ALL: [Self; 3] = [Self::Identity, Self::Folder, Self::Upload];

    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Folder => "folder",
            Self::Upload => "upload",
        }
    }
}

/// Whether nothing is kept from now on: on a computer that is somebody else's. In a worker that must be said again.
pub(crate) fn keep_nothing(nothing: bool) {
    CLOSED.set(nothing);
}

/// Reads bytes.
pub(crate) async fn get(store: Store, key: &str) -> Option<Vec<u8>> {
    let bytes: Uint8Array = get_value(store, key).await?.dyn_into().ok()?;
    Some(bytes.to_vec())
}

/// Keeps bytes; whether they were kept.
pub(crate) async fn put(store: Store, key: &str, bytes: &[u8]) -> bool {
    put_value(store, key, &Uint8Array::from(bytes)).await
}

/// Reads anything that the browser can clone, such as a file.
pub(crate) async fn get_value(store: Store, key: &str) -> Option<JsValue> {
    let part = Part::open(store, TransactionMode::ReadOnly).await?;
    part.store.get(Query::from(JsValue::from(key))).ok()?.await.ok()?
}

/// Keeps anything that the browser can clone; whether it was kept.
pub(crate) async fn put_value(store: Store, key: &str, value: &JsValue) -> bool {
    if CLOSED.get() {
        return false;
    }
    let Some(part) = Part::open(store, TransactionMode::ReadWrite).await else {
        return false;
    };
    let Ok(asked) = part.store.put(value, Some(&key.into())) else {
        return false;
    };
    asked.await.is_ok() && part.finish().await
}

/// Forgets one entry.
pub(crate) async fn delete(store: Store, key: &str) {
    let Some(part) = Part::open(store, TransactionMode::ReadWrite).await else {
        return;
    };
    if let Ok(asked) = part.store.delete(Query::from(JsValue::from(key))) {
        let _ = asked.await;
        part.finish().await;
    }
}

/// Forgets a whole store.
pub(crate) async fn clear(store: Store) {
    let Some(part) = Part::open(store, TransactionMode::ReadWrite).await else {
        return;
    };
    if let Ok(asked) = part.store.clear() {
        let _ = asked.await;
        part.finish().await;
    }
}

/// The keys of a store, in their order.
pub(crate) async fn keys(store: Store) -> Vec<String> {
    let Some(part) = Part::open(store, TransactionMode::ReadOnly).await else {
        return Vec::new();
    };
    let Ok(asked) = part.store.get_all_keys(None, None) else {
        return Vec::new();
    };
    let keys = asked.await.unwrap_or_default();
    keys.iter().filter_map(JsValue::as_string).collect()
}

/// One store inside one transaction.
struct Part {
    transaction: Transaction,
    store: ObjectStore,
}

impl Part {
    async fn open(store: Store, mode: TransactionMode) -> Option<Self> {
        let database = database().await?;
        let Ok(transaction) = database.transaction(&[store.name()], mode) else {
            // The connection was closed under us, as by another tab that deletes the database: open anew next time.
            OPEN.take();
            return None;
        };
        let store = transaction.object_store(store.name()).ok()?;
        Some(Self { transaction, store })
    }

    /// Waits until the change is on the disk's way; whether it stands.
    async fn finish(self) -> bool {
        match self.transaction.commit() {
            Ok(transaction) => transaction.await.is_ok(),
            Err(_) => false,
        }
    }
}

thread_local! {
    static CLOSED: Cell<bool> = const { Cell::new(false) };
    static OPEN: RefCell<Option<Rc<Database>>> = const { RefCell::new(None) };
}

async fn database() -> Option<Rc<Database>> {
    if let Some(open) = OPEN.with_borrow(Clone::clone) {
        return Some(open);
    }
    let mut asked = Factory::new().ok()?.open(NAME, Some(VERSION)).ok()?;
    asked.on_upgrade_needed(|event| {
        if let Ok(database) = event.database() {
            create(&database);
        }
    });
    let database = Rc::new(asked.await.ok()?);
    OPEN.set(Some(database.clone()));
    Some(database)
}

fn create(database: &Database) {
    let there = database.store_names();
    for store in Store::ALL {
        if !there.iter().any(|name| name == store.name()) {
            // A store that cannot be made keeps nothing.
            let _ = database.create_object_store(store.name(), ObjectStoreParams::new());
        }
    }
}
