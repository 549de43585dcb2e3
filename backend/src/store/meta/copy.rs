//! What a machine that copies a root is told: the root's commits as they were signed, the manifests that they name, and
//! where the chunks are that it may read.

use std::collections::{BTreeMap, HashMap};

use beckon_shared::{
    bulk::CommitRecord,
    id::{ChunkId, Hash, SpaceId, TransferId},
    signature::Signed,
    wire,
};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{
    BATCH, Error,
    chunk::{Place, place},
    places, sql,
};

/// Whose chunks may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// Those that versions of this root use: the row number of its source.
    Root(i64),
    /// Those that are pinned for this transfer.
    Transfer(TransferId),
}

/// That a version `v` of node `n` belongs to the root of row number `$1`: it came from there, or one of its commits made it.
const OF_ROOT: &str =
    "(n.source = $1 OR EXISTS (SELECT 1 FROM root_commit o WHERE o.no = v.root_commit AND o.source = $1))";

impl Within {
    /// That a chunk `c` is one of them, with the value `$1`.
    fn condition(self) -> (String, Value) {
        match self {
            Self::Root(source) => (
                format!(
                    "EXISTS (SELECT 1 FROM chunk_use u JOIN version v ON v.no = u.version JOIN node n ON n.no = v.node \
                     WHERE u.chunk = c.no AND {OF_ROOT})"
                ),
                source.into(),
            ),
            Self::Transfer(transfer) => (
                "EXISTS (SELECT 1 FROM pin WHERE pin.chunk = c.no AND pin.transfer = $1)".to_owned(),
                transfer.as_bytes().into(),
            ),
        }
    }
}

/// Where those of these chunks are that may be read and are sound.
pub(crate) async fn readable(
    on: &impl ConnectionTrait,
    space: SpaceId,
    within: Within,
    ids: &[ChunkId],
) -> Result<HashMap<ChunkId, Place>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    let (condition, bound) = within.condition();
    for ids in ids.chunks(BATCH) {
        let text = format!(
            "SELECT c.no, c.id, c.start, c.stored_len, c.len, c.encoding, p.id AS pack FROM chunk c JOIN pack p ON p.no = c.pack \
             WHERE c.space = $2 AND c.id IN ({}) AND c.damaged_at IS NULL AND {condition}",
            places(3, ids.len())
        );
        let values = [bound.clone(), space.as_bytes().into()]
            .into_iter()
            .chain(ids.iter().map(|id| id.as_bytes().into()));
        for row in on.query_all_raw(sql(&text, on, values)).await? {
            let place = place(&row)?;
            found.insert(place.header.id, place);
        }
    }
    Ok(found)
}

/// Commits that are looked at in one statement.
const COMMITS: u32 = 500;

/// A commit without its changes, and how long these are.
struct Outer {
    no: i64,
    number: i64,
    signed: Signed<beckon_shared::commit::Commit>,
    count: u64,
    len: usize,
}

/// The commits of a root after a number, in their order, until they are `budget` bytes long; at least one if there is any.
pub(crate) async fn commits(
    on: &impl ConnectionTrait,
    source: i64,
    after: u64,
    budget: usize,
) -> Result<Vec<CommitRecord>, Error> {
    let mut records = Vec::new();
    let (mut after, mut left) = (i64::try_from(after).unwrap_or(i64::MAX), budget);
    while left > 0 {
        let mut page = outer(on, source, after).await?;
        let is_last = page.len() < COMMITS as usize;
        let mut fits = |commit: &Outer| {
            let had = left;
            left = left.saturating_sub(commit.signed.bytes.len() + commit.len);
            had > 0
        };
        let count = page.iter().take_while(|commit| fits(commit)).count();
        page.truncate(count);
        after = page.last().map_or(after, |last| last.number);
        records.extend(with_changes(on, page).await?);
        if is_last {
            break;
        }
    }
    Ok(records)
}

async fn outer(on: &impl ConnectionTrait, source: i64, after: i64) -> Result<Vec<Outer>, Error> {
    let text = format!(
        "SELECT c.no, c.number, c.bytes, c.signature, \
         (SELECT COUNT(*) FROM commit_change x WHERE x.root_commit = c.no) AS count, \
         (SELECT COALESCE(SUM(LENGTH(x.bytes)), 0) FROM commit_change x WHERE x.root_commit = c.no) AS len \
         FROM root_commit c WHERE c.source = $1 AND c.number > $2 ORDER BY c.number LIMIT {COMMITS}"
    );
    let rows = on.query_all_raw(sql(&text, on, [source.into(), after.into()])).await?;
    rows.iter()
        .map(|row| {
            let (bytes, signature) = (row.try_get("", "bytes")?, row.try_get("", "signature")?);
            Ok(Outer {
                no: row.try_get("", "no")?,
                number: row.try_get("", "number")?,
                signed: Signed::kept(bytes, signature),
                count: row.try_get::<i64>("", "count")?.cast_unsigned(),
                len: length(row)?,
            })
        })
        .collect()
}

