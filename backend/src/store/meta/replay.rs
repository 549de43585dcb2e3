//! What the simulation needs of SQLite: to hear of each commit, and to read what the database held at one of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use beckon_shared::{
    commit::ChainHead,
    id::{DeviceId, Hash, RootId, SpaceId, TransferId},
};
use sea_orm::{Database, DatabaseConnection, QueryResult, sqlx};

use super::{Error, Meta, READER, WRITER, check::Indexed, chunk::place, options, sql, sqlite};
use crate::access::TransferAccess;

/// What a database says of chunks and roots.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// All chunks that are named.
    pub(crate) chunks: Vec<Indexed>,
    /// Row numbers of those that versions need.
    pub(crate) used: HashSet<i64>,
    /// Row numbers of those that collection has marked.
    pub(crate) marked: BTreeSet<i64>,
    /// Row numbers of chunks that are pinned, with the transfer.
    pub(crate) pins: HashSet<(i64, TransferId)>,
    /// Bytes of content that count, and those of them that are marked, in all spaces.
    pub(crate) usage: (u64, u64),
    /// The manifests of all versions, by their hashes.
    pub(crate) manifests: BTreeSet<Hash>,
    /// The roots.
    pub(crate) roots: Vec<Root>,
}

/// A root of a machine as the database has it.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// The machine.
    pub(crate) device: DeviceId,
    /// The root.
    pub(crate) root: RootId,
    /// Its newest commit.
    pub(crate) head: ChainHead,
    /// The hash of the manifest of each file that can be seen.
    pub(crate) files: BTreeMap<String, Hash>,
}

/// Opens a database on SQLite whose every commit asks `may_commit` first, and whose write-ahead log only grows.
pub(crate) async fn open_watched(
    url: &str,
    may_commit: impl FnMut() -> bool + Clone + Send + Sync + 'static,
) -> Result<Meta, Error> {
    let mut writer = sqlite(url, WRITER);
    writer.map_sqlx_sqlite_pool_opts(move |pool| {
        let may_commit = may_commit.clone();
        pool.after_connect(move |connection, _| {
            let may_commit = may_commit.clone();
            Box::pin(async move {
                sqlx::query("PRAGMA wal_autocheckpoint = 0")
                    .execute(&mut *connection)
                    .await?;
                connection.lock_handle().await?.set_commit_hook(may_commit);
                Ok(())
            })
        })
    });
    Meta::over(writer, sqlite(url, READER)).await
}

/// How connections that write make commits durable: by which journal, and SQLite's number for how they are synced.
pub(crate) async fn durability(meta: &Meta) -> (String, i64) {
    let mode = rows(&meta.write, "PRAGMA journal_mode").await;
    let synced = rows(&meta.write, "PRAGMA synchronous").await;
    (get(&mode[0], "journal_mode"), get(&synced[0], "synchronous"))
}

/// Enters a transfer that is open, without its account and device.
pub(crate) async fn open_transfer(meta: &Meta, access: &TransferAccess) {
    let mut connection = meta.write.get_sqlite_connection_pool().acquire().await.unwrap();
    let text = "INSERT INTO transfer (id, account, device, signer, signed_order, space, root, machine, root_name, what, state, \
        hold, files_total, files_done, bytes_total, bytes_done, bytes_sent, failed, torn, walked, created, expires, revision) \
        VALUES (?1, ?2, ?3, ?3, x'', ?4, ?5, '', '', '', 'running', 'none', 0, 0, 0, 0, 0, 0, 0, FALSE, 0, 0, 0)";
    sqlx::query("PRAGMA foreign_keys = OFF")
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::query(text)
        .bind(access.transfer.as_bytes().to_vec())
        .bind(access.account.as_bytes().to_vec())
        .bind(access.device.as_bytes().to_vec())
        .bind(access.space.as_bytes().to_vec())
        .bind(access.root.as_bytes().to_vec())
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::query("PRAGMA foreign_keys = ON")
        .execute(&mut *connection)
        .await
        .unwrap();
}

/// Reads a database that nobody has open.
pub(crate) async fn state(path: &Path) -> State {
    let mut options = options(&format!("sqlite:{}", path.display()), 1);
    options.map_sqlx_sqlite_opts(|sqlite| sqlite.pragma("synchronous", "OFF"));
    let on = Database::connect(options).await.unwrap();
    let state = read(&on).await;
    on.close().await.unwrap();
    state
}

