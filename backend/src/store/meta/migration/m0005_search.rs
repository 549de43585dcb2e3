//! Names as they are searched for, and the order in which files were stored: step 5.

use sea_orm_migration::{
    DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, FromQueryResult},
};

use super::m0002_store::dialect;
use crate::store::meta::{drive::search::folded, sql};

/// Nodes that are read at once.
const PAGE: i64 = 1000;

/// Step 5.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_search"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let backend = connection.get_database_backend();
        connection.execute_unprepared(&dialect(COLUMN, backend)).await?;
        fill(connection).await?;
        for index in INDEXES {
            connection.execute_unprepared(&dialect(index, backend)).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

#[derive(FromQueryResult)]
struct Named {
    no: i64,
    name: Vec<u8>,
}

async fn fill(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    let mut after = 0;
    loop {
        let text = "SELECT no, name FROM node WHERE no > $1 ORDER BY no LIMIT $2";
        let page = Named::find_by_statement(sql(text, connection, [after.into(), PAGE.into()]))
            .all(connection)
            .await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.no;
        for Named { no, name } in &page {
            let text = "UPDATE node SET folded = $1 WHERE no = $2";
            connection
                .execute_raw(sql(text, connection, [folded(name).into(), (*no).into()]))
                .await?;
        }
    }
}

const COLUMN: &str = "ALTER TABLE node ADD COLUMN folded TEXT NOT NULL DEFAULT ''";

const INDEXES: [&str; 2] = [
    "CREATE INDEX node_folded ON node (space, folded, no) WHERE deleted_at IS NULL",
    "CREATE INDEX node_recent ON node (space, head) WHERE deleted_at IS NULL AND kind = 1",
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

    #[tokio::test]
    async fn names_that_were_there_before_are_folded() {
        let database = before(Migration.name()).await;
        let rows = "INSERT INTO space VALUES (x'01', x'02', 'Drive', 0, 0, x'03', 1, 0, 0, NULL);
            INSERT INTO node VALUES (7, x'04', x'01', NULL, x'c39c424552', 1, NULL, NULL, NULL, NULL, 0, NULL)";
        run(&database, rows).await;
        Migrator::up(&database, None).await.unwrap();
        let row = database
            .query_one_raw(sql("SELECT folded FROM node WHERE no = 7", &database, []))
            .await
            .unwrap();
        assert_eq!(row.unwrap().try_get::<String>("", "folded").unwrap(), "über");
    }
}
