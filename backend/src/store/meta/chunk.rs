//! Where chunks are: indexing new ones, answering what is missing, pins.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use beckon_shared::{
    bulk::{ChunkHeader, Encoding},
    id::{ChunkId, SpaceId, TransferId},
};
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::{
    BATCH, Error, Meta, Txn,
    collect::{mark_unused, nos},
    numbers, places,
    space::{Growth, grow, grow_marked, growth_of, shrunk},
    sql,
};
use crate::{clock::Clock, fault, store::pack::PackId};

/// A pack that was just sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewPack {
    /// Its id.
    pub(crate) id: PackId,
    /// Its bytes.
    pub(crate) len: u64,
}

/// A chunk in a pack that was just sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewChunk {
    /// Whose it is.
    pub(crate) space: SpaceId,
    /// What it is.
    pub(crate) header: ChunkHeader,
    /// Where its stored bytes begin.
    pub(crate) start: u64,
}

/// Says for which transfer a new chunk is pinned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned {
    /// Its place in the list of new chunks.
    pub(crate) chunk: usize,
    /// The transfer.
    pub(crate) transfer: TransferId,
}

/// Where a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Row number of the chunk.
    pub(crate) no: i64,
    /// The pack.
    pub(crate) pack: PackId,
    /// Where its stored bytes begin.
    pub(crate) start: u64,
    /// What it is.
    pub(crate) header: ChunkHeader,
}

/// A sealed pack and what is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed<'a> {
    /// The pack.
    pub(crate) pack: NewPack,
    /// Its chunks.
    pub(crate) chunks: &'a [NewChunk],
    /// For which transfers they came.
    pub(crate) pins: &'a [Pinned],
}

/// Indexes sealed packs: when this returns well, their chunks are durable.
pub(crate) async fn index(meta: &Meta, clock: &dyn Clock, packs: &[Sealed<'_>]) -> Result<(), Error> {
    let txn = meta.write().await?;
    let mut is_unmarked = true;
    let mut pinned: BTreeMap<(SpaceId, TransferId), Vec<ChunkId>> = BTreeMap::new();
    for Sealed { pack, chunks, pins } in packs {
        is_unmarked &= insert(&txn, clock, *pack, chunks).await? == Came::AllNew;
        for pin in *pins {
            if let Some(chunk) = chunks.get(pin.chunk) {
                let ids = pinned.entry((chunk.space, pin.transfer)).or_default();
                ids.push(chunk.header.id);
            }
        }
    }
    for ((space, transfer), ids) in pinned {
        for ids in ids.chunks(BATCH) {
            pin_all(&txn, space, transfer, ids).await?;
            if !is_unmarked {
                unmark_all(&txn, space, ids).await?;
            }
        }
    }
    fault::point("chunks-inserted");
    txn.commit().await?;
    fault::point("chunks-indexed");
    Ok(())
}

/// Whether chunks that were inserted were known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// None of them, so nothing has marked them yet.
    AllNew,
    /// Some of them.
    SomeAgain,
}

/// Inserts a pack and its chunks; those that are stored elsewhere already stay where they are, unless they are damaged there.
pub(crate) async fn insert(txn: &Txn, clock: &dyn Clock, new: NewPack, chunks: &[NewChunk]) -> Result<Came, Error> {
    let first = numbers(txn, chunks.len() + 1).await?;
    let no = pack_row(txn, clock, new, first).await?;
    let mut next = first + 1;
    let (mut growth, mut count) = (Growth::default(), 0);
    for chunks in chunks.chunks(BATCH) {
        count += insert_chunks(txn, no, next, chunks, &mut growth).await?;
        next += i64::try_from(chunks.len()).map_err(|_| Error::bad_row("count"))?;
    }
    grow(txn, &growth).await?;
    Ok(match count == chunks.len() {
        true => Came::AllNew,
        false => Came::SomeAgain,
    })
}

/// The row number of a pack. It has one already if collection came upon its file before its own index row was there.
async fn pack_row(txn: &Txn, clock: &dyn Clock, new: NewPack, no: i64) -> Result<i64, Error> {
    let text = "INSERT INTO pack (no, id, bytes, created) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (id) DO UPDATE SET bytes = pack.bytes RETURNING no";
    let values = [
        no.into(),
        new.id.column().into(),
        new.len.cast_signed().into(),
        clock.now().0.into(),
    ];
    let row = txn.query_one_raw(sql(text, txn, values)).await?;
    Ok(row.ok_or_else(|| Error::bad_row("pack"))?.try_get("", "no")?)
}

