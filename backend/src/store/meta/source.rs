//! Roots of machines in a space: their folders `MACHINE/ROOT`, the head of their commits, and what each entry is bound to.
//!
//! What people put in by hand comes from a root of its own of each device, and all of these share the folder `Files`.

use beckon_shared::{
    bulk::ERA,
    commit::ChainHead,
    id::{DeviceId, Hash, NodeId, RootId},
    path::Name,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    BATCH, Error, Txn,
    drive::search::folded,
    entity::{Kind, machine_folder, node, source, space},
    name::free_name,
    numbers, places,
    space::{RECORD, record},
    sql,
};
use crate::{
    access::GrantedSpace,
    clock::{Clock, random},
};

/// The name of the folder at the top of a space for what people put in by hand.
pub(crate) const FILES: &[u8] = b"Files";

/// The epoch of a root of which nothing was ever changed in the drive.
pub(crate) const FIRST_EPOCH: u64 = 1;

/// The epoch of a source once a new era begins (`bulk::ERA`).
pub(crate) const NEXT_ERA: &str = "(epoch / 4294967296 + 1) * 4294967296";

/// That a deleted node was not deleted by its own machine.
pub(crate) const NOT_BY_ITSELF: &str = "(removed_at IS NULL OR removed_at <> deleted_at)";

/// The row of a root, if it ever began an upload to this space.
pub(crate) async fn find(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    device: DeviceId,
    root: RootId,
) -> Result<Option<source::Model>, Error> {
    let found = source::Entity::find()
        .filter(source::Column::Space.eq(space.column()))
        .filter(source::Column::Device.eq(device.as_bytes()))
        .filter(source::Column::Root.eq(root.as_bytes()));
    Ok(found.one(on).await?)
}

/// What the folder of a root is called, if the root ever began an upload to this space.
pub(crate) async fn folder_name(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    device: DeviceId,
    root: RootId,
) -> Result<Option<String>, Error> {
    let Some(source) = find(on, space, device, root).await? else {
        return Ok(None);
    };
    let folder = node::Entity::find_by_id(source.folder).one(on).await?;
    Ok(folder.map(|folder| String::from_utf8_lossy(&folder.name).into_owned()))
}

/// The head of a root's commits.
pub(crate) fn head(source: &source::Model) -> Result<ChainHead, Error> {
    let hash = Hash::from_slice(&source.head_hash).map_err(|_| Error::bad_row("commit hash"))?;
    Ok(ChainHead {
        number: source.head_number.cast_unsigned(),
        hash,
    })
}

/// Whether it is the root by which a device puts into `Files` what a person chose on it.
pub(crate) fn is_files(source: &source::Model) -> Result<bool, Error> {
    let device = DeviceId::from_slice(&source.device).map_err(|_| Error::bad_row("device id"))?;
    Ok(source.root == RootId::of_files(&device).as_bytes())
}

/// Tells the machines that these nodes are bound to that what they remember of them counts no more.
pub(crate) async fn outdate(txn: &Txn, nodes: &[i64]) -> Result<(), Error> {
    for nodes in nodes.chunks(BATCH) {
        let text = format!(
            "UPDATE source SET epoch = epoch + 1 WHERE no IN (SELECT source FROM node WHERE source IS NOT NULL AND no IN ({}))",
            places(1, nodes.len())
        );
        txn.execute_raw(sql(&text, txn, nodes.iter().map(|no| (*no).into())))
            .await?;
    }
    Ok(())
}

/// Tells the machines that these nodes are bound to that they are removed for good: nobody can tell later that they were
/// there, so that nothing that a machine remembers from before counts. Of what it removed itself it remembers nothing.
pub(crate) async fn begin_era(txn: &Txn, nodes: &[i64]) -> Result<(), Error> {
    for nodes in nodes.chunks(BATCH) {
        let text = format!(
            "UPDATE source SET epoch = {NEXT_ERA} WHERE no IN (SELECT source FROM node WHERE source IS NOT NULL AND {NOT_BY_ITSELF} AND no IN ({}))",
            places(1, nodes.len())
        );
        txn.execute_raw(sql(&text, txn, nodes.iter().map(|no| (*no).into())))
            .await?;
    }
    Ok(())
}

