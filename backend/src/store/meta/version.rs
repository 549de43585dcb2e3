//! Versions: comparing what comes with the head that is there, and writing what is new.

use std::collections::{BTreeMap, HashMap, HashSet};

use beckon_shared::{
    error::ErrorCode,
    id::{ChunkId, DeviceId, Hash, NodeId, VersionId},
    manifest::{Content, FileContent, Manifest},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Select, sea_query::OnConflict,
};

use super::{
    BATCH, Error, Txn,
    chunk::Durable,
    entity::{Kind, chunk_use, manifest, version},
    places,
    space::RECORD,
    sql,
    tree::{Binding, Bound},
};
use crate::{
    access::{GrantedSpace, TransferAccess},
    clock::{Clock, random},
    store::commit::CheckedManifest,
};

/// What a manifest is of.
pub(crate) fn kind_of(manifest: &Manifest) -> Kind {
    match manifest.content {
        Content::Folder => Kind::Folder,
        Content::File(_) => Kind::File,
        Content::Symlink(_) => Kind::Symlink,
    }
}

/// What is compared of a head.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Head {
    no: i64,
    /// Nothing where a person made an older version the newest again.
    root_commit: Option<i64>,
    manifest_hash: Vec<u8>,
    kind: Kind,
    mode: i64,
    mtime_ns: i64,
    size: i64,
    hash: Option<Vec<u8>>,
    crc32: Option<i64>,
    torn: bool,
}

/// The heads with these row numbers.
pub(crate) async fn heads(txn: &Txn, nos: Vec<i64>) -> Result<BTreeMap<i64, Head>, Error> {
    let mut heads = BTreeMap::new();
    for nos in nos.chunks(BATCH) {
        let found = compared().filter(version::Column::No.is_in(nos.iter().copied()));
        heads.extend(
            found
                .into_model::<Head>()
                .all(txn)
                .await?
                .into_iter()
                .map(|head| (head.no, head)),
        );
    }
    Ok(heads)
}

fn compared() -> Select<version::Entity> {
    use version::Column::{Crc32, Hash, Kind, ManifestHash, Mode, MtimeNs, No, RootCommit, Size, Torn};
    let columns = [
        No,
        RootCommit,
        ManifestHash,
        Kind,
        Mode,
        MtimeNs,
        Size,
        Hash,
        Crc32,
        Torn,
    ];
    version::Entity::find().select_only().columns(columns)
}

/// A version that may be new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh<'a> {
    /// The row number that it gets if it is.
    pub(crate) no: i64,
    /// The node.
    pub(crate) node: i64,
    /// The change's place in the commit.
    pub(crate) seq: usize,
    /// Of the manifest.
    pub(crate) hash: Hash,
    /// The manifest.
    pub(crate) put: &'a CheckedManifest,
}

/// What a commit does to versions.
#[derive(Debug)]
pub(crate) struct Written<'a> {
    binding: Binding,
    device: DeviceId,
    /// New versions.
    new: Vec<Fresh<'a>>,
    /// Heads whose content stays while their stamp changes: `no` is the head's own.
    restamped: Vec<Fresh<'a>>,
    /// Versions that stay as they are, heads nearly all: `no` is the version's own.
    confirmed: Vec<Fresh<'a>>,
    /// Nodes that were there before and whose head moves to their newest version.
    moved: Vec<(i64, Kind)>,
    /// The version that each change made or confirmed.
    by_seq: HashMap<usize, i64>,
}

/// What is to be done with a version that comes.
enum Verdict {
    New,
    Restamp,
    Nothing,
}

impl<'a> Written<'a> {
    /// Nothing yet, of a root of this device whose paths find their nodes in this way.
    pub(crate) fn new(binding: Binding, device: DeviceId) -> Self {
        Self {
            binding,
            device,
            new: Vec::new(),
            restamped: Vec::new(),
            confirmed: Vec::new(),
            moved: Vec::new(),
            by_seq: HashMap::new(),
        }
    }