/// The packs that hold any of these chunks by the index.
pub(crate) async fn holders(on: &impl ConnectionTrait, chunks: &[NewChunk]) -> Result<BTreeSet<PackId>, Error> {
    let mut packs = BTreeSet::new();
    for (space, ids) in by_space(chunks) {
        packs.extend(find(on, space, &ids).await?.into_values().map(|place| place.pack));
    }
    Ok(packs)
}

/// Indexes a pack that was found. Its chunks count where there is none, or one that is damaged or in a pack that is `lost`.
pub(crate) async fn adopt(
    meta: &Meta,
    clock: &dyn Clock,
    new: NewPack,
    chunks: &[NewChunk],
    lost: &[PackId],
) -> Result<(), Error> {
    let txn = meta.write().await?;
    for pack in lost {
        for (space, ids) in by_space(chunks) {
            for ids in ids.chunks(BATCH) {
                let text = format!(
                    "UPDATE chunk SET damaged_at = $1 WHERE pack = (SELECT no FROM pack WHERE id = $2) AND damaged_at IS NULL \
                     AND space = $3 AND id IN ({})",
                    places(4, ids.len())
                );
                let values = [clock.now().0.into(), pack.column().into()]
                    .into_iter()
                    .chain(ids_in(space, ids));
                txn.execute_raw(sql(&text, &txn, values)).await?;
            }
        }
    }
    insert(&txn, clock, new, chunks).await?;
    Ok(txn.commit().await?)
}

fn by_space(chunks: &[NewChunk]) -> BTreeMap<SpaceId, Vec<ChunkId>> {
    let mut ids: BTreeMap<SpaceId, Vec<ChunkId>> = BTreeMap::new();
    for chunk in chunks {
        ids.entry(chunk.space).or_default().push(chunk.header.id);
    }
    ids
}

/// The columns that [`insert_chunks`] fills.
const COLUMNS: usize = 8;

/// How many of them are new.
async fn insert_chunks(
    txn: &Txn,
    pack: i64,
    first: i64,
    chunks: &[NewChunk],
    growth: &mut Growth,
) -> Result<usize, Error> {
    let mut count = 0;
    let rows: Vec<String> = (0..chunks.len())
        .map(|row| format!("({},0,0)", places(row * COLUMNS + 1, COLUMNS)))
        .collect();
    let text = format!(
        "INSERT INTO chunk (no, space, id, pack, start, stored_len, len, encoding, suite, key_epoch) VALUES {} \
         ON CONFLICT (space, id) DO UPDATE SET pack = excluded.pack, start = excluded.start, stored_len = excluded.stored_len, \
         len = excluded.len, encoding = excluded.encoding, damaged_at = NULL WHERE chunk.damaged_at IS NOT NULL \
         RETURNING no, space, len",
        rows.join(",")
    );
    let values = (first..).zip(chunks).flat_map(|(no, chunk)| values_of(no, pack, chunk));
    for row in txn.query_all_raw(sql(&text, txn, values)).await? {
        // A damaged chunk that came again was counted before, and keeps its number.
        if row.try_get::<i64>("", "no")? >= first {
            count += 1;
            *growth.entry(row.try_get("", "space")?).or_default() += row.try_get::<i64>("", "len")?;
        }
    }
    Ok(count)
}

fn values_of(no: i64, pack: i64, chunk: &NewChunk) -> [Value; COLUMNS] {
    let header = &chunk.header;
    [
        no.into(),
        chunk.space.as_bytes().into(),
        header.id.as_bytes().into(),
        pack.into(),
        chunk.start.cast_signed().into(),
        i64::from(header.stored_len).into(),
        i64::from(header.len).into(),
        i64::from(header.encoding == Encoding::Zstd).into(),
    ]
}

/// Pins chunks for a transfer.
async fn pin_all(txn: &Txn, space: SpaceId, transfer: TransferId, ids: &[ChunkId]) -> Result<(), Error> {
    let text = format!(
        "INSERT INTO pin (chunk, transfer) SELECT no, $1 FROM chunk WHERE space = $2 AND id IN ({}) ON CONFLICT DO NOTHING",
        places(3, ids.len())
    );
    let values = [transfer.as_bytes().into(), space.as_bytes().into()]
        .into_iter()
        .chain(ids.iter().map(|id| id.as_bytes().into()));
    txn.execute_raw(sql(&text, txn, values)).await?;
    Ok(())
}

