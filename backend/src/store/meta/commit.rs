//! Applying a commit: nodes, versions and their use of chunks, all in one transaction, or nothing of it.

use std::collections::{BTreeMap, HashMap};

use beckon_shared::{
    commit::ChainHead,
    error::ErrorCode,
    id::{ChunkId, Hash},
    path::Name,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    BATCH, Error, Meta, Txn,
    chunk::{self, Durable},
    entity::{Kind, commit_change, node, root_commit, source},
    numbers,
    shift::{self, Shifts},
    source as sources,
    space::{self, RECORD},
    sql,
    tree::{Binding, Tree, with_folders},
    version::{Fresh, Head, Written, heads, kind_of},
};
use crate::{
    access::{Opens, TransferAccess},
    clock::Clock,
    fault,
    store::{
        commit::{CheckedCommit, CheckedManifest},
        sabotage::sabotage,
    },
};

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in, and this is the space's new revision; nothing where it was in before.
    Committed(ChainHead, Option<u64>),
    /// Another one is the newest.
    Behind(ChainHead),
    /// These chunks are not durable.
    Missing(Vec<ChunkId>),
}

/// Applies a commit.
pub(crate) async fn apply(
    meta: &Meta,
    clock: &dyn Clock,
    access: &TransferAccess,
    checked: &CheckedCommit,
) -> Result<Outcome, Error> {
    let txn = meta.write().await?;
    let space = access.granted();
    // First of all, since it locks the space: nobody deletes or moves a folder that this commit writes into.
    let revision = space::bump_revision(&txn, &space).await?;
    let found = sources::find(&txn, &space, access.device, access.root).await?;
    let source = found.ok_or_else(not_begun)?;
    let next = ChainHead {
        number: checked.commit.number,
        hash: checked.hash,
    };
    let head = sources::head(&source)?;
    if next.number <= head.number && is_recorded(&txn, &source, &next).await? {
        return Ok(Outcome::Committed(next, None));
    }
    if !follows(&head, checked) {
        return Ok(Outcome::Behind(head));
    }
    let chunks = match all_durable(&txn, access, checked).await? {
        Ok(chunks) => chunks,
        Err(missing) => return Ok(Outcome::Missing(missing)),
    };
    let is_shift = !checked.shifts.is_empty();
    let source = match is_shift {
        true => source,
        false => live_source(&txn, clock, access, source).await?,
    };
    let application = Application {
        txn: &txn,
        clock,
        access,
        checked,
        source: &source,
        chunks,
    };
    let added = match is_shift {
        true => application.shift().await?,
        false => application.put().await?,
    };
    if !advance(&txn, &source, &head, &next).await? {
        return Ok(Outcome::Behind(head));
    }
    space::record(&txn, space.column(), added).await?;
    if !is_shift {
        space::check_quota(&txn, access.space).await?;
    }
    fault::point("commit-applied");
    txn.commit().await?;
    fault::point("commit-committed");
    Ok(Outcome::Committed(next, Some(revision)))
}

/// Whether a commit was made on top of this one.
fn follows(head: &ChainHead, checked: &CheckedCommit) -> bool {
    sabotage!(NoCompare => return true);
    checked.commit.number == head.number + 1 && checked.commit.parent == head.hash
}

fn not_begun() -> Error {
    Error::refused(
        ErrorCode::Conflict,
        "this root has no folder in the drive; begin the transfer again",
    )
}

async fn is_recorded(txn: &Txn, source: &source::Model, head: &ChainHead) -> Result<bool, Error> {
    let row = root_commit::Entity::find()
        .filter(root_commit::Column::Source.eq(source.no))
        .filter(root_commit::Column::Number.eq(head.number.cast_signed()))
        .filter(root_commit::Column::Hash.eq(head.hash.as_bytes()));
    Ok(row.one(txn).await?.is_some())
}

