//! Spaces, nodes, versions, commits, packs, chunks: step 2.

use sea_orm_migration::{
    DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Step 2.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_store"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for statement in STATEMENTS {
            connection
                .execute_unprepared(&dialect(statement, connection.get_database_backend()))
                .await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The statements are SQLite's; PostgreSQL calls the same types by other names.
pub(super) fn dialect(statement: &str, backend: DbBackend) -> String {
    if backend == DbBackend::Sqlite {
        return statement.to_owned();
    }
    statement
        .replace("INTEGER", "BIGINT")
        .replace("BLOB", "BYTEA")
        .replace(" WITHOUT ROWID", "")
}

/// Times are milliseconds since 1970. Row numbers (`no`) come from `counter` and are never used again.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE counter (id INTEGER PRIMARY KEY NOT NULL, next INTEGER NOT NULL)",
    "INSERT INTO counter (id, next) VALUES (1, 1)",
    "CREATE TABLE space (
        id BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL,
        name TEXT NOT NULL,
        suite INTEGER NOT NULL,
        key_epoch INTEGER NOT NULL,
        chunk_key BLOB NOT NULL,
        top INTEGER NOT NULL,
        created INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        quota INTEGER)",
    "CREATE INDEX space_account ON space (account)",
    // The folder of a machine at the top of a space.
    "CREATE TABLE machine_folder (
        space BLOB NOT NULL REFERENCES space (id),
        device BLOB NOT NULL,
        folder INTEGER NOT NULL,
        PRIMARY KEY (space, device)) WITHOUT ROWID",
    "CREATE TABLE source (
        no INTEGER PRIMARY KEY NOT NULL,
        space BLOB NOT NULL REFERENCES space (id),
        device BLOB NOT NULL,
        root BLOB NOT NULL,
        folder INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        head_number INTEGER NOT NULL,
        head_hash BLOB NOT NULL,
        UNIQUE (space, device, root))",
    // `source`, `source_parent` and `source_name` bind a node to an entry of a root: `source_parent` is the node
    // that the entry's folder is bound to. They stay when the node is renamed or moved.
    "CREATE TABLE node (
        no INTEGER PRIMARY KEY NOT NULL,
        id BLOB NOT NULL UNIQUE,
        space BLOB NOT NULL REFERENCES space (id),
        parent INTEGER,
        name BLOB NOT NULL,
        kind INTEGER NOT NULL,
        head INTEGER,
        source INTEGER,
        source_parent INTEGER,
        source_name BLOB,
        created INTEGER NOT NULL,
        deleted_at INTEGER)",
    // Whoever deletes a folder marks all that lies below it too: a row tells by itself whether it is live.
    "CREATE UNIQUE INDEX node_live_name ON node (parent, name) WHERE deleted_at IS NULL",
    "CREATE UNIQUE INDEX node_live_source ON node (source_parent, source_name) WHERE deleted_at IS NULL",
    "CREATE INDEX node_deleted ON node (deleted_at) WHERE deleted_at IS NOT NULL",
    "CREATE INDEX node_deleted_below ON node (parent) WHERE deleted_at IS NOT NULL",
    "CREATE TABLE version (
        no INTEGER PRIMARY KEY NOT NULL,
        id BLOB NOT NULL UNIQUE,
        node INTEGER NOT NULL REFERENCES node (no),
        root_commit INTEGER,
        device BLOB,
        created INTEGER NOT NULL,
        suite INTEGER NOT NULL,
        key_epoch INTEGER NOT NULL,
        manifest_hash BLOB NOT NULL,
        kind INTEGER NOT NULL,
        mode INTEGER NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        hash BLOB,
        crc32 INTEGER,
        torn BOOLEAN NOT NULL,
        stamp_size INTEGER,
        stamp_mtime_ns INTEGER,
        stamp_ctime_ns INTEGER,
        stamp_file_id INTEGER,
        read_ns INTEGER)",
    "CREATE INDEX version_node ON version (node)",
    // Apart from `version`, because the manifest of a large file is megabytes long and most who read versions do not want it.
    "CREATE TABLE manifest (
        version INTEGER PRIMARY KEY NOT NULL REFERENCES version (no),
        bytes BLOB NOT NULL)",
    "CREATE TABLE root_commit (
        no INTEGER PRIMARY KEY NOT NULL,
        source INTEGER NOT NULL REFERENCES source (no),
        number INTEGER NOT NULL,
        hash BLOB NOT NULL,
        bytes BLOB NOT NULL,
        signature BLOB NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (source, number))",
    "CREATE TABLE commit_change (
        root_commit INTEGER NOT NULL REFERENCES root_commit (no),
        seq INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        version INTEGER,
        PRIMARY KEY (root_commit, seq)) WITHOUT ROWID",
    "CREATE TABLE pack (
        no INTEGER PRIMARY KEY NOT NULL,
        id BLOB NOT NULL UNIQUE,
        bytes INTEGER NOT NULL,
        created INTEGER NOT NULL)",
    // `marked_at`: when collection found it unused. `damaged_at`: when its stored bytes were found damaged; then it
    // counts as missing until it is sent again.
    "CREATE TABLE chunk (
        no INTEGER PRIMARY KEY NOT NULL,
        space BLOB NOT NULL REFERENCES space (id),
        id BLOB NOT NULL,
        pack INTEGER NOT NULL REFERENCES pack (no),
        start INTEGER NOT NULL,
        stored_len INTEGER NOT NULL,
        len INTEGER NOT NULL,
        encoding INTEGER NOT NULL,
        suite INTEGER NOT NULL,
        key_epoch INTEGER NOT NULL,
        marked_at INTEGER,
        damaged_at INTEGER,
        UNIQUE (space, id))",
    "CREATE INDEX chunk_pack ON chunk (pack)",
    "CREATE INDEX chunk_marked ON chunk (marked_at) WHERE marked_at IS NOT NULL",
    // That a chunk in use or pinned cannot be deleted, the database itself enforces.
    "CREATE TABLE chunk_use (
        chunk INTEGER NOT NULL REFERENCES chunk (no),
        version INTEGER NOT NULL REFERENCES version (no),
        PRIMARY KEY (chunk, version)) WITHOUT ROWID",
    "CREATE INDEX chunk_use_version ON chunk_use (version)",
    "CREATE TABLE pin (
        chunk INTEGER NOT NULL REFERENCES chunk (no),
        transfer BLOB NOT NULL,
        PRIMARY KEY (chunk, transfer)) WITHOUT ROWID",
    "CREATE INDEX pin_transfer ON pin (transfer)",
];
