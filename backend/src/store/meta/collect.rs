//! What collection asks and changes: marks, unused chunks, packs that are empty, sparse or small, stale pins.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, Value};

use super::{
    BATCH, Error, Meta, Txn,
    chunk::{NewPack, Place, place},
    numbers, places,
    space::{grow, grow_marked, growth_of, shrunk},
    sql,
};
use crate::{
    clock::Clock,
    store::{pack::PackId, sabotage::sabotage},
};

/// That nothing needs a chunk `c`.
const UNUSED: &str = "NOT EXISTS (SELECT 1 FROM chunk_use u WHERE u.chunk = c.no) AND NOT EXISTS (SELECT 1 FROM pin p WHERE p.chunk = c.no)";

/// A pack with what of it is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackFill {
    /// Row number.
    pub(crate) no: i64,
    /// Its id.
    pub(crate) id: PackId,
    /// Its length.
    pub(crate) len: u64,
    /// Chunks that are indexed in it.
    pub(crate) chunks: u64,
    /// Those of them that are sound.
    pub(crate) sound: u64,
    /// Stored bytes of the sound ones.
    pub(crate) live: u64,
    /// When it was sealed, or when what it held was last copied elsewhere.
    pub(crate) created: i64,
}

/// Chunks that nothing needs and that have no mark yet.
pub(crate) async fn to_mark(on: &impl ConnectionTrait, limit: u32) -> Result<Vec<i64>, Error> {
    let text = format!("SELECT c.no FROM chunk c WHERE c.marked_at IS NULL AND {UNUSED} LIMIT {limit}");
    nos(on, &text, vec![]).await
}

/// Chunks that were marked before a moment and that nothing needs.
pub(crate) async fn to_delete(on: &impl ConnectionTrait, marked_before: i64, limit: u32) -> Result<Vec<i64>, Error> {
    let text = format!("SELECT c.no FROM chunk c WHERE c.marked_at <= $1 AND {UNUSED} LIMIT {limit}");
    nos(on, &text, vec![marked_before.into()]).await
}

pub(super) async fn nos(on: &impl ConnectionTrait, text: &str, values: Vec<Value>) -> Result<Vec<i64>, Error> {
    let rows = on.query_all_raw(sql(text, on, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "no")?)).collect()
}

/// Marks those of these chunks that still nothing needs.
pub(crate) async fn mark(meta: &Meta, nos: &[i64], now: i64) -> Result<u64, Error> {
    let mut marked = 0;
    // One short transaction for each few hundred rows, so that uploads get their turn.
    for nos in nos.chunks(BATCH) {
        let txn = meta.write().await?;
        marked += mark_unused(&txn, nos, now).await?;
        txn.commit().await?;
    }
    Ok(marked)
}

/// Marks those of these chunks that nothing needs, in the transaction that let go of them.
pub(super) async fn mark_unused(txn: &Txn, nos: &[i64], now: i64) -> Result<u64, Error> {
    let mut marked = 0;
    for nos in nos.chunks(BATCH) {
        let text = format!(
            "UPDATE chunk AS c SET marked_at = {now} WHERE c.marked_at IS NULL AND {UNUSED} AND c.no IN ({}) RETURNING space, len",
            places(1, nos.len())
        );
        let rows = txn
            .query_all_raw(sql(&text, txn, nos.iter().map(|no| (*no).into())))
            .await?;
        grow_marked(txn, &growth_of(&rows)?).await?;
        marked += rows.len() as u64;
    }
    Ok(marked)
}

/// Deletes those of these chunks that still nothing needs and whose mark is still old enough.
pub(crate) async fn delete(meta: &Meta, nos: &[i64], marked_before: i64) -> Result<u64, Error> {
    let mut deleted = 0;
    for nos in nos.chunks(BATCH) {
        let txn = meta.write().await?;
        let text = format!(
            "DELETE FROM chunk AS c WHERE c.marked_at <= {marked_before} AND {UNUSED} AND c.no IN ({}) RETURNING space, len",
            places(1, nos.len())
        );
        let rows = txn
            .query_all_raw(sql(&text, &txn, nos.iter().map(|no| (*no).into())))
            .await?;
        let growth = shrunk(growth_of(&rows)?);
        grow(&txn, &growth).await?;
        grow_marked(&txn, &growth).await?;
        txn.commit().await?;
        deleted += rows.len() as u64;
    }
    Ok(deleted)
}

/// Ends the pins of transfers that are over or gone, and of watches that have committed all that they found: what is left
/// of them are chunks of files that changed again before their commit.
pub(crate) async fn release_stale_pins(meta: &Meta) -> Result<u64, Error> {
    let txn = meta.write().await?;
    let text = format!("DELETE FROM pin WHERE {}", stale());
    let released = txn.execute_raw(sql(&text, &txn, [])).await?.rows_affected();
    txn.commit().await?;
    Ok(released)
}