    /// Decides what becomes of a version; true if it is the head of a node that this commit makes.
    pub(crate) async fn take(
        &mut self,
        txn: &Txn,
        fresh: Fresh<'a>,
        bound: Bound,
        head: Option<&Head>,
    ) -> Result<bool, Error> {
        let manifest = &fresh.put.manifest;
        let (verdict, same_as) = self.judge(txn, &fresh, head).await?;
        match verdict {
            // The stamp of a version is its device's own, and by name a path may find what came from another one.
            Verdict::Restamp if self.binding == Binding::Name => self.confirmed.push(Fresh { no: same_as, ..fresh }),
            Verdict::Nothing => self.confirmed.push(Fresh { no: same_as, ..fresh }),
            Verdict::Restamp => self.restamped.push(Fresh { no: same_as, ..fresh }),
            Verdict::New => {
                self.new.push(fresh);
                self.by_seq.insert(fresh.seq, fresh.no);
                // A torn version never takes the place of a whole one.
                let moves = !is_torn(manifest) || head.is_none_or(|head| head.torn);
                if moves && !bound.is_new {
                    self.moved.push((fresh.node, kind_of(manifest)));
                }
                return Ok(moves && bound.is_new);
            }
        }
        self.by_seq.insert(fresh.seq, same_as);
        Ok(false)
    }

    /// What is to be done with a version, and the row number of the one that says the same; its own where it is new.
    async fn judge(&self, txn: &Txn, fresh: &Fresh<'a>, head: Option<&Head>) -> Result<(Verdict, i64), Error> {
        let Some(head) = head else {
            return Ok((Verdict::New, fresh.no));
        };
        let by_head = verdict(txn, fresh, head).await?;
        if !matches!(by_head, Verdict::New) {
            return Ok((by_head, head.no));
        }
        // A person chose this head: it stays until something changes at the machine. What is put in by hand was chosen later.
        if head.root_commit.is_none() && self.binding == Binding::Entry {
            let last = last_from(txn, fresh.node, self.device).await?;
            if let Some(last) = last {
                let by_last = verdict(txn, fresh, &last).await?;
                if !matches!(by_last, Verdict::New) {
                    return Ok((by_last, last.no));
                }
            }
        }
        Ok((Verdict::New, fresh.no))
    }

    /// The version that a change made or confirmed.
    pub(crate) fn version_of(&self, seq: usize) -> Option<i64> {
        self.by_seq.get(&seq).copied()
    }

    /// The nodes that get a new version.
    pub(crate) fn changed(&self) -> Vec<i64> {
        self.new.iter().map(|fresh| fresh.node).collect()
    }

    /// What the new versions count for in bytes.
    pub(crate) fn record_len(&self) -> Result<i64, Error> {
        let lens = self.new.iter().map(|fresh| i64::try_from(fresh.put.bytes.len()));
        let lens: i64 = lens.sum::<Result<_, _>>().map_err(|_| Error::bad_row("length"))?;
        Ok(lens + RECORD * i64::try_from(self.new.len()).map_err(|_| Error::bad_row("count"))?)
    }

    /// Writes all of it.
    pub(crate) async fn write(
        &self,
        txn: &Txn,
        clock: &dyn Clock,
        commit: i64,
        access: &TransferAccess,
        chunks: &HashMap<ChunkId, Durable>,
    ) -> Result<(), Error> {
        self.insert(txn, clock, commit, access).await?;
        self.restamp(txn).await?;
        // Also of what stays as it is: a chunk that was lost and came again is not known to be used by it any more.
        let uses = self
            .new
            .iter()
            .chain(&self.restamped)
            .chain(&self.confirmed)
            .flat_map(|fresh| uses(fresh, chunks));
        insert_uses(txn, uses.collect()).await?;
        self.move_heads(txn).await
    }

    async fn insert(&self, txn: &Txn, clock: &dyn Clock, commit: i64, access: &TransferAccess) -> Result<(), Error> {
        let now = clock.now();
        for new in self.new.chunks(BATCH) {
            let rows = new.iter().map(|fresh| version::ActiveModel {
                id: Set(VersionId::new(now, random(clock)).as_bytes().to_vec()),
                root_commit: Set(Some(commit)),
                device: Set(Some(access.device.as_bytes().to_vec())),
                created: Set(now.0),
                ..described(fresh)
            });
            version::Entity::insert_many(rows).exec_without_returning(txn).await?;
            let rows = new.iter().map(|fresh| manifest::ActiveModel {
                version: Set(fresh.no),
                bytes: Set(fresh.put.bytes.clone()),
            });
            manifest::Entity::insert_many(rows).exec_without_returning(txn).await?;
        }
        Ok(())
    }

