//! What was deleted and can be restored.

use beckon_shared::id::NodeId;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Expr,
};

use super::{
    Place, find,
    path::{Placed, placed},
    rows, with_head,
};
use crate::{
    access::GrantedSpace,
    store::meta::{Error, entity::node},
};

/// What was not deleted as a part of the folder that holds it.
const TOPS: &str = "EXISTS (SELECT 1 FROM node p WHERE p.no = node.parent AND (p.deleted_at IS NULL OR p.deleted_at <> node.deleted_at))";

/// At most `limit` deleted nodes, deleted last first, beginning behind `after`; without what was deleted with its folder.
pub(crate) async fn deleted(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    after: Option<NodeId>,
    limit: u64,
) -> Result<Vec<Placed>, Error> {
    use node::Column::{DeletedAt, No, Space};
    let mut query = node::Entity::find()
        .filter(Space.eq(space.column()))
        .filter(DeletedAt.is_not_null())
        .filter(Expr::cust(TOPS));
    if let Some(after) = after {
        let last = find(on, space, &Place::Node(after)).await?.node;
        let earlier = Condition::all().add(DeletedAt.eq(last.deleted_at)).add(No.lt(last.no));
        query = query.filter(Condition::any().add(DeletedAt.lt(last.deleted_at)).add(earlier));
    }
    let query = query.order_by_desc(DeletedAt).order_by_desc(No).limit(limit);
    placed(on, rows(on, with_head(query).all(on).await?, None).await?).await
}
