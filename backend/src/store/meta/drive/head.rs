//! What the drive holds of a folder of a machine, found by where it came from, wherever it was moved since.

use beckon_shared::{
    id::{DeviceId, RootId},
    path::{Name, RootPath},
};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::with_head;
use crate::{
    access::GrantedSpace,
    store::meta::{
        Error,
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

/// At most `limit` live nodes that came from this folder, in the order of their names there, beginning behind `after`.
/// A file without a version that can be relied on is left out.
pub(crate) async fn heads(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    origin: &Origin<'_>,
    after: Option<&Name>,
    limit: u64,
) -> Result<Vec<(node::Model, Option<version::Model>)>, Error> {
    let Some(folder) = bound_folder(on, space, origin).await? else { return Ok(Vec::new()) };
    let mut query = node::Entity::find()
        .filter(node::Column::SourceParent.eq(folder))
        .filter(node::Column::DeletedAt.is_null())
        .filter(Condition::any().add(node::Column::Kind.ne(Kind::File)).add(node::Column::Head.is_not_null()));
    if let Some(after) = after {
        query = query.filter(node::Column::SourceName.gt(after.as_bytes()));
    }
    Ok(with_head(query.order_by_asc(node::Column::SourceName).limit(limit)).all(on).await?)
}

/// The node that a machine's folder is bound to, if there is one that was not deleted.
async fn bound_folder(on: &impl ConnectionTrait, space: &GrantedSpace, origin: &Origin<'_>) -> Result<Option<i64>, Error> {
    let query = source::Entity::find()
        .filter(source::Column::Space.eq(space.column()))
        .filter(source::Column::Device.eq(origin.device.as_bytes()))
        .filter(source::Column::Root.eq(origin.root.as_bytes()));
    let Some(source) = query.one(on).await? else { return Ok(None) };
    let root = node::Entity::find_by_id(source.folder).filter(node::Column::DeletedAt.is_null());
    let Some(mut folder) = root.one(on).await?.map(|node| node.no) else { return Ok(None) };
    for name in origin.path.names() {
        let query = node::Entity::find()
            .filter(node::Column::SourceParent.eq(folder))
            .filter(node::Column::SourceName.eq(name.as_bytes()))
            .filter(node::Column::DeletedAt.is_null());
        let Some(node) = query.one(on).await? else { return Ok(None) };
        folder = node.no;
    }
    Ok(Some(folder))
}