/// Reads the database as it is.
pub(crate) async fn present(meta: &Meta) -> State {
    read(&meta.read).await
}

async fn read(on: &DatabaseConnection) -> State {
    let chunks = "SELECT c.no, c.space, c.id, c.start, c.stored_len, c.len, c.encoding, c.marked_at, c.damaged_at, p.id AS pack \
        FROM chunk c JOIN pack p ON p.no = c.pack ORDER BY c.no";
    let chunks = rows(on, chunks).await;
    let marked = chunks
        .iter()
        .filter(|row| get::<Option<i64>>(row, "marked_at").is_some());
    State {
        marked: marked.map(|row| get(row, "no")).collect(),
        chunks: chunks.iter().map(indexed).collect(),
        used: rows(on, "SELECT DISTINCT chunk FROM chunk_use")
            .await
            .iter()
            .map(|row| get(row, "chunk"))
            .collect(),
        pins: rows(on, "SELECT chunk, transfer FROM pin")
            .await
            .iter()
            .map(pin)
            .collect(),
        manifests: rows(on, "SELECT manifest_hash FROM version")
            .await
            .iter()
            .map(|row| hash(row, "manifest_hash"))
            .collect(),
        usage: usage(on).await,
        roots: roots(on).await,
    }
}

async fn rows(on: &DatabaseConnection, text: &str) -> Vec<QueryResult> {
    use sea_orm::ConnectionTrait;
    on.query_all_raw(sql(text, on, [])).await.unwrap()
}

async fn usage(on: &DatabaseConnection) -> (u64, u64) {
    let usage = rows(on, "SELECT used, marked FROM space_usage").await;
    let sum = |column| usage.iter().map(|row| get::<i64>(row, column).cast_unsigned()).sum();
    (sum("used"), sum("marked"))
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> T {
    row.try_get("", column).unwrap()
}

fn hash(row: &QueryResult, column: &str) -> Hash {
    Hash::from_slice(&get::<Vec<u8>>(row, column)).unwrap()
}

fn indexed(row: &QueryResult) -> Indexed {
    Indexed {
        space: SpaceId::from_slice(&get::<Vec<u8>>(row, "space")).unwrap(),
        place: place(row).unwrap(),
        is_damaged: get::<Option<i64>>(row, "damaged_at").is_some(),
    }
}

fn pin(row: &QueryResult) -> (i64, TransferId) {
    let transfer: Vec<u8> = get(row, "transfer");
    (get(row, "chunk"), TransferId::from_slice(&transfer).unwrap())
}

async fn roots(on: &DatabaseConnection) -> Vec<Root> {
    let bound = "SELECT no, source_parent, source_name FROM node WHERE source_name IS NOT NULL AND deleted_at IS NULL";
    let bound: HashMap<i64, (i64, Vec<u8>)> = rows(on, bound)
        .await
        .iter()
        .map(|row| (get(row, "no"), (get(row, "source_parent"), get(row, "source_name"))))
        .collect();
    let heads = "SELECT n.no, v.manifest_hash FROM node n JOIN version v ON v.no = n.head WHERE n.deleted_at IS NULL";
    let heads = rows(on, heads).await;
    let sources = rows(on, "SELECT device, root, folder, head_number, head_hash FROM source").await;
    let root = |row: &QueryResult| {
        let folder: i64 = get(row, "folder");
        let files = heads
            .iter()
            .filter_map(|head| Some((path(&bound, folder, get(head, "no"))?, hash(head, "manifest_hash"))));
        Root {
            device: DeviceId::from_slice(&get::<Vec<u8>>(row, "device")).unwrap(),
            root: RootId::from_slice(&get::<Vec<u8>>(row, "root")).unwrap(),
            head: ChainHead {
                number: get::<i64>(row, "head_number").cast_unsigned(),
                hash: hash(row, "head_hash"),
            },
            files: files.collect(),
        }
    };
    sources.iter().map(root).collect()
}

/// The path of a node below a root's folder; nothing if it is elsewhere.
fn path(bound: &HashMap<i64, (i64, Vec<u8>)>, folder: i64, node: i64) -> Option<String> {
    let mut names = Vec::new();
    let mut at = node;
    while at != folder {
        let (parent, name) = bound.get(&at)?;
        names.push(String::from_utf8_lossy(name).into_owned());
        at = *parent;
    }
    names.reverse();
    Some(names.join("/"))
}
