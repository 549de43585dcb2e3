//! Transfers that watch, copy and send, and what their machines removed from the drive: step 10.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;
use crate::fault;

/// Step 10.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_tasks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for statement in STATEMENTS {
            fault::point("migrating");
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

const STATEMENTS: &[&str] = &[
    "ALTER TABLE transfer ADD COLUMN task TEXT NOT NULL DEFAULT 'upload'",
    // What is copied or who sends, as people called it when it was ordered.
    "ALTER TABLE transfer ADD COLUMN origin TEXT",
    // Of a copy: whose commits it is made of.
    "ALTER TABLE transfer ADD COLUMN origin_device BLOB",
    "ALTER TABLE transfer ADD COLUMN origin_root BLOB",
    "ALTER TABLE transfer ADD COLUMN bytes_own INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE transfer ADD COLUMN bytes_direct INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE transfer ADD COLUMN bytes_server INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE transfer ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX transfer_origin ON transfer (account, origin_device, origin_root) WHERE ended IS NULL",
    // Of a ticket to read with: whose commits may be read.
    "ALTER TABLE ticket ADD COLUMN origin_device BLOB",
    "ALTER TABLE ticket ADD COLUMN origin_root BLOB",
    // The mark of a deletion that the node's own machine asked for. Where it is the node's mark, the machine knows of it.
    "ALTER TABLE node ADD COLUMN removed_at INTEGER",
];

#[cfg(test)]
mod tests {
    use sea_orm_migration::MigratorTrait;

    use super::{
        super::{
            Migrator,
            testing::{before, run},
        },
        *,
    };
    use crate::store::meta::sql;

    #[tokio::test]
    async fn transfers_and_tickets_from_before_are_those_of_uploads() {
        let database = before(Migration.name()).await;
        let rows = "INSERT INTO account (id, name, name_key, public_key, admin, space, created, salt, kdf_memory_kib, kdf_passes, kdf_lanes,
                    auth_hash, wrapped, password_at, recovery_hash, recovery_wrapped)
                VALUES (x'01', 'ann', 'ann', x'02', TRUE, x'03', 0, x'04', 1, 1, 1, x'05', x'06', 0, x'07', x'08');
            INSERT INTO device (account, id, name, name_key, kind, role, os, version, platform, certificate, joined_by_code, addresses,
                    roots, address, port, first_seen, last_seen)
                VALUES (x'01', x'09', 'pc', 'pc', 'agent', 'source', '', '', 'unix', x'0a', FALSE, '[]', '[]', '', 0, 0, 0);
            INSERT INTO transfer (id, account, device, signer, signed_order, space, root, machine, root_name, what, state, hold, files_total,
                    files_done, bytes_total, bytes_done, bytes_sent, failed, torn, walked, created, expires, revision)
                VALUES (x'0b', x'01', x'09', x'0c', x'0d', x'03', x'0e', 'pc', 'home', '', 'running', 'none', 0, 0, 0, 0, 0, 0, 0, FALSE, 0, 0, 0);
            INSERT INTO ticket (hash, purpose, account, device, transfer, expires) VALUES (x'0f', 'bulk', x'01', x'09', x'0b', 1)";
        run(&database, rows).await;
        Migrator::up(&database, None).await.unwrap();
        let text = "SELECT COUNT(*) AS number FROM transfer f JOIN ticket t ON t.transfer = f.id WHERE f.task = 'upload' \
            AND f.origin IS NULL AND f.origin_device IS NULL AND f.bytes_own + f.bytes_direct + f.bytes_server + f.conflicts = 0 \
            AND t.purpose = 'bulk' AND t.origin_root IS NULL";
        let row = database.query_one_raw(sql(text, &database, [])).await.unwrap().unwrap();
        assert_eq!(row.try_get::<i64>("", "number").unwrap(), 1);
    }
}