/// Whether neither the node nor any folder above it is deleted.
pub(crate) async fn is_live(on: &impl ConnectionTrait, node: i64) -> Result<bool, Error> {
    let mut at = Some(node);
    while let Some(no) = at {
        let row = on
            .query_one_raw(sql(
                "SELECT parent, deleted_at FROM node WHERE no = $1",
                on,
                [no.into()],
            ))
            .await?;
        let Some(row) = row else { return Ok(false) };
        if row.try_get::<Option<i64>>("", "deleted_at")?.is_some() {
            return Ok(false);
        }
        at = row.try_get("", "parent")?;
    }
    Ok(true)
}

/// Whether a root's uploads still reach a node: it is live, and a machine's root does not reach what people put into `Files`.
pub(crate) async fn is_reached(on: &impl ConnectionTrait, source: &source::Model, node: i64) -> Result<bool, Error> {
    Ok(is_live(on, node).await? && (is_files(source)? || !is_in_files(on, node).await?))
}

/// Whether a node is the folder `Files`, or lies in it.
pub(crate) async fn is_in_files(on: &impl ConnectionTrait, node: i64) -> Result<bool, Error> {
    let text = "WITH RECURSIVE above (parent, name) AS (\
        SELECT parent, name FROM node WHERE no = $1 UNION ALL \
        SELECT n.parent, n.name FROM above a JOIN node n ON n.no = a.parent) \
        SELECT 1 FROM above a JOIN node t ON t.no = a.parent WHERE t.parent IS NULL AND a.name = $2";
    let row = on.query_one_raw(sql(text, on, [node.into(), FILES.into()])).await?;
    Ok(row.is_some())
}

/// Whose folders are made, and what they are called if they have to be.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    /// The space.
    pub(crate) space: &'a GrantedSpace,
    /// The machine.
    pub(crate) device: DeviceId,
    /// Its name.
    pub(crate) machine: Name,
    /// Its root.
    pub(crate) root: RootId,
    /// The root's name.
    pub(crate) root_name: Name,
}

/// Finds a root's row and live folder, and makes what is not there (any more), or was moved into `Files`.
pub(crate) async fn ensure(txn: &Txn, clock: &dyn Clock, place: &Place<'_>) -> Result<source::Model, Error> {
    let found = find(txn, place.space, place.device, place.root).await?;
    if let Some(source) = &found
        && is_reached(txn, source, source.folder).await?
    {
        return Ok(source.clone());
    }
    let no = match &found {
        Some(source) => source.no,
        None => numbers(txn, 1).await?,
    };
    let folder = if place.root == RootId::of_files(&place.device) {
        files_folder(txn, clock, place.space).await?
    } else {
        let new = NewFolder {
            parent: machine_folder(txn, clock, place).await?,
            name: &place.root_name,
            source: Some(no),
        };
        make_folder(txn, clock, place.space, new).await?
    };
    match found {
        Some(source) => rebind(txn, source, folder).await,
        None => insert(txn, place, no, folder).await,
    }
}

async fn insert(txn: &Txn, place: &Place<'_>, no: i64, folder: i64) -> Result<source::Model, Error> {
    let row = source::Model {
        no,
        space: place.space.column(),
        device: place.device.as_bytes().to_vec(),
        root: place.root.as_bytes().to_vec(),
        folder,
        epoch: FIRST_EPOCH.cast_signed(),
        head_number: 0,
        head_hash: ChainHead::EMPTY.hash.as_bytes().to_vec(),
    };
    source::Entity::insert(source::ActiveModel::from(row.clone()))
        .exec_without_returning(txn)
        .await?;
    Ok(row)
}

