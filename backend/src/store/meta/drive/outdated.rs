//! What the drive holds no more as a machine brought it: the machine remembers what it committed, and hears here what
//! became of that.

use std::collections::{BTreeMap, HashMap};

use beckon_shared::{
    api::drive::{Outdated, OutdatedPlace},
    entry::InDrive,
    path::{Name, RootPath},
};
use sea_orm::ConnectionTrait;

use super::head::Origin;
use crate::{
    access::GrantedSpace,
    store::meta::{
        BATCH, Error,
        entity::{Kind, source},
        places, source as sources, sql,
    },
};

/// So many nodes are looked at; of a root where more changed nothing is told.
const NODES_MAX: usize = 20_000;
/// No more places are told.
const PLACES_MAX: usize = 1000;
/// Nor more bytes of paths: a machine takes them in one message.
const BYTES_MAX: usize = 64 << 10;

/// A place that a node is bound to: the node of its folder, and its name there.
type Spot = (i64, Vec<u8>);

/// What at, above and below a folder of a machine is not in the drive as the machine committed it last.
pub(crate) async fn outdated(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
    origin: &Origin<'_>,
) -> Result<Outdated, Error> {
    let Some(source) = sources::find(on, space, origin.device, origin.root).await? else {
        return Ok(told(0, whole(InDrive::No)));
    };
    let epoch = source.epoch.cast_unsigned();
    if !sources::is_live(on, source.folder).await? {
        return Ok(told(epoch, whole(InDrive::No)));
    }
    if epoch == sources::FIRST_EPOCH {
        return Ok(told(epoch, BTreeMap::new()));
    }
    let spots = spots(on, &source).await?;
    if spots.len() > NODES_MAX {
        return Ok(told(epoch, whole(InDrive::Unknown)));
    }
    let above = folders_of(on, &source, &spots).await?;
    let mut found = BTreeMap::new();
    for (spot, state) in spots {
        if let Some(path) = path_of(&source, &above, spot)?
            && (path.holds(origin.path) || origin.path.holds(&path))
        {
            found.insert(path, state);
        }
    }
    Ok(told(epoch, fitting(found)))
}

/// Where something was deleted that nothing took the place of, and files whose head no commit of the root made.
async fn spots(on: &impl ConnectionTrait, source: &source::Model) -> Result<Vec<(Spot, InDrive)>, Error> {
    let text = format!(
        "SELECT n.source_parent, n.source_name, n.deleted_at FROM node n JOIN node p ON p.no = n.source_parent \
         WHERE n.source = $1 AND n.deleted_at IS NOT NULL AND (n.removed_at IS NULL OR n.removed_at <> n.deleted_at) \
         AND p.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM node o \
         WHERE o.source_parent = n.source_parent AND o.source_name = n.source_name AND o.deleted_at IS NULL) \
         UNION ALL SELECT n.source_parent, n.source_name, n.deleted_at FROM node n JOIN version v ON v.no = n.head \
         LEFT JOIN root_commit r ON r.no = v.root_commit WHERE n.source = $1 AND n.source_parent IS NOT NULL \
         AND n.deleted_at IS NULL AND n.kind <> {} AND (r.no IS NULL OR r.source <> n.source) LIMIT {}",
        Kind::Folder as i64,
        NODES_MAX + 1
    );
    let rows = on.query_all_raw(sql(&text, on, [source.no.into()])).await?;
    rows.iter()
        .map(|row| {
            let state = match row.try_get::<Option<i64>>("", "deleted_at")? {
                Some(_) => InDrive::No,
                None => InDrive::Changed,
            };
            let spot = (row.try_get("", "source_parent")?, row.try_get("", "source_name")?);
            Ok((spot, state))
        })
        .collect()
}

/// The places of all folders above these spots, by node.
async fn folders_of(
    on: &impl ConnectionTrait,
    source: &source::Model,
    spots: &[(Spot, InDrive)],
) -> Result<HashMap<i64, Spot>, Error> {
    let mut above = HashMap::new();
    let mut open: Vec<i64> = spots.iter().map(|((folder, _), _)| *folder).collect();
    loop {
        open.retain(|folder| *folder != source.folder && !above.contains_key(folder));
        open.sort_unstable();
        open.dedup();
        if open.is_empty() {
            return Ok(above);
        }
        let mut next = Vec::new();
        for folders in open.chunks(BATCH) {
            let text = format!(
                "SELECT no, source_parent, source_name FROM node WHERE source_parent IS NOT NULL AND no IN ({})",
                places(1, folders.len())
            );
            let rows = on.query_all_raw(sql(&text, on, folders.iter().map(|no| (*no).into())));
            for row in rows.await? {
                let folder: i64 = row.try_get("", "source_parent")?;
                above.insert(row.try_get("", "no")?, (folder, row.try_get("", "source_name")?));
                next.push(folder);
            }
        }
        open = next;
    }
}

/// The path of a spot below the root; nothing if a folder above it is bound to the root no more.
fn path_of(source: &source::Model, above: &HashMap<i64, Spot>, spot: Spot) -> Result<Option<RootPath>, Error> {
    let (mut folder, name) = spot;
    let mut names = vec![name];
    while folder != source.folder {
        let Some((next, name)) = above.get(&folder) else {
            return Ok(None);
        };
        names.push(name.clone());
        folder = *next;
    }
    let joined = names.iter().rev().try_fold(RootPath::root(), |path, name| {
        let name = Name::new(name.as_slice()).ok()?;
        path.join(&name).ok()
    });
    joined.map(Some).ok_or_else(|| Error::bad_row("source of a node"))
}

/// As many places as can be told: where there are more, the folders that hold them, of which then nothing is known.
fn fitting(mut found: BTreeMap<RootPath, InDrive>) -> BTreeMap<RootPath, InDrive> {
    while found.len() > PLACES_MAX || found.keys().map(|path| path.as_bytes().len()).sum::<usize>() > BYTES_MAX {
        let folder = |path: RootPath| path.split_last().map_or_else(RootPath::root, |(folder, _)| folder);
        found = found.into_keys().map(|path| (folder(path), InDrive::Unknown)).collect();
    }
    found
}

fn whole(state: InDrive) -> BTreeMap<RootPath, InDrive> {
    BTreeMap::from([(RootPath::root(), state)])
}

fn told(epoch: u64, found: BTreeMap<RootPath, InDrive>) -> Outdated {
    let places = found.into_iter().map(|(path, state)| OutdatedPlace { path, state });
    Outdated {
        epoch,
        places: places.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::new(text).unwrap()
    }

    #[test]
    fn of_more_places_than_can_be_told_their_folders_are_not_known() {
        let many = (0..=PLACES_MAX).map(|at| (path(&format!("a/b/{at}")), InDrive::No));
        let told = fitting(many.chain([(path("a/c"), InDrive::No)]).collect());
        let folders = [(path("a"), InDrive::Unknown), (path("a/b"), InDrive::Unknown)];
        assert_eq!(told, BTreeMap::from(folders));
        let few = BTreeMap::from([(path("a/c"), InDrive::No)]);
        assert_eq!(fitting(few.clone()), few);
    }
}
