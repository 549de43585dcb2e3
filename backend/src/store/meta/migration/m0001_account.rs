//! Accounts, devices, sessions, join codes, tickets, transfers: step 1.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;

/// Step 1.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_account"
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

/// Times are milliseconds since 1970. Secrets are stored as their BLAKE3 hashes alone. Words (`kind`, `role`, `state`...)
/// are spelled as in JSON; lists are JSON.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE setting (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL)",
    "CREATE TABLE account (
        id BLOB PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        public_key BLOB NOT NULL,
        admin BOOLEAN NOT NULL,
        space BLOB NOT NULL,
        created INTEGER NOT NULL,
        salt BLOB NOT NULL,
        kdf_memory_kib INTEGER NOT NULL,
        kdf_passes INTEGER NOT NULL,
        kdf_lanes INTEGER NOT NULL,
        auth_hash BLOB NOT NULL,
        wrapped BLOB NOT NULL,
        password_at INTEGER NOT NULL,
        recovery_hash BLOB NOT NULL,
        recovery_wrapped BLOB NOT NULL,
        statement BLOB)",
    // The same keys may be a device of several accounts: of two people at one browser.
    "CREATE TABLE device (
        account BLOB NOT NULL REFERENCES account (id),
        id BLOB NOT NULL,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL,
        kind TEXT NOT NULL,
        role TEXT NOT NULL,
        os TEXT NOT NULL,
        version TEXT NOT NULL,
        platform TEXT NOT NULL,
        certificate BLOB NOT NULL,
        joined_by_code BOOLEAN NOT NULL,
        addresses TEXT NOT NULL,
        lan_port INTEGER,
        roots TEXT NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        revoked_at INTEGER,
        PRIMARY KEY (account, id))",
    "CREATE UNIQUE INDEX device_name ON device (account, name_key) WHERE revoked_at IS NULL",
    "CREATE TABLE session (
        id BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL,
        device BLOB NOT NULL,
        token_hash BLOB NOT NULL UNIQUE,
        address TEXT NOT NULL,
        created INTEGER NOT NULL,
        used INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        FOREIGN KEY (account, device) REFERENCES device (account, id))",
    "CREATE INDEX session_device ON session (account, device)",
    "CREATE TABLE visit (
        id BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL,
        device BLOB NOT NULL,
        address TEXT NOT NULL,
        port INTEGER NOT NULL,
        version TEXT NOT NULL,
        started INTEGER NOT NULL,
        ended INTEGER,
        FOREIGN KEY (account, device) REFERENCES device (account, id))",
    "CREATE INDEX visit_device ON visit (account, device, started)",
    "CREATE INDEX visit_open ON visit (id) WHERE ended IS NULL",
    "CREATE TABLE join_code (
        lookup BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL REFERENCES account (id),
        offer BLOB NOT NULL,
        mac BLOB NOT NULL,
        role TEXT NOT NULL,
        uses_left INTEGER NOT NULL,
        expires INTEGER NOT NULL)",
    "CREATE INDEX join_code_account ON join_code (account)",
    // `device` and `transfer` stand where the ticket is for bulk requests.
    "CREATE TABLE ticket (
        hash BLOB PRIMARY KEY NOT NULL,
        purpose TEXT NOT NULL,
        account BLOB NOT NULL REFERENCES account (id),
        device BLOB,
        transfer BLOB,
        expires INTEGER NOT NULL)",
    "CREATE INDEX ticket_expires ON ticket (expires)",
    "CREATE TABLE transfer (
        id BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL REFERENCES account (id),
        device BLOB NOT NULL,
        signer BLOB NOT NULL,
        signed_order BLOB NOT NULL,
        space BLOB NOT NULL,
        root BLOB NOT NULL,
        selection BLOB,
        machine TEXT NOT NULL,
        root_name TEXT NOT NULL,
        what TEXT NOT NULL,
        state TEXT NOT NULL,
        hold TEXT NOT NULL,
        files_total INTEGER NOT NULL,
        files_done INTEGER NOT NULL,
        bytes_total INTEGER NOT NULL,
        bytes_done INTEGER NOT NULL,
        bytes_sent INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        torn INTEGER NOT NULL,
        walked BOOLEAN NOT NULL,
        error TEXT,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        ended INTEGER,
        revision INTEGER NOT NULL,
        FOREIGN KEY (account, device) REFERENCES device (account, id))",
    "CREATE INDEX transfer_account ON transfer (account, created)",
    "CREATE INDEX transfer_open ON transfer (account, device) WHERE ended IS NULL",
    // Selections that are too long for their order, from when they are sent until no open transfer needs them.
    "CREATE TABLE selection (
        account BLOB NOT NULL REFERENCES account (id),
        hash BLOB NOT NULL,
        bytes BLOB NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (account, hash))",
    "CREATE TABLE problem (
        transfer BLOB NOT NULL REFERENCES transfer (id),
        seq INTEGER NOT NULL,
        path BLOB NOT NULL,
        code TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (transfer, seq))",
];
