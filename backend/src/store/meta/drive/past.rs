//! The drive as it stood at a moment: which nodes there were, where they lay, what they were called, which version was the
//! newest.
//!
//! A node's own row says since when it is there and since when it is deleted, its versions say when they came. What a row
//! cannot say, because it was changed, stands in `node_past`: how the node stood up to the moment of each change. Of a folder
//! that is moved, deleted or restored only the folder itself is changed in this sense: what lies below it is reached through it.

use std::collections::{HashMap, HashSet};

use beckon_shared::{id::NodeId, path::Name, time::Timestamp};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Value};

use super::{Place, Row, absent, child, children, find, node_id, targets, top};
use crate::{
    access::GrantedSpace,
    store::meta::{
        BATCH, Error, Txn,
        entity::{Kind, node, version},
        places, space, sql,
    },
};

/// What one remembered state of a node counts for. Bytes.
pub(crate) const REMEMBERED: i64 = 128;

/// Folders that are looked through upwards at the most: twice as deep as anything can lie.
const LEVELS_MAX: usize = 2000;

/// Of which moment the drive is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum When {
    /// As it is.
    #[default]
    Now,
    /// As it stood at the end of this millisecond.
    At(Timestamp),
}

impl When {
    /// The moment, if it is not the present one.
    pub(crate) fn at(self) -> Option<Timestamp> {
        match self {
            Self::Now => None,
            Self::At(at) => Some(at),
        }
    }

    /// The node of a row number, bound as it was; nothing where it was not there, by its own row.
    pub(super) async fn node(self, on: &impl ConnectionTrait, no: i64) -> Result<Option<node::Model>, Error> {
        match self {
            Self::Now => Ok(node::Entity::find_by_id(no).one(on).await?),
            Self::At(at) => node_at(on, no, at).await,
        }
    }

    /// Finds a node; what was not there at the moment is absent.
    pub(crate) async fn find(
        self,
        on: &impl ConnectionTrait,
        space: &GrantedSpace,
        place: &Place,
    ) -> Result<Row, Error> {
        let Self::At(at) = self else {
            return find(on, space, place).await;
        };
        match place {
            Place::Node(id) => by_id(on, space, *id, at).await,
            Place::Path(names) => {
                let mut row = top(on, space).await?;
                for name in names {
                    row = child_at(on, &row, name, at).await?.ok_or_else(absent)?;
                }
                Ok(row)
            }
        }
    }

    /// The node of this name in a folder of the same moment.
    pub(crate) async fn child(
        self,
        on: &impl ConnectionTrait,
        folder: &Row,
        name: &Name,
    ) -> Result<Option<Row>, Error> {
        match self {
            Self::Now => child(on, folder, name).await,
            Self::At(at) => child_at(on, folder, name, at).await,
        }
    }

    /// At most `limit` nodes of a folder of the same moment in the order of their names' bytes, beginning behind `after`.
    pub(crate) async fn children(
        self,
        on: &impl ConnectionTrait,
        folder: &Row,
        after: Option<&[u8]>,
        limit: u64,
    ) -> Result<Vec<Row>, Error> {
        match self {
            Self::Now => children(on, folder, after, limit).await,
            Self::At(at) => children_at(on, folder, after, at, limit).await,
        }
    }
}

/// Writes down how these nodes stand, in the transaction that is about to change where they lie, what they are called, what
/// they are bound to, or that they are deleted. Of several changes in one millisecond the first counts: what was between
/// them never was.
pub(crate) async fn remember(txn: &Txn, nodes: &[i64], now: Timestamp) -> Result<(), Error> {
    for nodes in nodes.chunks(BATCH) {
        let list = places(2, nodes.len());
        let text = format!(
            "INSERT INTO node_past (node, until, parent, name, deleted_at, source, source_parent, source_name) \
             SELECT no, CAST($1 AS BIGINT), parent, name, deleted_at, source, source_parent, source_name FROM node WHERE no IN ({list}) \
             ON CONFLICT (node, until) DO NOTHING RETURNING node"
        );
        let values = std::iter::once(Value::from(now.0)).chain(nodes.iter().map(|no| (*no).into()));
        let written = txn.query_all_raw(sql(&text, txn, values)).await?;
        let written = written.iter().map(|row| row.try_get::<i64>("", "node"));
        count(txn, &written.collect::<Result<Vec<_>, _>>()?).await?;
    }
    Ok(())
}

async fn count(txn: &Txn, nodes: &[i64]) -> Result<(), Error> {
    let text = format!(
        "SELECT space, COUNT(*) AS count FROM node WHERE no IN ({}) GROUP BY space",
        places(1, nodes.len())
    );
    if nodes.is_empty() {
        return Ok(());
    }
    for row in txn
        .query_all_raw(sql(&text, txn, nodes.iter().map(|no| (*no).into())))
        .await?
    {
        let count: i64 = row.try_get("", "count")?;
        space::record(txn, row.try_get("", "space")?, count * REMEMBERED).await?;
    }
    Ok(())
}

