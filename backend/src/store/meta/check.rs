//! What the check asks of the database, and the rebuilding of the index out of the packs.

use std::collections::HashMap;

use beckon_shared::{
    chunk::ChunkKey,
    id::{ChunkId, SpaceId, VersionId},
    manifest::{Content, Manifest},
};
use sea_orm::{ConnectionTrait, EntityTrait, QueryResult};

use super::{
    Error, Txn,
    chunk::{self, NewChunk, NewPack, Place, place},
    entity::space,
    sql,
    version::insert_uses,
};
use crate::clock::Clock;

/// Manifests that are looked at together; a large file's has megabytes.
const MANIFESTS: usize = 50;

/// The keys of all spaces.
pub(crate) async fn keys(on: &impl ConnectionTrait) -> Result<HashMap<SpaceId, ChunkKey>, Error> {
    let rows = space::Entity::find().all(on).await?;
    rows.iter()
        .map(|row| Ok((SpaceId::from_slice(&row.id).map_err(|_| Error::bad_row("space id"))?, super::space::key_of(row)?)))
        .collect()
}

/// A chunk as the check wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// Whose it is.
    pub(crate) space: SpaceId,
    /// Where it is.
    pub(crate) place: Place,
}

/// All that is indexed in a pack.
pub(crate) async fn chunks_of(on: &impl ConnectionTrait, pack: i64) -> Result<Vec<Indexed>, Error> {
    let text = "SELECT c.no, c.space, c.id, c.start, c.stored_len, c.len, c.encoding, p.id AS pack FROM chunk c JOIN pack p ON p.no = c.pack \
        WHERE c.pack = $1 ORDER BY c.start";
    let rows = on.query_all_raw(sql(text, on, [pack.into()])).await?;
    rows.iter().map(|row| Ok(Indexed { space: space_id(row)?, place: place(row)? })).collect()
}

/// A version that needs a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needing {
    /// The version.
    pub(crate) version: VersionId,
    /// Where its node is in its space, for people.
    pub(crate) path: String,
}

/// The versions that need a chunk.
pub(crate) async fn needing(on: &impl ConnectionTrait, chunk: i64) -> Result<Vec<Needing>, Error> {
    let text = "SELECT v.id, v.node FROM chunk_use u JOIN version v ON v.no = u.version WHERE u.chunk = $1 ORDER BY v.no";
    let mut needing = Vec::new();
    for row in on.query_all_raw(sql(text, on, [chunk.into()])).await? {
        needing.push(Needing { version: version_id(&row)?, path: path_of(on, row.try_get("", "node")?).await? });
    }
    Ok(needing)
}

/// A node's path for people: control characters are written out.
pub(crate) async fn path_of(on: &impl ConnectionTrait, node: i64) -> Result<String, Error> {
    let mut names = Vec::new();
    let mut at = Some(node);
    while let Some(no) = at {
        let row = on.query_one_raw(sql("SELECT parent, name FROM node WHERE no = $1", on, [no.into()])).await?;
        let row = row.ok_or_else(|| Error::bad_row("parent"))?;
        at = row.try_get("", "parent")?;
        let name: Vec<u8> = row.try_get("", "name")?;
        if at.is_some() {
            names.push(String::from_utf8_lossy(&name).escape_debug().to_string());
        }
    }
    names.reverse();
    Ok(names.join("/"))
}

/// A version with the chunks that its manifest names.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Row number.
    pub(crate) no: i64,
    /// Row number of its node.
    pub(crate) node: i64,
    /// The version.
    pub(crate) version: VersionId,
    /// Its space.
    pub(crate) space: SpaceId,
    /// Its chunks.
    pub(crate) chunks: Vec<ChunkId>,
}

/// Some versions after one, by row number; none when there are no more.
pub(crate) async fn versions_after(on: &impl ConnectionTrait, after: i64) -> Result<Vec<Listed>, Error> {
    let text = format!(
        "SELECT v.no, v.id, v.node, n.space, m.bytes FROM version v JOIN node n ON n.no = v.node JOIN manifest m ON m.version = v.no \
         WHERE v.no > $1 ORDER BY v.no LIMIT {MANIFESTS}"
    );
    let rows = on.query_all_raw(sql(&text, on, [after.into()])).await?;
    rows.iter()
        .map(|row| {
            let bytes: Vec<u8> = row.try_get("", "bytes")?;
            let manifest = Manifest::parse(&bytes).map_err(|_| Error::bad_row("manifest"))?;
            let chunks = match manifest.content {
                Content::File(file) => file.chunks.iter().map(|chunk| chunk.id).collect(),
                _ => Vec::new(),
            };
            let (no, node) = (row.try_get("", "no")?, row.try_get("", "node")?);
            Ok(Listed { no, node, version: version_id(row)?, space: space_id(row)?, chunks })
        })
        .collect()
}

/// Forgets all that is known of packs and chunks.
pub(crate) async fn clear(txn: &Txn) -> Result<(), Error> {
    for text in ["DELETE FROM chunk_use", "DELETE FROM pin", "DELETE FROM chunk", "DELETE FROM pack"] {
        txn.execute_raw(sql(text, txn, [])).await?;
    }
    Ok(())
}

/// Indexes a pack as it was read from the disk.
pub(crate) async fn reindex(txn: &Txn, clock: &dyn Clock, pack: NewPack, chunks: &[NewChunk]) -> Result<(), Error> {
    chunk::insert(txn, clock, pack, chunks).await
}

/// Records anew which chunks a version needs; returns those that are not there.
pub(crate) async fn relink(txn: &Txn, version: &Listed) -> Result<Vec<ChunkId>, Error> {
    let found = chunk::durable(txn, version.space, &version.chunks).await?;
    let mut uses: Vec<(i64, i64)> = found.values().map(|chunk| (chunk.no, version.no)).collect();
    uses.sort_unstable();
    insert_uses(txn, uses).await?;
    Ok(version.chunks.iter().filter(|id| !found.contains_key(id)).copied().collect())
}

fn space_id(row: &QueryResult) -> Result<SpaceId, Error> {
    let id: Vec<u8> = row.try_get("", "space")?;
    SpaceId::from_slice(&id).map_err(|_| Error::bad_row("space id"))
}

fn version_id(row: &QueryResult) -> Result<VersionId, Error> {
    let id: Vec<u8> = row.try_get("", "id")?;
    VersionId::from_slice(&id).map_err(|_| Error::bad_row("version id"))
}

#[cfg(test)]
mod inspect;
#[cfg(test)]
pub(crate) use inspect::{head_of, live_names, new_postgres, versions_of, whole_index};