/// Ends the pins of chunks that a transfer needs no more, since versions use them.
pub(crate) async fn unpin_some(txn: &Txn, transfer: TransferId, chunks: &[Durable]) -> Result<(), Error> {
    for chunks in chunks.chunks(BATCH) {
        let text = format!(
            "DELETE FROM pin WHERE transfer = $1 AND chunk IN ({})",
            places(2, chunks.len())
        );
        let values = std::iter::once(transfer.as_bytes().into()).chain(chunks.iter().map(|chunk| chunk.no.into()));
        txn.execute_raw(sql(&text, txn, values)).await?;
    }
    Ok(())
}

/// Takes collection's mark off chunks.
async fn unmark_all(txn: &Txn, space: SpaceId, ids: &[ChunkId]) -> Result<(), Error> {
    let text = format!(
        "UPDATE chunk SET marked_at = NULL WHERE space = $1 AND id IN ({}) AND marked_at IS NOT NULL RETURNING space, len",
        places(2, ids.len())
    );
    let rows = txn.query_all_raw(sql(&text, txn, ids_in(space, ids))).await?;
    grow_marked(txn, &shrunk(growth_of(&rows)?)).await
}

fn ids_in<'a>(space: SpaceId, ids: &'a [ChunkId]) -> impl Iterator<Item = Value> + use<'a> {
    std::iter::once(space.as_bytes().into()).chain(ids.iter().map(|id| id.as_bytes().into()))
}

/// A durable chunk as [`durable`] finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Durable {
    /// Row number.
    pub(crate) no: i64,
    /// Bytes of content.
    pub(crate) len: u32,
    marked: bool,
}

/// Which of these chunks are durable and sound.
pub(crate) async fn durable(
    on: &impl ConnectionTrait,
    space: SpaceId,
    ids: &[ChunkId],
) -> Result<HashMap<ChunkId, Durable>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(BATCH) {
        let text = format!(
            "SELECT no, id, len, marked_at FROM chunk WHERE space = $1 AND id IN ({}) AND damaged_at IS NULL",
            places(2, ids.len())
        );
        for row in on.query_all_raw(sql(&text, on, ids_in(space, ids))).await? {
            let marked: Option<i64> = row.try_get("", "marked_at")?;
            let len = narrow(row.try_get("", "len")?)?;
            found.insert(
                chunk_id(&row)?,
                Durable {
                    no: row.try_get("", "no")?,
                    len,
                    marked: marked.is_some(),
                },
            );
        }
    }
    Ok(found)
}

/// Which of these chunks are stored, but damaged.
pub(crate) async fn damaged(
    on: &impl ConnectionTrait,
    space: SpaceId,
    ids: &[ChunkId],
) -> Result<HashSet<ChunkId>, Error> {
    let mut found = HashSet::new();
    for ids in ids.chunks(BATCH) {
        let text = format!(
            "SELECT id FROM chunk WHERE space = $1 AND id IN ({}) AND damaged_at IS NOT NULL",
            places(2, ids.len())
        );
        for row in on.query_all_raw(sql(&text, on, ids_in(space, ids))).await? {
            found.insert(chunk_id(&row)?);
        }
    }
    Ok(found)
}

/// Pins durable chunks for a transfer and takes collection's mark off them.
pub(crate) async fn pin(
    txn: &Txn,
    transfer: TransferId,
    chunks: impl IntoIterator<Item = Durable>,
) -> Result<(), Error> {
    let chunks: Vec<Durable> = chunks.into_iter().collect();
    for chunks in chunks.chunks(BATCH) {
        let rows: Vec<String> = (2..2 + chunks.len()).map(|place| format!("(${place},$1)")).collect();
        let text = format!(
            "INSERT INTO pin (chunk, transfer) VALUES {} ON CONFLICT DO NOTHING",
            rows.join(",")
        );
        let values = std::iter::once(transfer.as_bytes().into()).chain(chunks.iter().map(|chunk| chunk.no.into()));
        txn.execute_raw(sql(&text, txn, values)).await?;
    }
    unmark(txn, &chunks).await
}