    async fn restamp(&self, txn: &Txn) -> Result<(), Error> {
        for fresh in &self.restamped {
            version::Entity::update(described(fresh))
                .exec_without_returning(txn)
                .await?;
            let row = manifest::ActiveModel {
                version: Set(fresh.no),
                bytes: Set(fresh.put.bytes.clone()),
            };
            manifest::Entity::update(row).exec_without_returning(txn).await?;
        }
        Ok(())
    }

    async fn move_heads(&self, txn: &Txn) -> Result<(), Error> {
        for kind in [Kind::Folder, Kind::File, Kind::Symlink] {
            let nodes: Vec<i64> = self
                .moved
                .iter()
                .filter(|moved| moved.1 == kind)
                .map(|moved| moved.0)
                .collect();
            for nodes in nodes.chunks(BATCH) {
                let text = format!(
                    "UPDATE node SET kind = {}, head = (SELECT MAX(v.no) FROM version v WHERE v.node = node.no) WHERE no IN ({})",
                    kind as i64,
                    places(1, nodes.len())
                );
                txn.execute_raw(sql(&text, txn, nodes.iter().map(|no| (*no).into())))
                    .await?;
            }
        }
        Ok(())
    }
}

/// The newest version of a node that a commit of a device brought.
async fn last_from(txn: &Txn, node: i64, device: DeviceId) -> Result<Option<Head>, Error> {
    let found = compared()
        .filter(version::Column::Node.eq(node))
        .filter(version::Column::Device.eq(device.as_bytes()))
        .filter(version::Column::RootCommit.is_not_null())
        .order_by_desc(version::Column::No);
    Ok(found.into_model::<Head>().one(txn).await?)
}

async fn verdict(txn: &Txn, fresh: &Fresh<'_>, head: &Head) -> Result<Verdict, Error> {
    if head.manifest_hash == fresh.hash.as_bytes() {
        return Ok(Verdict::Nothing);
    }
    let manifest = &fresh.put.manifest;
    let same = match &manifest.content {
        // A folder's own times and mode change with all that happens in it: nobody wants a version of each.
        Content::Folder => head.kind == Kind::Folder,
        Content::Symlink(_) => false,
        Content::File(file) => {
            let described =
                (head.mode, head.mtime_ns, head.torn) == (i64::from(manifest.mode), manifest.mtime_ns, file.torn);
            described && claims_same(head, file) && holds_same(txn, head, file).await?
        }
    };
    Ok(if same { Verdict::Restamp } else { Verdict::New })
}

/// Whether a file says that it has the content of the head.
fn claims_same(head: &Head, file: &FileContent) -> bool {
    let sums = (head.hash.as_deref(), head.crc32) == (Some(file.hash.as_bytes()), Some(i64::from(file.crc32)));
    sums && head.size == file.size().cast_signed()
}

/// Whether a file has the chunks of the head. Its hash is the machine's word alone: by that, a machine that was taken
/// over could put other chunks in the place of those that are stored.
async fn holds_same(txn: &Txn, head: &Head, file: &FileContent) -> Result<bool, Error> {
    let stored = manifest::Entity::find_by_id(head.no)
        .one(txn)
        .await?
        .ok_or_else(|| Error::bad_row("version without manifest"))?;
    let stored = Manifest::parse(&stored.bytes).map_err(|_| Error::bad_row("manifest"))?;
    Ok(matches!(stored.content, Content::File(stored) if stored.chunks == file.chunks))
}

fn is_torn(manifest: &Manifest) -> bool {
    matches!(&manifest.content, Content::File(file) if file.torn)
}

