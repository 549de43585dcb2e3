//! What is stored, as people see it: nodes by id or path, what is in a folder, the versions of a file.

pub(crate) mod change;
pub(crate) mod current;
pub(crate) mod deleted;
pub(crate) mod folder;
pub(crate) mod head;
pub(crate) mod named;
pub(crate) mod origin;
pub(crate) mod outdated;
pub(crate) mod past;
pub(crate) mod path;
pub(crate) mod rewind;
pub(crate) mod search;
#[cfg(test)]
mod test;
pub(crate) mod walk;

use std::collections::HashMap;

use beckon_shared::{
    error::ErrorCode,
    id::NodeId,
    manifest::{Content, Manifest},
    path::Name,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef, Select,
    SelectTwo,
};

use super::{
    BATCH, Error,
    entity::{Kind, manifest, node, version},
    places, space, sql,
};
use crate::access::GrantedSpace;

/// Names a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// By its id, also a deleted one.
    Node(NodeId),
    /// By the names from the top; none is the top itself.
    Path(Vec<Name>),
}

/// A node with its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The node.
    pub(crate) node: node::Model,
    /// Its newest version.
    pub(crate) head: Option<version::Model>,
    /// How many versions it has; 0 for folders.
    pub(crate) versions: u32,
    /// Where it points, if it is a symlink.
    pub(crate) target: Option<Vec<u8>>,
    /// The folder that holds it; nothing for what lies at the top, and for the top itself.
    pub(crate) parent: Option<NodeId>,
}

impl Row {
    /// Whether things can lie in it.
    pub(crate) fn is_folder(&self) -> bool {
        self.node.kind == Kind::Folder
    }

    /// Whether it is the nameless folder at the top.
    pub(crate) fn is_top(&self) -> bool {
        self.node.parent.is_none()
    }

    /// The node's id.
    pub(crate) fn id(&self) -> Result<NodeId, Error> {
        node_id(&self.node)
    }

    /// What those in this folder name as their parent.
    fn as_parent(&self) -> Result<Option<NodeId>, Error> {
        if self.is_top() { Ok(None) } else { self.id().map(Some) }
    }
}

/// Finds a node; one of another space is as absent as one that never was.
pub(crate) async fn find(on: &impl ConnectionTrait, space: &GrantedSpace, place: &Place) -> Result<Row, Error> {
    match place {
        Place::Node(id) => by_id(on, space, *id).await,
        Place::Path(names) => {
            let mut row = top(on, space).await?;
            for name in names {
                row = child(on, &row, name).await?.ok_or_else(absent)?;
            }
            Ok(row)
        }
    }
}

/// The nameless folder at the top.
pub(crate) async fn top(on: &impl ConnectionTrait, space: &GrantedSpace) -> Result<Row, Error> {
    let top = space::row(on, space).await?.top;
    let found = node::Entity::find_by_id(top)
        .one(on)
        .await?
        .ok_or_else(|| Error::bad_row("top of a space"))?;
    Ok(Row {
        node: found,
        head: None,
        versions: 0,
        target: None,
        parent: None,
    })
}

async fn by_id(on: &impl ConnectionTrait, space: &GrantedSpace, id: NodeId) -> Result<Row, Error> {
    let query = node::Entity::find()
        .filter(node::Column::Id.eq(id.as_bytes()))
        .filter(node::Column::Space.eq(space.column()));
    let (node, head) = with_head(query).one(on).await?.ok_or_else(absent)?;
    let parent = match node.parent {
        Some(no) => node::Entity::find_by_id(no).one(on).await?,
        None => None,
    };
    let parent = parent
        .filter(|folder| folder.parent.is_some())
        .map(|folder| node_id(&folder))
        .transpose()?;
    one(on, vec![(node, head)], parent).await?.ok_or_else(absent)
}

/// The nodes with these row numbers, in this order.
async fn by_numbers(on: &impl ConnectionTrait, nos: &[i64]) -> Result<Vec<Row>, Error> {
    let mut found = HashMap::with_capacity(nos.len());
    for nos in nos.chunks(BATCH) {
        let query = node::Entity::find().filter(node::Column::No.is_in(nos.iter().copied()));
        let batch = rows(on, with_head(query).all(on).await?, None).await?;
        found.extend(batch.into_iter().map(|row| (row.node.no, row)));
    }
    Ok(nos.iter().filter_map(|no| found.remove(no)).collect())
}

