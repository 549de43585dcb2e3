//! Manifests by their hashes, for machines that copy a root: step 11.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use crate::fault;

/// Step 11.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_manifest_hash"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        fault::point("migrating");
        manager.get_connection().execute_unprepared(STATEMENT).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// A commit names manifests by their hashes alone.
const STATEMENT: &str = "CREATE INDEX version_manifest ON version (manifest_hash)";
