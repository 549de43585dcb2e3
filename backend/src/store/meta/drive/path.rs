//! Where nodes stand: their paths from the top.

use std::collections::{HashMap, HashSet};

use beckon_shared::{id::NodeId, path::PATH_MAX};
use sea_orm::ConnectionTrait;

use super::Row;
use crate::store::meta::{Error, places, sql};

/// Folders that are looked up at once: the names above each may take as many bytes as a path.
const FOLDERS: usize = 100;

/// A node with its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// Its path from the top, or the end of that, at most [`PATH_MAX`] bytes.
    pub(crate) path: Vec<u8>,
    /// The node.
    pub(crate) row: Row,
}

/// A folder's path, or an end of it that is longer than a path can be, with a slash behind it, and its id unless it is the top.
type Folder = (Vec<u8>, Option<NodeId>);

/// Adds paths and parents.
pub(crate) async fn placed(on: &impl ConnectionTrait, rows: Vec<Row>) -> Result<Vec<Placed>, Error> {
    let parents: HashSet<i64> = rows.iter().filter_map(|row| row.node.parent).collect();
    let folders = folders(on, &parents.into_iter().collect::<Vec<_>>()).await?;
    let place = |mut row: Row| {
        let (path, id) = row
            .node
            .parent
            .and_then(|parent| folders.get(&parent))
            .map_or((&[][..], None), |(path, id)| (path.as_slice(), *id));
        row.parent = id;
        Placed {
            path: ending([path, &row.node.name].concat()),
            row,
        }
    };
    Ok(rows.into_iter().map(place).collect())
}

async fn folders(on: &impl ConnectionTrait, nos: &[i64]) -> Result<HashMap<i64, Folder>, Error> {
    let mut folders: HashMap<i64, Folder> = HashMap::with_capacity(nos.len());
    for nos in nos.chunks(FOLDERS) {
        let text = format!(
            "WITH RECURSIVE above (start, id, parent, name, level, len) AS (\
            SELECT no, id, parent, name, CAST(0 AS BIGINT), CAST(LENGTH(name) + 1 AS BIGINT) FROM node WHERE no IN ({}) UNION ALL \
            SELECT a.start, n.id, n.parent, n.name, a.level + 1, a.len + LENGTH(n.name) + 1 \
            FROM above a JOIN node n ON n.no = a.parent WHERE a.len <= {PATH_MAX}) \
            SELECT start, id, name, level FROM above WHERE parent IS NOT NULL ORDER BY start, level DESC",
            places(1, nos.len())
        );
        for row in on
            .query_all_raw(sql(&text, on, nos.iter().map(|no| (*no).into())))
            .await?
        {
            let (path, id) = folders.entry(row.try_get("", "start")?).or_default();
            path.extend(row.try_get::<Vec<u8>>("", "name")?);
            path.push(b'/');
            if row.try_get::<i64>("", "level")? == 0 {
                let bytes: Vec<u8> = row.try_get("", "id")?;
                *id = Some(NodeId::from_slice(&bytes).map_err(|_| Error::bad_row("node id"))?);
            }
        }
    }
    Ok(folders)
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
