//! Priorities, limits, and how transfers came to stand as they do: step 8.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;
use crate::fault;

/// Step 8.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0008_steering"
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
    "ALTER TABLE transfer ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal'",
    "ALTER TABLE transfer ADD COLUMN files_unchanged INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE transfer ADD COLUMN bytes_present INTEGER NOT NULL DEFAULT 0",
    // As JSON.
    "ALTER TABLE device ADD COLUMN limits TEXT NOT NULL DEFAULT '{}'",
    "CREATE TABLE transfer_event (
        transfer BLOB NOT NULL REFERENCES transfer (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        state TEXT NOT NULL,
        hold TEXT NOT NULL,
        bytes_done INTEGER NOT NULL,
        bytes_sent INTEGER NOT NULL,
        PRIMARY KEY (transfer, number)
    )",
];
