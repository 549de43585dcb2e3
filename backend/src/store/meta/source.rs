//! Roots of machines in a space: their folders `MACHINE/ROOT`, the head of their commits, and what each entry is bound to.

use beckon_shared::{
    commit::ChainHead,
    id::{DeviceId, Hash, NodeId, RootId},
    path::Name,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    Error, Txn,
    entity::{Kind, machine_folder, node, source, space},
    name::free_name,
    numbers, sql,
};
use crate::{
    access::GrantedSpace,
    clock::{Clock, random},
};

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

/// The head of a root's commits.
pub(crate) fn head(source: &source::Model) -> Result<ChainHead, Error> {
    let hash = Hash::from_slice(&source.head_hash).map_err(|_| Error::bad_row("commit hash"))?;
    Ok(ChainHead {
        number: source.head_number.cast_unsigned(),
        hash,
    })
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

/// Finds a root's row and live folder, and makes what is not there (any more).
pub(crate) async fn ensure(txn: &Txn, clock: &dyn Clock, place: &Place<'_>) -> Result<source::Model, Error> {
    let found = find(txn, place.space, place.device, place.root).await?;
    if let Some(source) = &found
        && is_live(txn, source.folder).await?
    {
        return Ok(source.clone());
    }
    let no = match &found {
        Some(source) => source.no,
        None => numbers(txn, 1).await?,
    };
    let machine = machine_folder(txn, clock, place).await?;
    let folder = make_folder(
        txn,
        clock,
        place,
        NewFolder {
            parent: machine,
            name: &place.root_name,
            source: Some(no),
        },
    )
    .await?;
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
        epoch: 1,
        head_number: 0,
        head_hash: ChainHead::EMPTY.hash.as_bytes().to_vec(),
    };
    source::Entity::insert(source::ActiveModel::from(row.clone()))
        .exec_without_returning(txn)
        .await?;
    Ok(row)
}

/// Binds a root whose folder was deleted to a new one: nothing below the old one counts for it any more.
async fn rebind(txn: &Txn, source: source::Model, folder: i64) -> Result<source::Model, Error> {
    let text = "UPDATE source SET folder = $1, epoch = epoch + 1 WHERE no = $2";
    txn.execute_raw(sql(text, txn, [folder.into(), source.no.into()]))
        .await?;
    Ok(source::Model {
        folder,
        epoch: source.epoch + 1,
        ..source
    })
}

/// The live folder of a machine.
async fn machine_folder(txn: &Txn, clock: &dyn Clock, place: &Place<'_>) -> Result<i64, Error> {
    let key = (place.space.column(), place.device.as_bytes().to_vec());
    let found = machine_folder::Entity::find_by_id(key.clone()).one(txn).await?;
    if let Some(found) = &found
        && is_live(txn, found.folder).await?
    {
        return Ok(found.folder);
    }
    let space = space::Entity::find_by_id(place.space.column())
        .one(txn)
        .await?
        .ok_or_else(|| Error::bad_row("space"))?;
    let folder = make_folder(
        txn,
        clock,
        place,
        NewFolder {
            parent: space.top,
            name: &place.machine,
            source: None,
        },
    )
    .await?;
    let text = "INSERT INTO machine_folder (space, device, folder) VALUES ($1, $2, $3) \
        ON CONFLICT (space, device) DO UPDATE SET folder = excluded.folder";
    txn.execute_raw(sql(text, txn, [key.0.into(), key.1.into(), folder.into()]))
        .await?;
    Ok(folder)
}

struct NewFolder<'a> {
    parent: i64,
    name: &'a Name,
    source: Option<i64>,
}

async fn make_folder(txn: &Txn, clock: &dyn Clock, place: &Place<'_>, new: NewFolder<'_>) -> Result<i64, Error> {
    let now = clock.now();
    let no = numbers(txn, 1).await?;
    let row = node::ActiveModel {
        no: Set(no),
        id: Set(NodeId::new(now, random(clock)).as_bytes().to_vec()),
        space: Set(place.space.column()),
        parent: Set(Some(new.parent)),
        name: Set(free_name(txn, new.parent, new.name).await?.as_bytes().to_vec()),
        kind: Set(Kind::Folder),
        head: Set(None),
        source: Set(new.source),
        source_parent: Set(None),
        source_name: Set(None),
        created: Set(now.0),
        deleted_at: Set(None),
    };
    node::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(no)
}