/// How a node stood: where it lay, and whether it was there.
#[derive(Debug, Clone, FromQueryResult)]
struct State {
    parent: Option<i64>,
    name: Vec<u8>,
    deleted_at: Option<i64>,
    source: Option<i64>,
    source_parent: Option<i64>,
    source_name: Option<Vec<u8>>,
}

/// How a node stood at a moment; nothing where it was not there, by its own row.
async fn state(on: &impl ConnectionTrait, node: &node::Model, at: Timestamp) -> Result<Option<State>, Error> {
    let text = "SELECT parent, name, deleted_at, source, source_parent, source_name FROM node_past \
        WHERE node = $1 AND until > $2 ORDER BY until LIMIT 1";
    let past = State::find_by_statement(sql(text, on, [node.no.into(), at.0.into()]))
        .one(on)
        .await?;
    let state = past.unwrap_or_else(|| State {
        parent: node.parent,
        name: node.name.clone(),
        deleted_at: node.deleted_at,
        source: node.source,
        source_parent: node.source_parent,
        source_name: node.source_name.clone(),
    });
    let is_there = node.created <= at.0 && state.deleted_at.is_none_or(|deleted| deleted > at.0);
    Ok(is_there.then_some(state))
}

/// A node as it stood, by its row number; nothing where it was not there, by its own row.
async fn node_at(on: &impl ConnectionTrait, no: i64, at: Timestamp) -> Result<Option<node::Model>, Error> {
    let Some(node) = node::Entity::find_by_id(no).one(on).await? else {
        return Ok(None);
    };
    Ok(state(on, &node, at).await?.map(|state| node::Model {
        parent: state.parent,
        name: state.name,
        deleted_at: None,
        source: state.source,
        source_parent: state.source_parent,
        source_name: state.source_name,
        ..node
    }))
}

async fn by_id(on: &impl ConnectionTrait, space: &GrantedSpace, id: NodeId, at: Timestamp) -> Result<Row, Error> {
    let query = node::Entity::find()
        .filter(node::Column::Id.eq(id.as_bytes()))
        .filter(node::Column::Space.eq(space.column()));
    let found = query.one(on).await?.ok_or_else(absent)?;
    let node = node_at(on, found.no, at).await?.ok_or_else(absent)?;
    let (mut above, mut parent) = (node.parent, None);
    for level in 0..LEVELS_MAX {
        let Some(no) = above else { break };
        let folder = node_at(on, no, at).await?.ok_or_else(absent)?;
        if level == 0 && folder.parent.is_some() {
            parent = Some(node_id(&folder)?);
        }
        above = folder.parent;
    }
    rows(on, vec![node], parent, at).await?.pop().ok_or_else(absent)
}

async fn child_at(on: &impl ConnectionTrait, folder: &Row, name: &Name, at: Timestamp) -> Result<Option<Row>, Error> {
    let asked = Asked {
        names: "=",
        name: name.as_bytes(),
        limit: 1,
    };
    Ok(listed(on, folder, &asked, at).await?.pop())
}

async fn children_at(
    on: &impl ConnectionTrait,
    folder: &Row,
    after: Option<&[u8]>,
    at: Timestamp,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let asked = Asked {
        names: ">",
        name: after.unwrap_or_default(),
        limit,
    };
    listed(on, folder, &asked, at).await
}

/// Which of the nodes of a folder are asked for: those whose names compare so with a name.
struct Asked<'a> {
    names: &'static str,
    name: &'a [u8],
    limit: u64,
}

