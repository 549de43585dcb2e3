//! Where something in the drive came from: the root, the place below it, and the commit after which it was so.

use beckon_shared::{
    api::drive::OriginView,
    commit::ChainHead,
    error::ErrorCode,
    id::{DeviceId, Hash, RootId},
    path::RootPath,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{Row, past::When};
use crate::store::{
    commit::DEPTH_MAX,
    meta::{
        Error,
        entity::{Kind, root_commit, source, version},
        source as sources,
        word::array,
    },
};

/// What a node came from, as it stood at a moment. Refused where that is not one place of one root.
pub(crate) async fn origin(on: &impl ConnectionTrait, row: &Row, when: When) -> Result<OriginView, Error> {
    let (no, path) = bound(on, row, when).await?.ok_or_else(from_nowhere)?;
    let source = source::Entity::find_by_id(no).one(on).await?.ok_or_else(from_nowhere)?;
    if sources::is_files(&source)? {
        return Err(from_nowhere());
    }
    if let Some(head) = row.head.as_ref().filter(|head| head.kind != Kind::Folder)
        && commit_source(on, head).await? != Some(no)
    {
        return Err(Error::refused(
            ErrorCode::Conflict,
            "a person chose this version, or put it in by hand: no machine has signed it; download it instead",
        ));
    }
    let head = newest_commit(on, no, when).await?.ok_or_else(from_nowhere)?;
    Ok(OriginView {
        device: DeviceId::from_slice(&source.device).map_err(|_| Error::bad_row("device id"))?,
        root: RootId::from_slice(&source.root).map_err(|_| Error::bad_row("root id"))?,
        path,
        head,
    })
}

/// The root that a node is bound to, and its path there.
async fn bound(on: &impl ConnectionTrait, row: &Row, when: When) -> Result<Option<(i64, RootPath)>, Error> {
    let (mut names, mut at) = (Vec::new(), Some(row.node.no));
    for _ in 0..=DEPTH_MAX {
        let Some(no) = at else { return Ok(None) };
        let Some(node) = when.node(on, no).await? else {
            return Ok(None);
        };
        let Some(number) = node.source else { return Ok(None) };
        if let (Some(folder), Some(name)) = (node.source_parent, node.source_name) {
            names.push(name);
            at = Some(folder);
            continue;
        }
        let source = source::Entity::find_by_id(number).one(on).await?;
        if source.is_none_or(|source| source.folder != no) {
            return Ok(None);
        }
        names.reverse();
        let path = RootPath::new(names.join(&b'/')).map_err(|_| Error::bad_row("path"))?;
        return Ok(Some((number, path)));
    }
    Ok(None)
}

/// The root whose commit brought a version.
async fn commit_source(on: &impl ConnectionTrait, version: &version::Model) -> Result<Option<i64>, Error> {
    let Some(commit) = version.root_commit else {
        return Ok(None);
    };
    let commit = root_commit::Entity::find_by_id(commit).one(on).await?;
    Ok(commit.map(|commit| commit.source))
}

async fn newest_commit(on: &impl ConnectionTrait, source: i64, when: When) -> Result<Option<ChainHead>, Error> {
    let until = when.at().map_or(i64::MAX, |at| at.0);
    let newest = root_commit::Entity::find()
        .filter(root_commit::Column::Source.eq(source))
        .filter(root_commit::Column::At.lte(until))
        .order_by_desc(root_commit::Column::Number)
        .one(on)
        .await?;
    let head = newest.map(|commit| {
        Ok(ChainHead {
            number: commit.number.cast_unsigned(),
            hash: Hash(array(commit.hash)?),
        })
    });
    head.transpose()
}

fn from_nowhere() -> Error {
    Error::refused(
        ErrorCode::Conflict,
        "this came from no single folder of a machine; choose what lies below it, or download it (beckon get) and send it (beckon send)",
    )
}