/// The columns that say what a manifest says.
fn described(fresh: &Fresh<'_>) -> version::ActiveModel {
    let manifest = &fresh.put.manifest;
    let file = match &manifest.content {
        Content::File(file) => Some(file),
        _ => None,
    };
    version::ActiveModel {
        no: Set(fresh.no),
        node: Set(fresh.node),
        suite: Set(i64::from(manifest.suite)),
        key_epoch: Set(0),
        manifest_hash: Set(fresh.hash.as_bytes().to_vec()),
        kind: Set(kind_of(manifest)),
        mode: Set(i64::from(manifest.mode)),
        size: Set(size(&manifest.content)),
        mtime_ns: Set(manifest.mtime_ns),
        hash: Set(file.map(|file| file.hash.as_bytes().to_vec())),
        crc32: Set(file.map(|file| i64::from(file.crc32))),
        torn: Set(file.is_some_and(|file| file.torn)),
        stamp_size: Set(file.map(|file| file.stamp.size.cast_signed())),
        stamp_mtime_ns: Set(file.map(|file| file.stamp.mtime_ns)),
        stamp_ctime_ns: Set(file.map(|file| file.stamp.ctime_ns)),
        stamp_file_id: Set(file.map(|file| file.stamp.file_id.cast_signed())),
        read_ns: Set(file.map(|file| file.read_ns)),
        ..Default::default()
    }
}

fn size(content: &Content) -> i64 {
    match content {
        Content::Folder => 0,
        Content::File(file) => file.size().cast_signed(),
        Content::Symlink(target) => i64::try_from(target.len()).unwrap_or(i64::MAX),
    }
}

fn uses(fresh: &Fresh<'_>, chunks: &HashMap<ChunkId, Durable>) -> Vec<(i64, i64)> {
    let Content::File(FileContent { chunks: used, .. }) = &fresh.put.manifest.content else {
        return Vec::new();
    };
    let nos: HashSet<i64> = used.iter().filter_map(|used| Some(chunks.get(&used.id)?.no)).collect();
    nos.into_iter().map(|chunk| (chunk, fresh.no)).collect()
}

/// Records which versions need which chunks.
pub(crate) async fn insert_uses(txn: &Txn, mut uses: Vec<(i64, i64)>) -> Result<(), Error> {
    uses.sort_unstable();
    for uses in uses.chunks(BATCH * 4) {
        let rows = uses.iter().map(|(chunk, version)| chunk_use::ActiveModel {
            chunk: Set(*chunk),
            version: Set(*version),
        });
        let nothing = OnConflict::new().do_nothing().to_owned();
        chunk_use::Entity::insert_many(rows)
            .on_conflict(nothing)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The nodes and the encoded manifests of versions, in the order of their ids: all of them, none of more than `largest`
/// bytes, or an error. No id may stand twice: each manifest may be large.
pub(crate) async fn manifests_of(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    ids: &[VersionId],
    largest: u64,
) -> Result<Vec<(NodeId, Vec<u8>)>, Error> {
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "a version is asked for twice; ask for each once",
        ));
    }
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(BATCH) {
        let text = format!(
            "SELECT v.id, n.id AS node, m.bytes FROM version v JOIN node n ON n.no = v.node JOIN manifest m ON m.version = v.no \
             WHERE n.space = $1 AND v.size <= $2 AND v.id IN ({})",
            places(3, ids.len())
        );
        let bound = i64::try_from(largest).unwrap_or(i64::MAX);
        let values = [space.column().into(), bound.into()]
            .into_iter()
            .chain(ids.iter().map(|id| id.as_bytes().into()));
        for row in on.query_all_raw(sql(&text, on, values)).await? {
            let (id, node): (Vec<u8>, Vec<u8>) = (row.try_get("", "id")?, row.try_get("", "node")?);
            let node = NodeId::from_slice(&node).map_err(|_| Error::bad_row("node id"))?;
            found.insert(id, (node, row.try_get("", "bytes")?));
        }
    }
    let gone = || {
        Error::refused(
            ErrorCode::NotFound,
            "a version is not there (any more); list the versions again",
        )
    };
    ids.iter()
        .map(|id| found.remove(id.as_bytes()).ok_or_else(gone))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Fixture;

    #[tokio::test]
    async fn the_same_manifest_again_is_known_to_use_its_chunks() {
        let fixture = Fixture::new().await;
        let access = fixture.account(1).await;
        let mut machine = fixture.machine(&access, 1).await;
        machine.upload(&[("a", b"content")]).await;
        let txn = fixture.store.meta.write().await.unwrap();
        txn.execute_unprepared("DELETE FROM chunk_use").await.unwrap();
        txn.commit().await.unwrap();
        machine.upload(&[("a", b"content")]).await;
        assert_eq!(
            chunk_use::Entity::find()
                .all(fixture.store.meta.read())
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            version::Entity::find()
                .all(fixture.store.meta.read())
                .await
                .unwrap()
                .len(),
            1
        );
    }
}
