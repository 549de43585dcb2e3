//! Orders that a controller gave to their machine directly: step 9.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;
use crate::fault;

/// Step 9.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0009_direct"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        fault::point("migrating");
        connection
            .execute_unprepared(&dialect(STATEMENT, connection.get_database_backend()))
            .await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Whether the machine showed the order before its signer placed it here.
const STATEMENT: &str = "ALTER TABLE transfer ADD COLUMN given_directly BOOLEAN NOT NULL DEFAULT FALSE";
