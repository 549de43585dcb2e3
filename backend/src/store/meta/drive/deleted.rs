//! What was deleted and can be restored.

use std::collections::{HashMap, hash_map::Entry};

use beckon_shared::{id::NodeId, path::PATH_MAX};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Expr,
};

use super::{Place, Row, find, node_id, rows, with_head};
use crate::{
    access::GrantedSpace,
    store::meta::{Error, entity::node, sql},
};

/// What was not deleted as a part of the folder that holds it.
const TOPS: &str = "EXISTS (SELECT 1 FROM node p WHERE p.no = node.parent AND (p.deleted_at IS NULL OR p.deleted_at <> node.deleted_at))";

/// Something deleted.
#[derive(Debug)]
pub(crate) struct Gone {
    /// Its path from the top, or the end of that, at most [`PATH_MAX`] bytes.
    pub(crate) path: Vec<u8>,
    /// The node.
    pub(crate) row: Row,
}

/// At most `limit` deleted nodes, deleted last first, beginning behind `after`; without what was deleted with its folder.
pub(crate) async fn deleted(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    after: Option<NodeId>,
    limit: u64,
) -> Result<Vec<Gone>, Error> {
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
    let mut folders = HashMap::new();
    let mut gone = Vec::new();
    for row in rows(on, with_head(query).all(on).await?, None).await? {
        gone.push(placed(on, row, &mut folders).await?);
    }
    Ok(gone)
}

/// Where a folder was, and its id unless it is the top.
type Folder = (Vec<u8>, Option<NodeId>);

async fn placed(on: &impl ConnectionTrait, mut row: Row, folders: &mut HashMap<i64, Folder>) -> Result<Gone, Error> {
    let parent = row.node.parent.ok_or_else(|| Error::bad_row("parent"))?;
    let (path, id) = match folders.entry(parent) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(folder(on, parent).await?),
    };
    row.parent = *id;
    Ok(Gone {
        path: ending([path.as_slice(), &row.node.name].concat()),
        row,
    })
}

/// The path of a folder with a slash behind it.
async fn folder(on: &impl ConnectionTrait, no: i64) -> Result<Folder, Error> {
    let text = "WITH RECURSIVE above (no, parent, name, level) AS (\
        SELECT no, parent, name, CAST(0 AS BIGINT) FROM node WHERE no = $1 UNION ALL \
        SELECT n.no, n.parent, n.name, a.level + 1 FROM above a JOIN node n ON n.no = a.parent) \
        SELECT name FROM above WHERE parent IS NOT NULL ORDER BY level DESC";
    let mut path = Vec::new();
    for row in on.query_all_raw(sql(text, on, [no.into()])).await? {
        path.extend(row.try_get::<Vec<u8>>("", "name")?);
        path.push(b'/');
    }
    let folder = node::Entity::find_by_id(no)
        .one(on)
        .await?
        .ok_or_else(|| Error::bad_row("parent"))?;
    let id = if folder.parent.is_some() {
        Some(node_id(&folder)?)
    } else {
        None
    };
    Ok((path, id))
}

/// As many of the last names as fit into a path.
fn ending(path: Vec<u8>) -> Vec<u8> {
    let over = path.len().saturating_sub(PATH_MAX);
    if over == 0 {
        return path;
    }
    let from = path[over - 1..]
        .iter()
        .position(|byte| *byte == b'/')
        .map_or(0, |slash| over + slash);
    path[from..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_that_is_too_long_the_last_names_are_kept() {
        let long = [vec![b'a'; 5], vec![b'b'; PATH_MAX - 1]].join(&b'/');
        assert!(ending(long) == vec![b'b'; PATH_MAX - 1]);
        let exact = [vec![b'a'; 5], vec![b'b'; PATH_MAX - 6]].join(&b'/');
        assert!(ending(exact.clone()) == exact);
        assert!(ending([vec![b'x'], exact.clone()].join(&b'/')) == exact);
    }
}
