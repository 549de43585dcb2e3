//! What tests ask of the database.

use beckon_shared::{
    id::{DeviceId, RootId, VersionId},
    path::RootPath,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    super::{
        entity::{node, version},
        source,
    },
    Error, sql,
};
use crate::access::GrantedSpace;

/// The node that an entry of a root is bound to, and its newest version.
pub(crate) async fn head_of(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    (device, root): (DeviceId, RootId),
    path: &RootPath,
) -> Result<Option<(node::Model, VersionId)>, Error> {
    let Some(source) = source::find(on, space, device, root).await? else {
        return Ok(None);
    };
    let mut at = node::Entity::find_by_id(source.folder).one(on).await?;
    for name in path.names() {
        let Some(folder) = at else { return Ok(None) };
        let child = node::Entity::find()
            .filter(node::Column::SourceParent.eq(folder.no))
            .filter(node::Column::SourceName.eq(name.as_bytes()))
            .filter(node::Column::DeletedAt.is_null());
        at = child.one(on).await?;
    }
    let Some(node) = at else { return Ok(None) };
    let Some(head) = node.head else { return Ok(None) };
    let version = version::Entity::find_by_id(head)
        .one(on)
        .await?
        .ok_or_else(|| Error::bad_row("head"))?;
    Ok(Some((
        node,
        VersionId::from_slice(&version.id).map_err(|_| Error::bad_row("version id"))?,
    )))
}

/// The names of the live nodes in a folder of a space, named from the top.
pub(crate) async fn live_names(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    folder: &[&str],
) -> Result<Vec<String>, Error> {
    let mut at = super::super::space::row(on, space).await?.top;
    for name in folder {
        let text = "SELECT no FROM node WHERE parent = $1 AND name = $2 AND deleted_at IS NULL";
        let row = on
            .query_one_raw(sql(text, on, [at.into(), name.as_bytes().into()]))
            .await?;
        at = row.ok_or_else(|| Error::bad_row("folder"))?.try_get("", "no")?;
    }
    let text = "SELECT name FROM node WHERE parent = $1 AND deleted_at IS NULL ORDER BY name";
    let rows = on.query_all_raw(sql(text, on, [at.into()])).await?;
    rows.iter()
        .map(|row| Ok(String::from_utf8_lossy(&row.try_get::<Vec<u8>>("", "name")?).into_owned()))
        .collect()
}

/// How many versions a node has.
pub(crate) async fn versions_of(on: &impl ConnectionTrait, node: i64) -> Result<i64, Error> {
    let row = on
        .query_one_raw(sql(
            "SELECT COUNT(*) AS count FROM version WHERE node = $1",
            on,
            [node.into()],
        ))
        .await?;
    Ok(row.ok_or_else(|| Error::bad_row("count"))?.try_get("", "count")?)
}

/// All that is known of packs and chunks, and which version needs which, without row numbers.
pub(crate) async fn whole_index(on: &impl ConnectionTrait) -> Result<Vec<String>, Error> {
    let chunks = "SELECT c.space, c.id, p.id AS pack, c.start, c.stored_len, c.len, c.encoding, p.bytes FROM chunk c JOIN pack p ON p.no = c.pack";
    let uses = "SELECT v.id AS version, c.id FROM chunk_use u JOIN version v ON v.no = u.version JOIN chunk c ON c.no = u.chunk";
    let mut lines = lines(
        on,
        chunks,
        &["space", "id", "pack"],
        &["start", "stored_len", "len", "encoding", "bytes"],
    )
    .await?;
    lines.extend(self::lines(on, uses, &["version", "id"], &[]).await?);
    lines.sort();
    Ok(lines)
}

async fn lines(on: &impl ConnectionTrait, text: &str, ids: &[&str], numbers: &[&str]) -> Result<Vec<String>, Error> {
    let rows = on.query_all_raw(sql(text, on, [])).await?;
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for id in ids {
                line += &hex::encode(row.try_get::<Vec<u8>>("", id)?);
            }
            for number in numbers {
                line += &format!(" {}", row.try_get::<i64>("", number)?);
            }
            Ok(line)
        })
        .collect()
}

/// Makes an empty database on the PostgreSQL server whose URL, without a database, is in `BECKON_TEST_POSTGRES`, and returns
/// its URL. Nothing where that is not set: then tests run on SQLite.
pub(crate) async fn new_postgres() -> Result<Option<String>, Error> {
    let Ok(server) = std::env::var("BECKON_TEST_POSTGRES") else {
        return Ok(None);
    };
    let on = sea_orm::Database::connect(format!("{server}/postgres")).await?;
    let name = format!(
        "beckon_{}",
        hex::encode(crate::clock::random::<16>(&crate::clock::SystemClock))
    );
    on.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    on.close().await?;
    Ok(Some(format!("{server}/{name}")))
}