/// The commits with the encoded lists whose hashes stand in them: a list is its length and then its elements.
async fn with_changes(on: &impl ConnectionTrait, commits: Vec<Outer>) -> Result<Vec<CommitRecord>, Error> {
    let mut lists: BTreeMap<i64, Vec<u8>> = commits
        .iter()
        .map(|commit| (commit.no, wire::encode(&commit.count)))
        .collect();
    let nos: Vec<i64> = lists.keys().copied().collect();
    for nos in nos.chunks(BATCH) {
        let text = format!(
            "SELECT root_commit, bytes FROM commit_change WHERE root_commit IN ({}) ORDER BY root_commit, seq",
            places(1, nos.len())
        );
        for row in on
            .query_all_raw(sql(&text, on, nos.iter().map(|no| (*no).into())))
            .await?
        {
            let bytes: Vec<u8> = row.try_get("", "bytes")?;
            if let Some(list) = lists.get_mut(&row.try_get("", "root_commit")?) {
                list.extend_from_slice(&bytes);
            }
        }
    }
    let record = |commit: Outer| CommitRecord {
        changes: lists.remove(&commit.no).unwrap_or_default(),
        commit: commit.signed,
    };
    Ok(commits.into_iter().map(record).collect())
}

/// Manifests of versions of a root by their hashes, in the order asked, until they are `budget` bytes long; nothing in the
/// place of those that are kept no more. At least one is answered for.
pub(crate) async fn manifests(
    on: &impl ConnectionTrait,
    source: i64,
    hashes: &[Hash],
    budget: usize,
) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let versions = versions_of(on, source, hashes).await?;
    let mut left = budget;
    let mut fits = |hash: &&Hash| {
        let had = left;
        left = left.saturating_sub(versions.get(*hash).map_or(0, |(_, len)| *len));
        had > 0
    };
    let answered: Vec<&Hash> = hashes.iter().take_while(&mut fits).collect();
    let mut nos: Vec<i64> = answered
        .iter()
        .filter_map(|hash| Some(versions.get(*hash)?.0))
        .collect();
    nos.sort_unstable();
    nos.dedup();
    let mut bytes = HashMap::with_capacity(nos.len());
    for nos in nos.chunks(BATCH) {
        let text = format!(
            "SELECT version, bytes FROM manifest WHERE version IN ({})",
            places(1, nos.len())
        );
        for row in on
            .query_all_raw(sql(&text, on, nos.iter().map(|no| (*no).into())))
            .await?
        {
            bytes.insert(row.try_get::<i64>("", "version")?, row.try_get::<Vec<u8>>("", "bytes")?);
        }
    }
    let of = |hash: &Hash| bytes.get(&versions.get(hash)?.0).cloned();
    Ok(answered.into_iter().map(of).collect())
}

/// A version for each of these manifests, and the length of the manifest.
async fn versions_of(
    on: &impl ConnectionTrait,
    source: i64,
    hashes: &[Hash],
) -> Result<HashMap<Hash, (i64, usize)>, Error> {
    let mut found = HashMap::with_capacity(hashes.len());
    for hashes in hashes.chunks(BATCH) {
        let text = format!(
            "SELECT f.hash, f.no, LENGTH(m.bytes) AS len FROM (\
             SELECT v.manifest_hash AS hash, MAX(v.no) AS no FROM version v JOIN node n ON n.no = v.node \
             WHERE v.manifest_hash IN ({}) AND {OF_ROOT} GROUP BY v.manifest_hash) f JOIN manifest m ON m.version = f.no",
            places(2, hashes.len())
        );
        let values = std::iter::once(source.into()).chain(hashes.iter().map(|hash| hash.as_bytes().into()));
        for row in on.query_all_raw(sql(&text, on, values)).await? {
            let hash: Vec<u8> = row.try_get("", "hash")?;
            let hash = Hash::from_slice(&hash).map_err(|_| Error::bad_row("manifest hash"))?;
            found.insert(hash, (row.try_get("", "no")?, length(&row)?));
        }
    }
    Ok(found)
}

/// Of bytes in a row. PostgreSQL counts them in fewer bits than SQLite.
fn length(row: &QueryResult) -> Result<usize, Error> {
    let len = match row.try_get::<i64>("", "len") {
        Ok(len) => len,
        Err(_) => row.try_get::<i32>("", "len")?.into(),
    };
    usize::try_from(len).map_err(|_| Error::bad_row("length"))
}