/// Those that lie in the folder still, live or deleted since, and those that lay in it before something was changed: each of
/// the three in the order of an index, so that a page of a large folder is read and no more.
async fn listed(on: &impl ConnectionTrait, folder: &Row, asked: &Asked<'_>, at: Timestamp) -> Result<Vec<Row>, Error> {
    let Asked { names, limit, .. } = asked;
    let still = |mark: &str| {
        format!(
            "SELECT n.no, n.name FROM node n WHERE n.parent = $1 AND n.deleted_at {mark} AND n.created <= $2 AND n.name {names} $3 \
             AND NOT EXISTS (SELECT 1 FROM node_past p WHERE p.node = n.no AND p.until > $2) ORDER BY n.name LIMIT {limit}"
        )
    };
    let text = format!(
        "SELECT no, name FROM (SELECT * FROM ({live}) AS live UNION ALL SELECT * FROM ({deleted}) AS deleted UNION ALL SELECT * FROM (\
         SELECT n.no, p.name FROM node_past p JOIN node n ON n.no = p.node WHERE p.parent = $1 AND p.until > $2 AND n.created <= $2 \
         AND (p.deleted_at IS NULL OR p.deleted_at > $2) AND p.name {names} $3 \
         AND NOT EXISTS (SELECT 1 FROM node_past q WHERE q.node = p.node AND q.until > $2 AND q.until < p.until) \
         ORDER BY p.name LIMIT {limit}) AS past) AS every ORDER BY name LIMIT {limit}",
        live = still("IS NULL"),
        deleted = still("> $2"),
    );
    let values = [folder.node.no.into(), at.0.into(), asked.name.to_vec().into()];
    let mut placed = Vec::new();
    for row in on.query_all_raw(sql(&text, on, values)).await? {
        placed.push((row.try_get::<i64>("", "no")?, row.try_get::<Vec<u8>>("", "name")?));
    }
    let mut found = HashMap::with_capacity(placed.len());
    for batch in placed.chunks(BATCH) {
        let query = node::Entity::find().filter(node::Column::No.is_in(batch.iter().map(|(no, _)| *no)));
        found.extend(query.all(on).await?.into_iter().map(|node| (node.no, node)));
    }
    let nodes = placed.into_iter().filter_map(|(no, name)| {
        let node = found.remove(&no)?;
        Some(node::Model {
            parent: Some(folder.node.no),
            name,
            deleted_at: None,
            ..node
        })
    });
    rows(on, nodes.collect(), folder.as_parent()?, at).await
}

/// Adds to nodes what their versions were.
async fn rows(
    on: &impl ConnectionTrait,
    nodes: Vec<node::Model>,
    parent: Option<NodeId>,
    at: Timestamp,
) -> Result<Vec<Row>, Error> {
    let nos: Vec<i64> = nodes.iter().map(|node| node.no).collect();
    let mut heads = heads(on, &nos, at).await?;
    let links = heads.values().filter_map(|(head, _)| head.as_ref());
    let links: Vec<i64> = links
        .filter(|head| head.kind == Kind::Symlink)
        .map(|head| head.no)
        .collect();
    let mut targets = targets(on, &links).await?;
    let row = |node: node::Model| {
        let (head, count) = heads.remove(&node.no).unwrap_or_default();
        let kind = head.as_ref().map_or(node.kind, |head| head.kind);
        Row {
            versions: if kind == Kind::Folder { 0 } else { count },
            target: head.as_ref().and_then(|head| targets.remove(&head.no)),
            node: node::Model {
                head: head.as_ref().map(|head| head.no),
                kind,
                ..node
            },
            head,
            parent,
        }
    };
    Ok(nodes.into_iter().map(row).collect())
}

/// The newest versions of nodes at a moment, and how many versions there were of each.
///
/// A torn version takes the place of torn ones only, unless a person chose it (it belongs to no commit then).
async fn heads(
    on: &impl ConnectionTrait,
    nodes: &[i64],
    at: Timestamp,
) -> Result<HashMap<i64, (Option<version::Model>, u32)>, Error> {
    let mut asked = Vec::new();
    for nodes in nodes.chunks(BATCH) {
        let text = format!(
            "SELECT node, COUNT(*) AS count, MAX(no) AS newest, \
             MAX(CASE WHEN NOT torn OR root_commit IS NULL THEN no END) AS firm FROM version \
             WHERE node IN ({}) AND created <= $1 GROUP BY node",
            places(2, nodes.len())
        );
        let values = std::iter::once(Value::from(at.0)).chain(nodes.iter().map(|no| (*no).into()));
        asked.extend(Newest::find_by_statement(sql(&text, on, values)).all(on).await?);
    }
    let nos: HashSet<i64> = asked
        .iter()
        .flat_map(|one| one.firm.into_iter().chain([one.newest]))
        .collect();
    let mut versions = HashMap::with_capacity(nos.len());
    for nos in nos.into_iter().collect::<Vec<_>>().chunks(BATCH) {
        let query = version::Entity::find().filter(version::Column::No.is_in(nos.iter().copied()));
        versions.extend(query.all(on).await?.into_iter().map(|version| (version.no, version)));
    }
    let head = |one: Newest| {
        let firm = one
            .firm
            .and_then(|no| versions.get(&no))
            .filter(|version| !version.torn);
        let head = firm.or_else(|| versions.get(&one.newest)).cloned();
        (one.node, (head, u32::try_from(one.count).unwrap_or(u32::MAX)))
    };
    Ok(asked.into_iter().map(head).collect())
}

#[derive(Debug, FromQueryResult)]
struct Newest {
    node: i64,
    count: i64,
    newest: i64,
    /// The newest one that is not torn, or was chosen.
    firm: Option<i64>,
}
