//! Where nodes lay before they were moved, renamed or restored, and how long versions are kept: step 12.

use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::ConnectionTrait};

use super::m0002_store::dialect;
use crate::fault;

/// Step 12.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_past"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        fault::point("migrating");
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
    // How a node stood up to a moment: the row of the least `until` above a moment counts, else the node's own.
    "CREATE TABLE node_past (
        node INTEGER NOT NULL REFERENCES node (no),
        until INTEGER NOT NULL,
        parent INTEGER,
        name BLOB NOT NULL,
        deleted_at INTEGER,
        source INTEGER,
        source_parent INTEGER,
        source_name BLOB,
        PRIMARY KEY (node, until)) WITHOUT ROWID",
    "CREATE INDEX node_past_parent ON node_past (parent, name)",
    // A page of a folder of then is read in the order of names, of what was deleted since too.
    "DROP INDEX node_deleted_below",
    "CREATE INDEX node_deleted_below ON node (parent, name) WHERE deleted_at IS NOT NULL",
    // `source` is 0 for what holds for all roots that have no rule of their own, and for what came from none.
    "CREATE TABLE retention (
        space BLOB NOT NULL REFERENCES space (id),
        source INTEGER NOT NULL,
        keep_all_days INTEGER NOT NULL,
        daily_days INTEGER NOT NULL,
        weekly_days INTEGER NOT NULL,
        monthly_days INTEGER NOT NULL,
        forever BOOLEAN NOT NULL,
        set_at INTEGER NOT NULL,
        PRIMARY KEY (space, source)) WITHOUT ROWID",
];

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{AccountId, SpaceId},
        time::Timestamp,
    };
    use sea_orm_migration::MigratorTrait;

    use super::super::{
        Migrator,
        testing::{before, run},
    };
    use crate::{
        access::{Access, Right},
        store::meta::{
            drive::{Place, past::When},
            retention::rules,
        },
    };

    #[tokio::test]
    async fn a_drive_from_before_is_seen_as_it_lies_since_its_nodes_are_there() {
        let database = before("m0010_tasks").await;
        let rows = "INSERT INTO space (id, account, name, suite, key_epoch, chunk_key, top, created, revision)
                VALUES (x'00000000000000000000000000000001', x'02', 'Drive', 0, 0, x'03', 1, 5, 1);
            INSERT INTO node (no, id, space, parent, name, folded, kind, head, created, deleted_at) VALUES
                (1, x'00000000000000000000000000000000', x'00000000000000000000000000000001', NULL, x'', '', 0, NULL, 5, NULL),
                (2, x'00000000000000000000000000000002', x'00000000000000000000000000000001', 1, x'61', 'a', 1, 7, 10, NULL),
                (3, x'00000000000000000000000000000003', x'00000000000000000000000000000001', 1, x'62', 'b', 1, 8, 10, 20);
            INSERT INTO version (no, id, node, created, suite, key_epoch, manifest_hash, kind, mode, size, mtime_ns, torn) VALUES
                (7, x'07', 2, 10, 0, 0, x'09', 1, 0, 3, 0, FALSE), (8, x'08', 3, 10, 0, 0, x'09', 1, 0, 3, 0, FALSE)";
        run(&database, rows).await;
        Migrator::up(&database, None).await.unwrap();
        let space = SpaceId::from_slice(&[[0; 15].as_slice(), &[1]].concat()).unwrap();
        let access = Access {
            account: AccountId([2; 32]),
            admin: false,
            spaces: vec![(space, Right::Write)],
        };
        let granted = access.space(space, Right::Read).unwrap();
        let names = async |at| {
            let when = When::At(Timestamp(at));
            let top = when.find(&database, &granted, &Place::Path(Vec::new())).await.unwrap();
            let rows = when.children(&database, &top, None, 9).await.unwrap();
            assert!(rows.iter().all(|row| row.head.is_some()));
            rows.into_iter().flat_map(|row| row.node.name).collect::<Vec<u8>>()
        };
        assert_eq!(names(9).await, b"");
        assert_eq!(names(19).await, b"ab");
        assert_eq!(names(20).await, b"a");
        let kept = rules(&database, space.as_bytes()).await.unwrap();
        assert!(kept.keep_everything(), "nobody set a rule yet");
    }
}
