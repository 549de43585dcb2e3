//! Versions and roots with the places in the drive where people find them.

use std::collections::HashMap;

use beckon_shared::{
    id::{DeviceId, RootId, VersionId},
    time::Timestamp,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    by_numbers,
    path::{Placed, placed},
};
use crate::{
    access::GrantedSpace,
    store::meta::{
        BATCH, Error,
        entity::{source, version},
        source as sources,
    },
};

/// A version of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    /// The version.
    pub(crate) id: VersionId,
    /// When it was committed.
    pub(crate) committed: Timestamp,
    /// Bytes of its content.
    pub(crate) size: u64,
}

/// These versions with the files that they are of.
pub(crate) async fn versions_named(on: &impl ConnectionTrait, nos: &[i64]) -> Result<Vec<(Named, Placed)>, Error> {
    let mut found = Vec::new();
    for nos in nos.chunks(BATCH) {
        let query = version::Entity::find().filter(version::Column::No.is_in(nos.iter().copied()));
        let versions = query.all(on).await?;
        let nodes: Vec<i64> = versions.iter().map(|version| version.node).collect();
        for (version, placed) in versions.iter().zip(placed_each(on, &nodes).await?) {
            let Some(placed) = placed else { continue };
            let id = VersionId::from_slice(&version.id).map_err(|_| Error::bad_row("version id"))?;
            let named = Named {
                id,
                committed: Timestamp(version.created),
                size: version.size.cast_unsigned(),
            };
            found.push((named, placed));
        }
    }
    Ok(found)
}

/// The nodes of these numbers, each as often as it is named.
async fn placed_each(on: &impl ConnectionTrait, nos: &[i64]) -> Result<Vec<Option<Placed>>, Error> {
    let mut unique: Vec<i64> = nos.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let rows = placed(on, by_numbers(on, &unique).await?).await?;
    let rows: HashMap<i64, Placed> = rows.into_iter().map(|placed| (placed.row.node.no, placed)).collect();
    Ok(nos.iter().map(|no| rows.get(no).cloned()).collect())
}

/// The roots of machines whose folders are in the drive: device, root and row number, with the folder.
pub(crate) async fn source_folders(
    on: &impl ConnectionTrait,
    space: &GrantedSpace,
) -> Result<Vec<((DeviceId, RootId, i64), Placed)>, Error> {
    let query = source::Entity::find().filter(source::Column::Space.eq(space.column()));
    let mut found = Vec::new();
    for source in query.all(on).await? {
        if sources::is_files(&source)? {
            continue;
        }
        let folder = placed_each(on, &[source.folder]).await?.pop().flatten();
        let Some(folder) = folder.filter(|folder| folder.row.node.deleted_at.is_none()) else {
            continue;
        };
        let device = DeviceId::from_slice(&source.device).map_err(|_| Error::bad_row("device id"))?;
        let root = RootId::from_slice(&source.root).map_err(|_| Error::bad_row("root id"))?;
        found.push(((device, root, source.no), folder));
    }
    Ok(found)
}