/// Binds a root whose folder is out of its reach to a new one: nothing below the old one counts for it any more.
async fn rebind(txn: &Txn, source: source::Model, folder: i64) -> Result<source::Model, Error> {
    let text = format!("UPDATE source SET folder = $1, epoch = {NEXT_ERA} WHERE no = $2");
    txn.execute_raw(sql(&text, txn, [folder.into(), source.no.into()]))
        .await?;
    let era = ERA.cast_signed();
    Ok(source::Model {
        folder,
        epoch: (source.epoch / era + 1) * era,
        ..source
    })
}

/// The live folder of a machine.
async fn machine_folder(txn: &Txn, clock: &dyn Clock, place: &Place<'_>) -> Result<i64, Error> {
    let key = (place.space.column(), place.device.as_bytes().to_vec());
    let found = machine_folder::Entity::find_by_id(key.clone()).one(txn).await?;
    if let Some(found) = &found
        && is_live(txn, found.folder).await?
        && !is_in_files(txn, found.folder).await?
    {
        return Ok(found.folder);
    }
    let new = NewFolder {
        parent: top(txn, place.space).await?,
        name: &place.machine,
        source: None,
    };
    let folder = make_folder(txn, clock, place.space, new).await?;
    let text = "INSERT INTO machine_folder (space, device, folder) VALUES ($1, $2, $3) \
        ON CONFLICT (space, device) DO UPDATE SET folder = excluded.folder";
    txn.execute_raw(sql(text, txn, [key.0.into(), key.1.into(), folder.into()]))
        .await?;
    Ok(folder)
}

/// The folder `Files` at the top, made where it is not there.
pub(crate) async fn files_folder(txn: &Txn, clock: &dyn Clock, space: &GrantedSpace) -> Result<i64, Error> {
    let top = top(txn, space).await?;
    let found = node::Entity::find()
        .filter(node::Column::Parent.eq(top))
        .filter(node::Column::Name.eq(FILES))
        .filter(node::Column::Kind.eq(Kind::Folder))
        .filter(node::Column::DeletedAt.is_null());
    if let Some(found) = found.one(txn).await? {
        return Ok(found.no);
    }
    let new = NewFolder {
        parent: top,
        name: &Name::new(FILES).map_err(|_| Error::bad_row("name"))?,
        source: None,
    };
    make_folder(txn, clock, space, new).await
}

async fn top(txn: &Txn, space: &GrantedSpace) -> Result<i64, Error> {
    let row = space::Entity::find_by_id(space.column()).one(txn).await?;
    Ok(row.ok_or_else(|| Error::bad_row("space"))?.top)
}

/// A folder to be made.
pub(crate) struct NewFolder<'a> {
    /// The folder that holds it.
    pub(crate) parent: i64,
    /// What it is called, or nearly so if the name is taken.
    pub(crate) name: &'a Name,
    /// The root that it is for.
    pub(crate) source: Option<i64>,
}

/// Makes a folder.
pub(crate) async fn make_folder(
    txn: &Txn,
    clock: &dyn Clock,
    space: &GrantedSpace,
    new: NewFolder<'_>,
) -> Result<i64, Error> {
    let now = clock.now();
    let no = numbers(txn, 1).await?;
    let name = free_name(txn, new.parent, new.name).await?;
    let row = node::ActiveModel {
        no: Set(no),
        id: Set(NodeId::new(now, random(clock)).as_bytes().to_vec()),
        space: Set(space.column()),
        parent: Set(Some(new.parent)),
        name: Set(name.as_bytes().to_vec()),
        folded: Set(folded(name.as_bytes())),
        kind: Set(Kind::Folder),
        head: Set(None),
        source: Set(new.source),
        source_parent: Set(None),
        source_name: Set(None),
        created: Set(now.0),
        deleted_at: Set(None),
    };
    node::Entity::insert(row).exec_without_returning(txn).await?;
    record(txn, space.column(), RECORD).await?;
    Ok(no)
}
