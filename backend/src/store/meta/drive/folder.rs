//! Making folders for what people put in by hand.

use beckon_shared::{api::drive::NewFolder, error::ErrorCode};

use super::{
    Place, Row, by_numbers,
    change::{check_depth, done, is_at_or_below, live, locked, name_taken},
    child, find,
};
use crate::{
    access::GrantedSpace,
    clock::Clock,
    store::meta::{Error, Meta, source, space::check_quota},
};

/// Makes a folder below `Files`, unless it is there. Answers it, and the new revision if it was made.
pub(crate) async fn make(
    meta: &Meta,
    clock: &dyn Clock,
    space: &GrantedSpace,
    asked: &NewFolder,
) -> Result<(Row, Option<u64>), Error> {
    space.writable()?;
    let (txn, revision) = locked(meta, space).await?;
    let files = source::files_folder(&txn, clock, space).await?;
    let files = by_numbers(&txn, &[files])
        .await?
        .pop()
        .ok_or_else(|| Error::bad_row("folder"))?;
    let parent = match asked.parent {
        Some(parent) => live(&txn, space, parent).await?,
        None => files.clone(),
    };
    if !parent.is_folder() || !is_at_or_below(&txn, &parent, &files).await? {
        return Err(Error::refused(
            ErrorCode::BadRequest,
            "folders are made in Files and in the folders below it; choose one of them",
        ));
    }
    match child(&txn, &parent, &asked.name).await? {
        Some(folder) if folder.is_folder() => return Ok((folder, None)),
        Some(_) => return Err(name_taken()),
        None => {}
    }
    check_depth(&txn, &parent, 1).await?;
    let new = source::NewFolder {
        parent: parent.node.no,
        name: &asked.name,
        source: None,
    };
    let made = source::make_folder(&txn, clock, space, new).await?;
    check_quota(&txn, space.id()).await?;
    let made = by_numbers(&txn, &[made]).await?.pop();
    let id = made.ok_or_else(|| Error::bad_row("folder"))?.id()?;
    let made = find(&txn, space, &Place::Node(id)).await?;
    Ok((made, Some(done(txn, revision).await?)))
}
