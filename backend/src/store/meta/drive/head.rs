//! What the drive holds of a folder of a machine, found by where it came from, wherever it was moved since.

use beckon_shared::{
    id::{DeviceId, RootId},
    path::{Name, RootPath},
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::with_head;
use crate::{
    access::GrantedSpace,
    store::meta::{
        BATCH, Error,
        entity::{Kind, node, source, version},
    },
};

/// A folder of a machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The machine.
    pub(crate) device: DeviceId,
    /// The root.
    pub(crate) root: RootId,
    /// Below the root.
    pub(crate) path: &'a RootPath,
}

/// A live node that came from a machine, with its newest version.
pub(crate) type Found = (node::Model, Option<version::Model>);

/// At most `limit` live nodes that came from this folder, in the order of their names there, beginning behind `after`.
/// A file without a version is left out.
pub(crate) async fn heads(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    origin: &Origin<'_>,
    after: Option<&Name>,
    limit: u64,
) -> Result<Vec<Found>, Error> {
    let Some(folder) = bound_folder(on, space, origin).await? else {
        return Ok(Vec::new());
    };
    let mut query = in_folder(folder);
    if let Some(after) = after {
        query = query.filter(node::Column::SourceName.gt(after.as_bytes()));
    }
    Ok(with_head(query.order_by_asc(node::Column::SourceName).limit(limit))
        .all(on)
        .await?)
}

/// Those live nodes that came from this folder under one of these names, in no order.
pub(crate) async fn heads_of(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    origin: &Origin<'_>,
    names: &[Name],
) -> Result<Vec<Found>, Error> {
    let Some(folder) = bound_folder(on, space, origin).await? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for names in names.chunks(BATCH) {
        let query = in_folder(folder).filter(node::Column::SourceName.is_in(names.iter().map(Name::as_bytes)));
        found.extend(with_head(query).all(on).await?);
    }
    Ok(found)
}

fn in_folder(folder: i64) -> Select<node::Entity> {
    node::Entity::find()
        .filter(node::Column::SourceParent.eq(folder))
        .filter(node::Column::DeletedAt.is_null())
        .filter(
            Condition::any()
                .add(node::Column::Kind.ne(Kind::File))
                .add(node::Column::Head.is_not_null()),
        )
}

/// The node that a machine's folder is bound to, if there is one that was not deleted.
async fn bound_folder(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    origin: &Origin<'_>,
) -> Result<Option<i64>, Error> {
    let query = source::Entity::find()
        .filter(source::Column::Space.eq(space.column()))
        .filter(source::Column::Device.eq(origin.device.as_bytes()))
        .filter(source::Column::Root.eq(origin.root.as_bytes()));
    let Some(source) = query.one(on).await? else {
        return Ok(None);
    };
    let root = node::Entity::find_by_id(source.folder).filter(node::Column::DeletedAt.is_null());
    let Some(mut folder) = root.one(on).await?.map(|node| node.no) else {
        return Ok(None);
    };
    for name in origin.path.names() {
        let query = node::Entity::find()
            .filter(node::Column::SourceParent.eq(folder))
            .filter(node::Column::SourceName.eq(name.as_bytes()))
            .filter(node::Column::DeletedAt.is_null());
        let Some(node) = query.one(on).await? else {
            return Ok(None);
        };
        folder = node.no;
    }
    Ok(Some(folder))
}