/// The live node of this name in a folder.
pub(crate) async fn child(on: &impl ConnectionTrait, folder: &Row, name: &Name) -> Result<Option<Row>, Error> {
    let query = in_folder(folder).filter(node::Column::Name.eq(name.as_bytes()));
    one(on, with_head(query).all(on).await?, folder.as_parent()?).await
}

/// At most `limit` live nodes of a folder in the order of their names' bytes, beginning behind `after`.
pub(crate) async fn children(
    on: &impl ConnectionTrait,
    folder: &Row,
    after: Option<&[u8]>,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let mut query = in_folder(folder);
    if let Some(after) = after {
        query = query.filter(node::Column::Name.gt(after));
    }
    let query = query.order_by_asc(node::Column::Name).limit(limit);
    rows(on, with_head(query).all(on).await?, folder.as_parent()?).await
}

/// The versions of a node, newest first.
pub(crate) async fn versions(on: &impl ConnectionTrait, row: &Row) -> Result<Vec<version::Model>, Error> {
    let query = version::Entity::find()
        .filter(version::Column::Node.eq(row.node.no))
        .order_by_desc(version::Column::No);
    Ok(query.all(on).await?)
}

fn in_folder(folder: &Row) -> Select<node::Entity> {
    node::Entity::find()
        .filter(node::Column::Parent.eq(folder.node.no))
        .filter(node::Column::DeletedAt.is_null())
}

fn with_head(query: Select<node::Entity>) -> SelectTwo<node::Entity, version::Entity> {
    let head: RelationDef = node::Entity::belongs_to(version::Entity)
        .from(node::Column::Head)
        .to(version::Column::No)
        .into();
    query.join(JoinType::LeftJoin, head).select_also(version::Entity)
}

async fn one(
    on: &impl ConnectionTrait,
    found: Vec<(node::Model, Option<version::Model>)>,
    parent: Option<NodeId>,
) -> Result<Option<Row>, Error> {
    Ok(rows(on, found, parent).await?.into_iter().next())
}

/// Adds where the symlinks among them point, and how many versions there are of each.
async fn rows(
    on: &impl ConnectionTrait,
    found: Vec<(node::Model, Option<version::Model>)>,
    parent: Option<NodeId>,
) -> Result<Vec<Row>, Error> {
    let links = found.iter().filter(|(node, _)| node.kind == Kind::Symlink);
    let links: Vec<i64> = links.filter_map(|(node, _)| node.head).collect();
    let mut targets = targets(on, &links).await?;
    let with_content = found.iter().filter(|(node, _)| node.kind != Kind::Folder);
    let counts = version_counts(on, &with_content.map(|(node, _)| node.no).collect::<Vec<_>>()).await?;
    let row = |(node, head): (node::Model, _)| {
        let target = node.head.and_then(|head| targets.remove(&head));
        Row {
            versions: counts.get(&node.no).copied().unwrap_or(0),
            node,
            head,
            target,
            parent,
        }
    };
    Ok(found.into_iter().map(row).collect())
}

async fn version_counts(on: &impl ConnectionTrait, nodes: &[i64]) -> Result<HashMap<i64, u32>, Error> {
    let mut counts = HashMap::with_capacity(nodes.len());
    for batch in nodes.chunks(BATCH) {
        let text = format!(
            "SELECT node, COUNT(*) AS count FROM version WHERE node IN ({}) GROUP BY node",
            places(1, batch.len())
        );
        let values = batch.iter().map(|no| (*no).into());
        for row in on.query_all_raw(sql(&text, on, values)).await? {
            let count: i64 = row.try_get("", "count")?;
            counts.insert(row.try_get("", "node")?, u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
    Ok(counts)
}

async fn targets(on: &impl ConnectionTrait, versions: &[i64]) -> Result<HashMap<i64, Vec<u8>>, Error> {
    let mut targets = HashMap::new();
    for batch in versions.chunks(BATCH) {
        let query = manifest::Entity::find().filter(manifest::Column::Version.is_in(batch.iter().copied()));
        for row in query.all(on).await? {
            let manifest = Manifest::parse(&row.bytes).map_err(|_| Error::bad_row("manifest"))?;
            if let Content::Symlink(target) = manifest.content {
                targets.insert(row.version, target);
            }
        }
    }
    Ok(targets)
}

fn node_id(node: &node::Model) -> Result<NodeId, Error> {
    NodeId::from_slice(&node.id).map_err(|_| Error::bad_row("node id"))
}

fn absent() -> Error {
    Error::refused(
        ErrorCode::NotFound,
        "there is nothing here; it may have been moved or deleted: list the folder again",
    )
}
