//! Retries and cancellations that a machine has not heard of yet: step 4.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;

/// Step 4.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_transfer_unheard"
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

const STATEMENTS: &[&str] = &[
    // Of a transfer that is queued again after it failed, or cancelled: its machine does not know yet.
    "ALTER TABLE transfer ADD COLUMN unheard BOOLEAN NOT NULL DEFAULT FALSE",
    "CREATE INDEX transfer_unheard ON transfer (account, device) WHERE unheard",
];
