//! How much of each space collection has marked: step 7.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;

/// Step 7.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0007_marked"
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
    // Bytes of the chunks that are marked; `used` counts them too.
    "ALTER TABLE space_usage ADD COLUMN marked INTEGER NOT NULL DEFAULT 0",
    "UPDATE space_usage SET marked = (SELECT CAST(COALESCE(SUM(c.len), 0) AS INTEGER) FROM chunk c
        WHERE c.space = space_usage.space AND c.marked_at IS NOT NULL)",
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
    async fn what_was_marked_before_counts() {
        let database = before(Migration.name()).await;
        let rows = "INSERT INTO space VALUES (x'02', x'09', 'Drive', 0, 0, x'03', 1, 0, 0, NULL), (x'05', x'0a', 'Drive', 0, 0, x'03', 1, 0, 0, NULL);
            INSERT INTO pack (no, id, bytes, created) VALUES (1, x'01', 9, 0);
            INSERT INTO chunk (no, space, id, pack, start, stored_len, len, encoding, suite, key_epoch, marked_at)
                VALUES (2, x'02', x'03', 1, 0, 3, 5, 0, 0, 0, 7), (3, x'02', x'04', 1, 3, 3, 6, 0, 0, 0, NULL);
            INSERT INTO space_usage (space, used) VALUES (x'02', 11), (x'05', 0)";
        run(&database, rows).await;
        Migrator::up(&database, None).await.unwrap();
        let question = sql("SELECT used, marked FROM space_usage ORDER BY space", &database, []);
        let rows = database.query_all_raw(question).await.unwrap();
        let counted = |row: usize| {
            let number = |column| rows[row].try_get::<i64>("", column).unwrap();
            (number("used"), number("marked"))
        };
        assert_eq!((counted(0), counted(1)), ((11, 5), (0, 0)));
    }
}
