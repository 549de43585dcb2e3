//! Invitations, accounts that are shut out, how full each space is, samples for charts: step 3.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;

/// Step 3.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_administration"
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

/// Times are milliseconds since 1970.
const STATEMENTS: &[&str] = &[
    "ALTER TABLE account ADD COLUMN disabled_at INTEGER",
    // The code itself is not kept. One that was used or withdrawn is gone.
    "CREATE TABLE invitation (
        id BLOB PRIMARY KEY NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        admin BOOLEAN NOT NULL,
        quota INTEGER)",
    // Bytes of content of all chunks that are indexed, kept by whoever adds or deletes rows of `chunk`: to add them up for
    // each upload would take too long. Apart from `space`, whose rows are locked by those who change its tree.
    "CREATE TABLE space_usage (
        space BLOB PRIMARY KEY NOT NULL REFERENCES space (id),
        used INTEGER NOT NULL)",
    "INSERT INTO space_usage (space, used) SELECT space, CAST(SUM(len) AS INTEGER) FROM chunk GROUP BY space",
    // So that the contents of all versions are added up without reading the versions.
    "CREATE INDEX version_size ON version (size)",
    // `grain` is the span that a row stands for, `slot` the number of such spans since 1970.
    "CREATE TABLE sample (
        grain INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        at INTEGER NOT NULL,
        content INTEGER NOT NULL,
        distinct_len INTEGER NOT NULL,
        disk INTEGER NOT NULL,
        received INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        online INTEGER NOT NULL,
        PRIMARY KEY (grain, slot)) WITHOUT ROWID",
];

#[cfg(test)]
mod tests {
    use sea_orm_migration::{MigrationName, MigratorTrait};

    use super::{
        super::{
            Migrator,
            testing::{before, run},
        },
        ConnectionTrait, Migration,
    };
    use crate::store::meta::sql;

    #[tokio::test]
    async fn what_was_stored_before_quotas_were_kept_counts() {
        let database = before(Migration.name()).await;
        for statement in [
            "INSERT INTO space (id, account, name, suite, key_epoch, chunk_key, top, created, revision)
                VALUES (x'01', x'02', 'Drive', 0, 0, x'03', 1, 0, 0)",
            "INSERT INTO pack (no, id, bytes, created) VALUES (1, x'04', 9, 0)",
            "INSERT INTO chunk (no, space, id, pack, start, stored_len, len, encoding, suite, key_epoch)
                VALUES (2, x'01', x'05', 1, 0, 4, 100, 0, 0, 0), (3, x'01', x'06', 1, 4, 5, 23, 0, 0, 0)",
        ] {
            run(&database, statement).await;
        }
        Migrator::up(&database, Some(1)).await.unwrap();
        let question = sql("SELECT used FROM space_usage", &database, []);
        let rows = database.query_all_raw(question).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].try_get::<i64>("", "used").unwrap(), 123);
    }
}
