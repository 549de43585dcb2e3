//! What tests ask of the database.

use sea_orm::ConnectionTrait;

use super::{Error, sql};
use crate::access::GrantedSpace;

/// The names of the live nodes in a folder of a space, named from the top.
pub(crate) async fn live_names(on: &impl ConnectionTrait, space: &GrantedSpace, folder: &[&str]) -> Result<Vec<String>, Error> {
    let mut at = super::super::space::row(on, space).await?.top;
    for name in folder {
        let text = "SELECT no FROM node WHERE parent = $1 AND name = $2 AND deleted_at IS NULL";
        let row = on.query_one_raw(sql(text, on, [at.into(), name.as_bytes().into()])).await?;
        at = row.ok_or_else(|| Error::bad_row("folder"))?.try_get("", "no")?;
    }
    let text = "SELECT name FROM node WHERE parent = $1 AND deleted_at IS NULL ORDER BY name";
    let rows = on.query_all_raw(sql(text, on, [at.into()])).await?;
    rows.iter().map(|row| Ok(String::from_utf8_lossy(&row.try_get::<Vec<u8>>("", "name")?).into_owned())).collect()
}

/// How many versions a node has.
pub(crate) async fn versions_of(on: &impl ConnectionTrait, node: i64) -> Result<i64, Error> {
    let row = on.query_one_raw(sql("SELECT COUNT(*) AS count FROM version WHERE node = $1", on, [node.into()])).await?;
    Ok(row.ok_or_else(|| Error::bad_row("count"))?.try_get("", "count")?)
}

/// All that is known of packs and chunks, and which version needs which, without row numbers.
pub(crate) async fn whole_index(on: &impl ConnectionTrait) -> Result<Vec<String>, Error> {
    let texts = [
        "SELECT hex(c.space) || hex(c.id) || hex(p.id) || '|' || c.start || '|' || c.stored_len || '|' || c.len || '|' || c.encoding \
         || '|' || p.bytes AS line FROM chunk c JOIN pack p ON p.no = c.pack",
        "SELECT hex(v.id) || hex(c.id) AS line FROM chunk_use u JOIN version v ON v.no = u.version JOIN chunk c ON c.no = u.chunk",
    ];
    let mut lines = Vec::new();
    for text in texts {
        for row in on.query_all_raw(sql(text, on, [])).await? {
            lines.push(row.try_get("", "line")?);
        }
    }
    lines.sort();
    Ok(lines)
}