/// Takes collection's mark off chunks.
pub(crate) async fn unmark(txn: &Txn, chunks: &[Durable]) -> Result<(), Error> {
    let marked: Vec<i64> = chunks
        .iter()
        .filter(|chunk| chunk.marked)
        .map(|chunk| chunk.no)
        .collect();
    for nos in marked.chunks(BATCH) {
        let text = format!(
            "UPDATE chunk SET marked_at = NULL WHERE no IN ({}) AND marked_at IS NOT NULL RETURNING space, len",
            places(1, nos.len())
        );
        let rows = txn
            .query_all_raw(sql(&text, txn, nos.iter().map(|no| (*no).into())))
            .await?;
        grow_marked(txn, &shrunk(growth_of(&rows)?)).await?;
    }
    Ok(())
}

/// Ends what a transfer has pinned, a few thousand at a time so that others get their turn. What nothing needs then, as after
/// a cancelled upload, is collected.
pub(crate) async fn unpin(meta: &Meta, clock: &dyn Clock, transfer: TransferId) -> Result<(), Error> {
    loop {
        let txn = meta.write().await?;
        let text = "DELETE FROM pin WHERE transfer = $1 AND chunk IN (SELECT chunk FROM pin WHERE transfer = $1 LIMIT 10000) \
            RETURNING chunk AS no";
        let let_go = nos(&txn, text, vec![transfer.as_bytes().into()]).await?;
        mark_unused(&txn, &let_go, clock.now().0).await?;
        txn.commit().await?;
        if let_go.len() < 10_000 {
            return Ok(());
        }
    }
}

/// Where these chunks are stored, damaged ones too.
pub(crate) async fn find(
    on: &impl ConnectionTrait,
    space: SpaceId,
    ids: &[ChunkId],
) -> Result<HashMap<ChunkId, Place>, Error> {
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(BATCH) {
        let text = format!(
            "SELECT c.no, c.id, c.start, c.stored_len, c.len, c.encoding, p.id AS pack FROM chunk c JOIN pack p ON p.no = c.pack \
             WHERE c.space = $1 AND c.id IN ({})",
            places(2, ids.len())
        );
        for row in on.query_all_raw(sql(&text, on, ids_in(space, ids))).await? {
            let place = place(&row)?;
            found.insert(place.header.id, place);
        }
    }
    Ok(found)
}

/// A place out of a row with the columns of [`find`].
pub(crate) fn place(row: &QueryResult) -> Result<Place, Error> {
    let encoding = if row.try_get::<i64>("", "encoding")? == 0 {
        Encoding::Plain
    } else {
        Encoding::Zstd
    };
    let header = ChunkHeader {
        id: chunk_id(row)?,
        encoding,
        len: narrow(row.try_get("", "len")?)?,
        stored_len: narrow(row.try_get("", "stored_len")?)?,
    };
    let pack: Vec<u8> = row.try_get("", "pack")?;
    Ok(Place {
        no: row.try_get("", "no")?,
        pack: PackId::from_slice(&pack).ok_or_else(|| Error::bad_row("pack id"))?,
        start: row.try_get::<i64>("", "start")?.cast_unsigned(),
        header,
    })
}

/// Notes that a chunk's stored bytes are damaged: it counts as missing from now on, and the machines that
/// can send it again are made to ask. One that is elsewhere by now was not what was read, and is left alone.
pub(crate) async fn mark_damaged(meta: &Meta, clock: &dyn Clock, place: &Place) -> Result<(), Error> {
    let txn = meta.write().await?;
    let text = "UPDATE chunk SET damaged_at = $1 WHERE no = $2 AND damaged_at IS NULL \
        AND start = $3 AND pack = (SELECT p.no FROM pack p WHERE p.id = $4)";
    let chunk = place.no;
    let values = [
        clock.now().0.into(),
        chunk.into(),
        place.start.cast_signed().into(),
        place.pack.column().into(),
    ];
    let marked = txn.execute_raw(sql(text, &txn, values)).await?;
    if marked.rows_affected() > 0 {
        let text = "UPDATE source SET epoch = epoch + 1 WHERE no IN (SELECT n.source FROM chunk_use u \
            JOIN version v ON v.no = u.version JOIN node n ON n.no = v.node WHERE u.chunk = $1)";
        txn.execute_raw(sql(text, &txn, [chunk.into()])).await?;
    }
    Ok(txn.commit().await?)
}

fn chunk_id(row: &QueryResult) -> Result<ChunkId, Error> {
    let id: Vec<u8> = row.try_get("", "id")?;
    ChunkId::from_slice(&id).map_err(|_| Error::bad_row("chunk id"))
}

fn narrow(value: i64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::bad_row("length"))
}
