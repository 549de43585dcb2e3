//! Rows of the database as the API shows them.

use beckon_shared::{
    api::{
        Blob,
        drive::{HeadView, NodeView, VersionView},
    },
    id::{DeviceId, Hash, NodeId, VersionId},
    path::Name,
    time::Timestamp,
};

use crate::store::{
    Error,
    meta::{
        drive::{Row, head::Found},
        entity::version,
    },
};

/// A node with its newest version.
pub(crate) fn node_view(row: &Row) -> Result<NodeView, Error> {
    let head = row.head.as_ref();
    let name = stored_name(&row.node.name)?;
    Ok(NodeView {
        id: row.id()?,
        parent: row.parent,
        name: name.display(),
        name_bytes: name.as_str().is_none().then_some(name),
        kind: row.node.kind.into(),
        size: head.map_or(0, |head| head.size.cast_unsigned()),
        mtime: head.map_or(Timestamp(row.node.created), mtime),
        head: head.map(version_id).transpose()?,
        hash: head.and_then(content_hash).transpose()?,
        torn: head.is_some_and(|head| head.torn),
        mode: head.map_or(0, mode),
        target: row.target.clone().map(Blob),
        deleted: row.node.deleted_at.map(Timestamp),
        device: head.and_then(origin).transpose()?,
        stored: head.map(|head| Timestamp(head.created)),
        versions: row.versions,
    })
}

/// One content of a node whose newest version is number `head`.
pub(crate) fn version_view(version: &version::Model, head: Option<i64>) -> Result<VersionView, Error> {
    Ok(VersionView {
        id: version_id(version)?,
        size: version.size.cast_unsigned(),
        mtime: mtime(version),
        committed: Timestamp(version.created),
        device: origin(version).transpose()?,
        hash: content_hash(version).transpose()?,
        torn: version.torn,
        head: head == Some(version.no),
    })
}

/// What the drive holds of an entry of a machine.
pub(crate) fn head_view((node, head): &Found) -> Result<HeadView, Error> {
    let name = node
        .source_name
        .as_deref()
        .ok_or_else(|| Error::bad_row("source of a node"))?;
    Ok(HeadView {
        name: stored_name(name)?,
        node: NodeId::from_slice(&node.id).map_err(|_| Error::bad_row("node id"))?,
        stamp: head.as_ref().and_then(version::Model::stamp),
        settled: head.as_ref().is_none_or(version::Model::is_settled),
    })
}

/// The id of a version.
pub(crate) fn version_id(version: &version::Model) -> Result<VersionId, Error> {
    VersionId::from_slice(&version.id).map_err(|_| Error::bad_row("version id"))
}

/// The plain BLAKE3 of a file's content.
pub(crate) fn content_hash(version: &version::Model) -> Option<Result<Hash, Error>> {
    Some(Hash::from_slice(version.hash.as_deref()?).map_err(|_| Error::bad_row("content hash")))
}

/// The device that a version came from.
fn origin(version: &version::Model) -> Option<Result<DeviceId, Error>> {
    Some(DeviceId::from_slice(version.device.as_deref()?).map_err(|_| Error::bad_row("device id")))
}

/// Permission bits.
pub(crate) fn mode(version: &version::Model) -> u32 {
    u32::try_from(version.mode).unwrap_or(0)
}

fn mtime(version: &version::Model) -> Timestamp {
    Timestamp(version.mtime_ns.div_euclid(1_000_000))
}

fn stored_name(name: &[u8]) -> Result<Name, Error> {
    Name::new(name).map_err(|_| Error::bad_row("name"))
}
