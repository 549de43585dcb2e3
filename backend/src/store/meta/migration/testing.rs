//! Databases as earlier releases left them, and statements that tests write once for both kinds.

use sea_orm_migration::{
    MigratorTrait,
    sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend},
};

use super::{Migrator, m0002_store::dialect};
use crate::store::meta::check::new_postgres;

/// A database to which all steps before this one were applied.
pub(super) async fn before(step: &str) -> DatabaseConnection {
    let url = new_postgres().await.unwrap();
    let database = Database::connect(url.as_deref().unwrap_or("sqlite::memory:"))
        .await
        .unwrap();
    let steps = Migrator::migrations();
    let steps = steps.iter().position(|other| other.name() == step).unwrap();
    Migrator::up(&database, Some(steps as u32)).await.unwrap();
    database
}

/// Runs statements in the words of SQLite.
pub(super) async fn run(database: &DatabaseConnection, statements: &str) {
    let text = in_words_of(database.get_database_backend(), statements);
    database.execute_unprepared(&text).await.unwrap();
}

/// What a test says in the words of SQLite, in those of the database.
pub(in crate::store::meta) fn in_words_of(backend: DbBackend, text: &str) -> String {
    if backend == DbBackend::Sqlite {
        return text.to_owned();
    }
    dialect(text, backend)
        .replace(" x'", r" '\x")
        .replace("(x'", r"('\x")
        .replace("randomblob(16)", "uuid_send(gen_random_uuid())")
}