/// That nobody needs a pin.
fn stale() -> &'static str {
    sabotage!(CollectAlways => return "1 = 1");
    "transfer NOT IN (SELECT id FROM transfer WHERE ended IS NULL AND (task <> 'watch' OR hold <> 'current'))"
}

/// All packs, with what of each is needed.
pub(crate) async fn packs(on: &impl ConnectionTrait) -> Result<Vec<PackFill>, Error> {
    let text = "SELECT p.no, p.id, p.bytes, p.created, COUNT(c.no) AS chunks, COUNT(s.no) AS sound, CAST(COALESCE(SUM(s.stored_len), 0) AS BIGINT) AS live \
        FROM pack p LEFT JOIN chunk c ON c.pack = p.no LEFT JOIN chunk s ON s.no = c.no AND s.damaged_at IS NULL \
        GROUP BY p.no, p.id, p.bytes, p.created ORDER BY p.no";
    let rows = on.query_all_raw(sql(text, on, [])).await?;
    rows.iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("", "id")?;
            let number = |column: &str| -> Result<u64, Error> { Ok(row.try_get::<i64>("", column)?.cast_unsigned()) };
            Ok(PackFill {
                no: row.try_get("", "no")?,
                id: PackId::from_slice(&id).ok_or_else(|| Error::bad_row("pack id"))?,
                len: number("bytes")?,
                chunks: number("chunks")?,
                sound: number("sound")?,
                live: number("live")?,
                created: row.try_get("", "created")?,
            })
        })
        .collect()
}

/// A chunk of a pack, with its space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Whose it is.
    pub(crate) space: beckon_shared::id::SpaceId,
    /// Where it is.
    pub(crate) place: Place,
}

/// What of a pack is needed and sound, in the order of its bytes.
pub(crate) async fn chunks_of(on: &impl ConnectionTrait, pack: i64) -> Result<Vec<Kept>, Error> {
    let text = "SELECT c.no, c.space, c.id, c.start, c.stored_len, c.len, c.encoding, p.id AS pack FROM chunk c JOIN pack p ON p.no = c.pack \
        WHERE c.pack = $1 AND c.damaged_at IS NULL ORDER BY c.start";
    let rows = on.query_all_raw(sql(text, on, [pack.into()])).await?;
    rows.iter()
        .map(|row| {
            let space: Vec<u8> = row.try_get("", "space")?;
            let space = beckon_shared::id::SpaceId::from_slice(&space).map_err(|_| Error::bad_row("space id"))?;
            Ok(Kept {
                space,
                place: place(row)?,
            })
        })
        .collect()
}

/// A chunk that was copied into a new pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    /// Row number of the chunk.
    pub(crate) chunk: i64,
    /// Where it was: if it is elsewhere by now, it stays there.
    pub(crate) from: i64,
    /// Where its stored bytes begin in the new pack.
    pub(crate) start: u64,
}

/// Points chunks to a new pack that is sealed.
pub(crate) async fn move_chunks(meta: &Meta, clock: &dyn Clock, new: NewPack, moves: &[Move]) -> Result<(), Error> {
    let txn = meta.write().await?;
    let no = numbers(&txn, 1).await?;
    let text = "INSERT INTO pack (no, id, bytes, created) VALUES ($1, $2, $3, $4)";
    let values = [
        no.into(),
        new.id.column().into(),
        new.len.cast_signed().into(),
        clock.now().0.into(),
    ];
    txn.execute_raw(sql(text, &txn, values)).await?;
    for moved in moves {
        let text = "UPDATE chunk SET pack = $1, start = $2 WHERE no = $3 AND pack = $4";
        let values = [
            no.into(),
            moved.start.cast_signed().into(),
            moved.chunk.into(),
            moved.from.into(),
        ];
        txn.execute_raw(sql(text, &txn, values)).await?;
    }
    // Their files stay for a while: a back-up of the database that is older than this needs them.
    for from in moves.iter().map(|moved| moved.from).collect::<BTreeSet<i64>>() {
        let text = "UPDATE pack SET created = $1 WHERE no = $2";
        txn.execute_raw(sql(text, &txn, [clock.now().0.into(), from.into()]))
            .await?;
    }
    Ok(txn.commit().await?)
}

/// Forgets those of these packs in which nothing is indexed, and returns them: their bytes may go.
pub(crate) async fn forget_empty(meta: &Meta, packs: &[PackFill]) -> Result<Vec<PackId>, Error> {
    let mut forgotten = Vec::new();
    for packs in packs.chunks(BATCH) {
        let txn = meta.write().await?;
        for pack in packs {
            if forget(&txn, pack.no).await? {
                forgotten.push(pack.id);
            }
        }
        txn.commit().await?;
    }
    Ok(forgotten)
}

async fn forget(txn: &Txn, pack: i64) -> Result<bool, Error> {
    let text = "DELETE FROM pack WHERE no = $1 AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.pack = pack.no)";
    Ok(txn.execute_raw(sql(text, txn, [pack.into()])).await?.rows_affected() == 1)
}
