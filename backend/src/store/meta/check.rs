//! What the check asks of the database, and the rebuilding of the index out of the packs.

use std::collections::{HashMap, HashSet};

use beckon_shared::{
    bulk::{ChunkHeader, Encoding},
    chunk::{ChunkKey, ChunkRef},
    id::{ChunkId, SpaceId, VersionId},
    manifest::{Content, Manifest},
};
use sea_orm::{ConnectionTrait, EntityTrait, QueryResult};

use super::{
    BATCH, Error, Meta, Txn,
    chunk::{self, NewChunk, NewPack, Place, place},
    entity::space,
    places, sql,
    version::insert_uses,
};
use crate::{clock::Clock, store::pack::RECORD_LEN};

/// Manifests that are looked at together; a large file's has megabytes.
const MANIFESTS: usize = 50;

/// The keys of all spaces.
pub(crate) async fn keys(on: &impl ConnectionTrait) -> Result<HashMap<SpaceId, ChunkKey>, Error> {
    let rows = space::Entity::find().all(on).await?;
    rows.iter()
        .map(|row| {
            Ok((
                SpaceId::from_slice(&row.id).map_err(|_| Error::bad_row("space id"))?,
                super::space::key_of(row)?,
            ))
        })
        .collect()
}

/// A chunk as the check wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// Whose it is.
    pub(crate) space: SpaceId,
    /// Where it is.
    pub(crate) place: Place,
    /// Whether it is known to be damaged.
    pub(crate) is_damaged: bool,
}

/// All that is indexed in a pack.
pub(crate) async fn chunks_of(on: &impl ConnectionTrait, pack: i64) -> Result<Vec<Indexed>, Error> {
    let text = "SELECT c.no, c.space, c.id, c.start, c.stored_len, c.len, c.encoding, c.damaged_at, p.id AS pack FROM chunk c \
        JOIN pack p ON p.no = c.pack WHERE c.pack = $1 ORDER BY c.start";
    let rows = on.query_all_raw(sql(text, on, [pack.into()])).await?;
    let indexed = rows.iter().map(|row| {
        let damaged_at: Option<i64> = row.try_get("", "damaged_at")?;
        Ok(Indexed {
            space: space_id(row)?,
            place: place(row)?,
            is_damaged: damaged_at.is_some(),
        })
    });
    indexed.collect()
}

/// Notes that chunks which were called damaged are sound.
pub(crate) async fn mark_sound(meta: &Meta, chunks: &[i64]) -> Result<(), Error> {
    for nos in chunks.chunks(BATCH) {
        let txn = meta.write().await?;
        let text = format!(
            "UPDATE chunk SET damaged_at = NULL WHERE no IN ({})",
            places(1, nos.len())
        );
        txn.execute_raw(sql(&text, &txn, nos.iter().map(|no| (*no).into())))
            .await?;
        txn.commit().await?;
    }
    Ok(())
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
    let text =
        "SELECT v.id, v.node FROM chunk_use u JOIN version v ON v.no = u.version WHERE u.chunk = $1 ORDER BY v.no";
    let mut needing = Vec::new();
    for row in on.query_all_raw(sql(text, on, [chunk.into()])).await? {
        needing.push(Needing {
            version: version_id(&row)?,
            path: path_of(on, row.try_get("", "node")?).await?,
        });
    }
    Ok(needing)
}

/// A node's path for people: control characters are written out.
pub(crate) async fn path_of(on: &impl ConnectionTrait, node: i64) -> Result<String, Error> {
    let mut names = Vec::new();
    let mut at = Some(node);
    while let Some(no) = at {
        let row = on
            .query_one_raw(sql("SELECT parent, name FROM node WHERE no = $1", on, [no.into()]))
            .await?;
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
    pub(crate) chunks: Vec<ChunkRef>,
}

impl Listed {
    /// The ids of its chunks.
    pub(crate) fn ids(&self) -> Vec<ChunkId> {
        self.chunks.iter().map(|chunk| chunk.id).collect()
    }
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
                Content::File(file) => file.chunks,
                _ => Vec::new(),
            };
            let (no, node) = (row.try_get("", "no")?, row.try_get("", "node")?);
            Ok(Listed {
                no,
                node,
                version: version_id(row)?,
                space: space_id(row)?,
                chunks,
            })
        })
        .collect()
}

/// Forgets all that is known of packs and chunks.
pub(crate) async fn clear(txn: &Txn) -> Result<(), Error> {
    for text in [
        "DELETE FROM chunk_use",
        "DELETE FROM pin",
        "DELETE FROM chunk",
        "DELETE FROM pack",
        "UPDATE space_usage SET used = 0, marked = 0",
    ] {
        txn.execute_raw(sql(text, txn, [])).await?;
    }
    Ok(())
}

/// Indexes a pack as it was read from the disk.
pub(crate) async fn reindex(txn: &Txn, clock: &dyn Clock, pack: NewPack, chunks: &[NewChunk]) -> Result<(), Error> {
    chunk::insert(txn, clock, pack, chunks).await.map(drop)
}

/// The chunks that a version needs and that are not indexed, each once.
pub(crate) async fn missing(on: &impl ConnectionTrait, version: &Listed) -> Result<Vec<ChunkRef>, Error> {
    let found = chunk::find(on, version.space, &version.ids()).await?;
    let mut seen = HashSet::new();
    Ok(version
        .chunks
        .iter()
        .filter(|chunk| !found.contains_key(&chunk.id) && seen.insert(chunk.id))
        .copied()
        .collect())
}

/// Indexes chunks that are lost as damaged ones in a pack that is not there: what is uploaded again takes their place,
/// and every version that needs them reads again.
pub(crate) async fn index_lost(
    txn: &Txn,
    clock: &dyn Clock,
    pack: NewPack,
    space: SpaceId,
    chunks: &[ChunkRef],
) -> Result<(), Error> {
    let lost = |chunk: &ChunkRef| {
        let header = ChunkHeader {
            id: chunk.id,
            encoding: Encoding::Plain,
            len: chunk.len,
            stored_len: chunk.len,
        };
        NewChunk {
            space,
            header,
            start: RECORD_LEN as u64,
        }
    };
    chunk::insert(txn, clock, pack, &chunks.iter().map(lost).collect::<Vec<_>>()).await?;
    for chunks in chunks.chunks(BATCH) {
        let text = format!(
            "UPDATE chunk SET damaged_at = $1 WHERE space = $2 AND id IN ({})",
            places(3, chunks.len())
        );
        let values = [clock.now().0.into(), space.as_bytes().into()]
            .into_iter()
            .chain(chunks.iter().map(|chunk| chunk.id.as_bytes().into()));
        txn.execute_raw(sql(&text, txn, values)).await?;
    }
    Ok(())
}

/// Records anew which chunks a version needs.
pub(crate) async fn relink(txn: &Txn, version: &Listed) -> Result<(), Error> {
    let found = chunk::find(txn, version.space, &version.ids()).await?;
    insert_uses(txn, found.values().map(|place| (place.no, version.no)).collect()).await
}

/// Makes every machine ask anew what is missing.
pub(crate) async fn bump_epochs(txn: &Txn) -> Result<(), Error> {
    let text = format!("UPDATE source SET epoch = {}", super::source::NEXT_ERA);
    txn.execute_raw(sql(&text, txn, [])).await?;
    Ok(())
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
