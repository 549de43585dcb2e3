//! The database: functions per use case over sea-orm. SQLite (one writer, write-ahead log) or PostgreSQL, as the URL says.

pub(crate) mod account;
pub(crate) mod check;
pub(crate) mod chunk;
pub(crate) mod collect;
pub(crate) mod commit;
pub(crate) mod copy;
pub(crate) mod device;
pub(crate) mod drive;
pub(crate) mod entity;
pub(crate) mod invitation;
pub(crate) mod join;
pub(crate) mod migration;
pub(crate) mod name;
pub(crate) mod purge;
#[cfg(test)]
pub(crate) mod replay;
pub(crate) mod retention;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod shift;
pub(crate) mod source;
pub(crate) mod space;
pub(crate) mod stat;
pub(crate) mod ticket;
pub(crate) mod transfer;
pub(crate) mod tree;
pub(crate) mod version;
pub(crate) mod visit;
mod word;

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, RuntimeErr, SqliteTransactionMode, SqlxError, Statement,
    TransactionOptions, TransactionTrait, Value, sqlx::Connection,
};
pub(crate) use sea_orm::{DatabaseConnection, DatabaseTransaction as Txn, DbErr};
use sea_orm_migration::MigratorTrait;

use super::error::Error;

/// Rows that go into one statement: many enough that its overhead vanishes, few enough for SQLite's 32,766 values.
pub(crate) const BATCH: usize = 500;

/// Connections that only read.
const READERS: u32 = 4;

/// How long a statement waits for its turn before the request fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The database, opened and migrated.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    read: DatabaseConnection,
    write: DatabaseConnection,
}

impl Meta {
    /// Opens `sqlite:PATH` (made if absent) or `postgres://...`, and brings its tables up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        if url.starts_with("sqlite:") {
            return Self::over(sqlite(url, WRITER), sqlite(url, READER)).await;
        }
        let write = Database::connect(options(url, READERS * 2)).await?;
        migration::Migrator::up(&write, None).await?;
        Ok(Self {
            read: write.clone(),
            write,
        })
    }

    async fn over(writer: ConnectOptions, readers: ConnectOptions) -> Result<Self, Error> {
        let write = Database::connect(writer).await?;
        migration::Migrator::up(&write, None).await?;
        let read = Database::connect(readers).await?;
        Ok(Self { read, write })
    }

    /// For statements that change nothing.
    pub(crate) fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Begins a transaction that may write. Dropped without `commit`, it never was.
    pub(crate) async fn write(&self) -> Result<Txn, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }

    /// Ends all connections once their statements are done.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.read.clone().close().await?;
        Ok(self.write.clone().close().await?)
    }
}

#[cfg(test)]
impl Meta {
    /// Carries out what a test wrote in the words of SQLite, such as rows that are older than the test.
    pub(crate) async fn run(&self, text: &str) {
        let txn = self.write().await.unwrap();
        let text = migration::testing::in_words_of(txn.get_database_backend(), text);
        txn.execute_raw(sql(&text, &txn, [])).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// The one number that a test's question yields, named `number`.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        self.read
            .query_one_raw(sql(text, &self.read, []))
            .await
            .unwrap()
            .unwrap()
            .try_get("", "number")
            .unwrap()
    }
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false);
    options
}

/// How the connections to SQLite differ.
struct Pool {
    connections: u32,
    query_only: &'static str,
    /// Of each connection, in KiB (negative, as SQLite wants it).
    cache: &'static str,
}

/// The index of chunk ids is written at random places: a larger cache saves it from reading pages again and again.
const WRITER: Pool = Pool {
    connections: 1,
    query_only: "OFF",
    cache: "-8000",
};
const READER: Pool = Pool {
    connections: READERS,
    query_only: "ON",
    cache: "-2000",
};

fn sqlite(url: &str, pool: Pool) -> ConnectOptions {
    let mut options = options(url, pool.connections);
    options.test_before_acquire(false).map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .create_if_missing(true)
            .busy_timeout(PATIENCE)
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("foreign_keys", "ON")
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", pool.cache)
            .pragma("wal_autocheckpoint", "4000")
            .pragma("query_only", pool.query_only)
    });
    // Where SQLite fails to commit it ends the transaction by itself, and sqlx goes on counting it as open: the next ones would
    // be savepoints in it, and reach the disk or not. Such a connection is thrown away.
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        let is_clean = !connection.is_in_transaction();
        Box::pin(std::future::ready(Ok(is_clean)))
    });
    options
}

/// Takes `count` row numbers and returns the first. They are taken inside the transaction, which also
/// makes transactions that store something wait for each other on PostgreSQL as they do on SQLite.
pub(crate) async fn numbers(txn: &Txn, count: usize) -> Result<i64, Error> {
    let count = i64::try_from(count).map_err(|_| Error::bad_row("count"))?;
    let row = txn
        .query_one_raw(sql(
            "UPDATE counter SET next = next + $1 WHERE id = 1 RETURNING next",
            txn,
            [count.into()],
        ))
        .await?;
    let next: i64 = row.ok_or_else(|| Error::bad_row("counter"))?.try_get("", "next")?;
    Ok(next - count)
}

/// A statement as SQL that both databases understand, with `$1`, `$2`... for the values.
pub(crate) fn sql(text: &str, on: &impl ConnectionTrait, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), text, values)
}

/// `$from, $from+1, ...`: the places of `count` values in a statement.
pub(crate) fn places(from: usize, count: usize) -> String {
    let places: Vec<String> = (from..from + count).map(|place| format!("${place}")).collect();
    places.join(",")
}

/// Whether the database says that its disk is full: SQLITE_FULL, or PostgreSQL's `disk_full`.
pub(crate) fn is_database_full(error: &DbErr) -> bool {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(cause) = cause else {
        return false;
    };
    match cause.as_ref() {
        SqlxError::Database(cause) => cause.code().is_some_and(|code| matches!(code.as_ref(), "13" | "53100")),
        SqlxError::Io(cause) => super::error::is_disk_full(cause),
        _ => false,
    }
}
