//! Who made an invitation, and how much the database keeps for each space: step 6.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;

/// Step 6.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_accounting"
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
    // The administrator's account; nothing where that is not known.
    "ALTER TABLE invitation ADD COLUMN made_by BLOB",
    // Bytes: 512 for each node and each version, their manifests, and the changes of commits.
    "ALTER TABLE space_usage ADD COLUMN records INTEGER NOT NULL DEFAULT 0",
    "INSERT INTO space_usage (space, used, records)
        SELECT space, 0, CAST(SUM(bytes) AS INTEGER) FROM (
            SELECT space, 512 AS bytes FROM node WHERE parent IS NOT NULL
            UNION ALL SELECT n.space, 512 + LENGTH(m.bytes) FROM node n JOIN version v ON v.node = n.no JOIN manifest m ON m.version = v.no
            UNION ALL SELECT s.space, LENGTH(c.bytes) FROM source s JOIN root_commit r ON r.source = s.no JOIN commit_change c ON c.root_commit = r.no
        ) AS kept WHERE TRUE GROUP BY space
        ON CONFLICT (space) DO UPDATE SET records = excluded.records",
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
    async fn what_was_kept_before_counts() {
        let database = before(Migration.name()).await;
        let rows = "INSERT INTO space VALUES (x'01', x'02', 'Drive', 0, 0, x'03', 1, 0, 0, NULL);
            INSERT INTO node (no, id, space, parent, name, folded, kind, created)
                VALUES (1, x'04', x'01', NULL, x'', '', 0, 0), (2, x'05', x'01', 1, x'61', 'a', 1, 0);
            INSERT INTO version (no, id, node, created, suite, key_epoch, manifest_hash, kind, mode, size, mtime_ns, torn)
                VALUES (3, x'06', 2, 0, 0, 0, x'07', 1, 0, 0, 0, FALSE);
            INSERT INTO manifest VALUES (3, x'010203');
            INSERT INTO source VALUES (4, x'01', x'08', x'09', 1, 1, 1, x'0a');
            INSERT INTO root_commit VALUES (5, 4, 1, x'0b', x'0c', x'0d', 0);
            INSERT INTO commit_change VALUES (5, 0, x'0e0f', 3);
            INSERT INTO space_usage VALUES (x'01', 7)";
        run(&database, rows).await;
        Migrator::up(&database, None).await.unwrap();
        let row = database
            .query_one_raw(sql("SELECT used, records FROM space_usage", &database, []))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.try_get::<i64>("", "used").unwrap(), 7);
        assert_eq!(row.try_get::<i64>("", "records").unwrap(), 512 + 512 + 3 + 2);
    }
}