/// The chunks of a commit if all of them are durable, else those that are not.
///
/// They need no pin of this transfer: their use is recorded in the same transaction as they are looked up.
async fn all_durable(
    txn: &Txn,
    access: &TransferAccess,
    checked: &CheckedCommit,
) -> Result<Result<HashMap<ChunkId, Durable>, Vec<ChunkId>>, Error> {
    let wanted = checked.chunks();
    let ids: Vec<ChunkId> = wanted.iter().map(|(id, _)| *id).collect();
    let durable = chunk::durable(txn, access.space, &ids).await?;
    let missing: Vec<ChunkId> = ids.into_iter().filter(|id| !durable.contains_key(id)).collect();
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    if wanted
        .iter()
        .any(|(id, len)| durable.get(id).is_some_and(|chunk| chunk.len != *len))
    {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "a manifest names a chunk with a wrong length; update the agent",
        ));
    }
    Ok(Ok(durable))
}

/// The root with its folder; makes it anew if somebody deleted it, or moved it into `Files`, since the transfer began.
async fn live_source(
    txn: &Txn,
    clock: &dyn Clock,
    access: &TransferAccess,
    source: source::Model,
) -> Result<source::Model, Error> {
    if sources::is_reached(txn, &source, source.folder).await? {
        return Ok(source);
    }
    let folder = node::Entity::find_by_id(source.folder)
        .one(txn)
        .await?
        .ok_or_else(not_begun)?;
    let above = match folder.parent {
        Some(parent) => node::Entity::find_by_id(parent).one(txn).await?,
        None => None,
    };
    let name = |bytes: &[u8]| Name::new(bytes).map_err(|_| Error::bad_row("name"));
    let root_name = name(&folder.name)?;
    let machine = above.map_or_else(|| Ok(root_name.clone()), |above| name(&above.name))?;
    let place = sources::Place {
        space: &access.granted(),
        device: access.device,
        machine,
        root: access.root,
        root_name,
    };
    sources::ensure(txn, clock, &place).await
}

/// Moves the head by compare-and-set.
async fn advance(txn: &Txn, source: &source::Model, from: &ChainHead, to: &ChainHead) -> Result<bool, Error> {
    let text =
        "UPDATE source SET head_number = $1, head_hash = $2 WHERE no = $3 AND head_number = $4 AND head_hash = $5";
    let values = [
        to.number.cast_signed().into(),
        to.hash.as_bytes().into(),
        source.no.into(),
        from.number.cast_signed().into(),
        from.hash.as_bytes().into(),
    ];
    Ok(txn.execute_raw(sql(text, txn, values)).await?.rows_affected() == 1)
}

/// A commit that fits, being written.
struct Application<'a> {
    txn: &'a Txn,
    clock: &'a dyn Clock,
    access: &'a TransferAccess,
    checked: &'a CheckedCommit,
    source: &'a source::Model,
    chunks: HashMap<ChunkId, Durable>,
}

impl Application<'_> {
    /// Removes and moves; by how many bytes the database grows, as quotas count.
    async fn shift(&self) -> Result<i64, Error> {
        if Binding::of(self.source)? != Binding::Entry {
            return Err(not_begun());
        }
        let shifts = &self.checked.shifts;
        let commit = numbers(self.txn, 1 + shift::folders_of(shifts)).await?;
        self.record(commit).await?;
        self.record_changes(commit, shifts.iter().map(|shift| (&shift.bytes, None)).collect())
            .await?;
        // Where a person deleted the root's folder, nothing is there.
        let made = match sources::is_reached(self.txn, self.source, self.source.folder).await? {
            true => {
                Shifts::new(self.txn, self.clock, self.source, commit + 1)
                    .apply(shifts)
                    .await?
            }
            false => 0,
        };
        let bytes = shifts.iter().map(|shift| shift.bytes.len()).sum();
        Ok(RECORD * count(made)? + count(bytes)?)
    }

    /// Writes what it puts; by how many bytes the database grows, as quotas count.
    async fn put(&self) -> Result<i64, Error> {
        let puts = || {
            self.checked
                .changes
                .iter()
                .filter_map(|change| Some((change.path.clone(), kind_of(&self.manifest(&change.put)?.manifest))))
        };
        let binding = Binding::of(self.source)?;
        if binding == Binding::Name && puts().any(|(path, _)| path.is_root()) {
            return Err(Error::refused(
                ErrorCode::BadRequest,
                "the folder Files is the server's own; commit what goes into it",
            ));
        }
        let wanted = with_folders(puts());
        if puts().any(|(path, kind)| wanted.get(&path) != Some(&kind) || (path.is_root() && kind != Kind::Folder)) {
            return Err(Error::refused(
                ErrorCode::BadRequest,
                "a path is a file and holds others; scan the folder again",
            ));
        }
        let first = numbers(self.txn, wanted.len() + self.checked.changes.len() + 1).await?;
        let commit = first;
        let first_version = first + 1;
        let first_node = first_version + count(self.checked.changes.len())?;
        let mut tree = Tree::new(self.txn, self.clock, self.source, binding, first_node);
        tree.find(&wanted).await?;
        tree.make_missing(&wanted).await?;
        let written = self
            .decide(&mut tree, Written::new(binding, self.access.device), first_version)
            .await?;
        let made = tree.made();
        tree.write().await?;
        self.record(commit).await?;
        written
            .write(self.txn, self.clock, commit, self.access, &self.chunks)
            .await?;
        if binding == Binding::Name {
            sources::outdate(self.txn, &written.changed()).await?;
        }
        let chunks: Vec<Durable> = self.chunks.values().copied().collect();
        chunk::unmark(self.txn, &chunks).await?;
        if self.access.opens == Opens::Watch {
            // It has no end at which its pins would go; what versions use needs none.
            chunk::unpin_some(self.txn, self.access.transfer, &chunks).await?;
        }
        let changes = self.checked.changes.iter().enumerate();
        let changes = changes.map(|(seq, change)| (&change.bytes, written.version_of(seq)));
        self.record_changes(commit, changes.collect()).await?;
        let changes = self.checked.changes.iter().map(|change| change.bytes.len()).sum();
        Ok(RECORD * count(made)? + written.record_len()? + count(changes)?)
    }

    fn manifest(&self, hash: &Hash) -> Option<&CheckedManifest> {
        self.checked.manifests.get(hash)
    }

    /// Compares each change with the head that is there.
    async fn decide<'c>(
        &'c self,
        tree: &mut Tree<'_>,
        mut written: Written<'c>,
        first_version: i64,
    ) -> Result<Written<'c>, Error> {
        let bound = self
            .checked
            .changes
            .iter()
            .filter_map(|change| tree.get(&change.path)?.head);
        let heads: BTreeMap<i64, Head> = heads(self.txn, bound.collect()).await?;
        for (seq, change) in self.checked.changes.iter().enumerate() {
            let put = self.manifest(&change.put).ok_or_else(|| Error::bad_row("manifest"))?;
            let bound = tree.get(&change.path).ok_or_else(|| Error::bad_row("bound path"))?;
            let fresh = Fresh {
                no: first_version + count(seq)?,
                node: bound.no,
                seq,
                hash: change.put,
                put,
            };
            let head = bound.head.and_then(|no| heads.get(&no));
            if written.take(self.txn, fresh, bound, head).await? {
                tree.set_head(bound.no, first_version + count(seq)?);
            }
        }
        Ok(written)
    }

    async fn record(&self, no: i64) -> Result<(), Error> {
        let row = root_commit::ActiveModel {
            no: Set(no),
            source: Set(self.source.no),
            number: Set(self.checked.commit.number.cast_signed()),
            hash: Set(self.checked.hash.as_bytes().to_vec()),
            bytes: Set(self.checked.signed.bytes.clone()),
            signature: Set(self.checked.signed.signature.clone()),
            at: Set(self.clock.now().0),
        };
        root_commit::Entity::insert(row)
            .exec_without_returning(self.txn)
            .await?;
        Ok(())
    }

    /// The changes as they came, each with the version that it made or confirmed.
    async fn record_changes(&self, commit: i64, changes: Vec<(&Vec<u8>, Option<i64>)>) -> Result<(), Error> {
        for (batch, changes) in changes.chunks(BATCH).enumerate() {
            let rows = changes
                .iter()
                .enumerate()
                .map(|(at, (bytes, version))| commit_change::ActiveModel {
                    root_commit: Set(commit),
                    seq: Set((batch * BATCH + at) as i64),
                    bytes: Set((*bytes).clone()),
                    version: Set(*version),
                });
            commit_change::Entity::insert_many(rows)
                .exec_without_returning(self.txn)
                .await?;
        }
        Ok(())
    }
}

fn count(len: usize) -> Result<i64, Error> {
    i64::try_from(len).map_err(|_| Error::bad_row("count"))
}
