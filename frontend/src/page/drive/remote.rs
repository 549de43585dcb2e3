//! What the drive's page asks of the server.

use beckon_shared::{
    api::drive::{
        Deleted, Listing, MakeCurrent, Move, NewFolder, NodeView, Nodes, OriginView, Recent, Rewind, Rewound,
        VersionView,
    },
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    id::{NodeId, VersionId},
    path::{Name, RootPath},
    time::Timestamp,
};

use super::item;
use crate::{api, route, text::drive as words};

/// Nodes in one request.
const NODES_MAX: usize = 1000;
/// Rows of the first page: a screen or two, at once.
const FIRST: u32 = 300;
/// Rows of all others.
const LATER: u32 = 1000;

/// No path is deeper.
const DEPTH_MAX: usize = 4096;
/// Downloads of one click that follow faster than this are taken for one by some browsers. Milliseconds.
pub(crate) const BETWEEN_DOWNLOADS: u32 = 250;

/// The folder that files are put into by hand.
pub(crate) const FILES: &[u8] = b"Files";

/// A page of a folder, as of a time or as it is.
pub(crate) async fn list(path: &RootPath, at: Option<Timestamp>, after: Option<&Name>) -> Result<Listing, Refusal> {
    let limit = if after.is_none() { FIRST } else { LATER };
    let after = after
        .map(|after| format!("&after={}", json_text(after)))
        .unwrap_or_default();
    let address = format!(
        "/api/drive/list?limit={limit}&path={}{after}{}",
        route::percent_bytes(path.as_bytes()),
        and_at(at)
    );
    match api::get(&address).await {
        // Where nobody put anything in yet the folder for it is empty.
        Err(refusal) if refusal.code == ErrorCode::NotFound && path.as_bytes() == FILES && at.is_none() => {
            Ok(Listing {
                node: None,
                children: Vec::new(),
                next: None,
            })
        }
        other => other,
    }
}

/// What stands at a path.
pub(crate) async fn at(path: &RootPath) -> Result<NodeView, Refusal> {
    let path = route::percent_bytes(path.as_bytes());
    let listing: Listing = api::get(&format!("/api/drive/list?limit=1&path={path}")).await?;
    listing.node.ok_or_else(gone)
}

/// The folder that a node lies in now.
pub(super) async fn folder_of(node: NodeId) -> Result<RootPath, Refusal> {
    let mut names = Vec::new();
    let mut parent = with_id(node).await?.parent;
    while let Some(folder) = parent.filter(|parent| *parent != NodeId::TOP) {
        let folder = with_id(folder).await?;
        names.push(item::name(&folder).ok_or_else(gone)?);
        if names.len() > DEPTH_MAX {
            return Err(gone());
        }
        parent = folder.parent;
    }
    let mut path = names.iter().rev();
    path.try_fold(RootPath::root(), |path, name| path.join(name))
        .map_err(|_| gone())
}

async fn with_id(node: NodeId) -> Result<NodeView, Refusal> {
    let listing: Listing = api::get(&format!("/api/drive/list?limit=1&node={node}")).await?;
    listing.node.ok_or_else(gone)
}

fn gone() -> Refusal {
    Refusal::new(ErrorCode::NotFound, words::gone())
}

/// A page of what can be restored.
pub(super) async fn deleted(after: Option<NodeId>) -> Result<Deleted, Refusal> {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    api::get(&format!("/api/drive/deleted?limit={LATER}{after}")).await
}

/// The files that were stored last.
pub(super) async fn recent() -> Result<Recent, Refusal> {
    api::get("/api/drive/recent?limit=200").await
}

/// All versions of a file, newest first.
pub(crate) async fn versions(node: NodeId) -> Result<Vec<VersionView>, Refusal> {
    api::get(&format!("/api/drive/versions?node={node}")).await
}

/// Makes an older version the newest.
pub(crate) async fn make_current(node: NodeId, version: VersionId) -> Result<(), Refusal> {
    api::tell("/api/drive/current", &MakeCurrent { node, version }).await
}

/// Gives a node another name.
pub(super) async fn rename(node: NodeId, name: Name) -> Result<(), Refusal> {
    let (parent, name) = (None, Some(name));
    api::tell("/api/drive/move", &Move { node, parent, name }).await
}

/// Puts a node into another folder.
pub(super) async fn move_to(node: NodeId, parent: NodeId) -> Result<(), Refusal> {
    let (parent, name) = (Some(parent), None);
    api::tell("/api/drive/move", &Move { node, parent, name }).await
}

/// Puts nodes to Deleted.
pub(super) async fn delete(nodes: &[NodeId]) -> Result<(), Refusal> {
    tell_all("/api/drive/delete", nodes).await
}

/// Brings nodes back from Deleted.
pub(super) async fn restore(nodes: &[NodeId]) -> Result<(), Refusal> {
    tell_all("/api/drive/restore", nodes).await
}

/// Deletes for good what stands in Deleted.
pub(super) async fn purge(nodes: &[NodeId]) -> Result<(), Refusal> {
    tell_all("/api/drive/purge", nodes).await
}

/// Deletes for good all that stands in Deleted.
pub(super) async fn empty() -> Result<(), Refusal> {
    api::tell("/api/drive/empty", &()).await
}

async fn tell_all(address: &str, nodes: &[NodeId]) -> Result<(), Refusal> {
    for some in nodes.chunks(NODES_MAX) {
        let nodes = Nodes { nodes: some.to_vec() };
        api::tell(address, &nodes).await?;
    }
    Ok(())
}

/// Makes a folder; without a parent in `Files` itself.
pub(super) async fn make_folder(parent: Option<NodeId>, name: Name) -> Result<NodeView, Refusal> {
    api::post("/api/drive/folders", &NewFolder { parent, name }).await
}

/// Which root something came from, and after which of its commits it was so.
pub(super) async fn origin(node: NodeId, at: Option<Timestamp>) -> Result<OriginView, Refusal> {
    api::get(&format!("/api/drive/origin?node={node}{}", and_at(at))).await
}

/// Puts back what something held at a time.
pub(super) async fn rewind(node: NodeId, at: Timestamp) -> Result<Rewound, Refusal> {
    let node = Some(node);
    api::post("/api/drive/rewind", &Rewind { node, path: None, at }).await
}

/// Where the browser downloads a node from as it stood at a time.
pub(super) fn download_at(node: &NodeView, at: Option<Timestamp>) -> String {
    match (at, node.kind, node.head) {
        (Some(_), EntryKind::Folder, _) => format!("{}?{}", download(node), and_at(at).trim_start_matches('&')),
        (Some(_), _, Some(head)) => download_version(node.id, head),
        _ => download(node),
    }
}

fn and_at(at: Option<Timestamp>) -> String {
    at.map(|at| format!("&at={at}")).unwrap_or_default()
}

/// Where the browser downloads a node from: a file as it is, a folder as a ZIP.
pub(crate) fn download(node: &NodeView) -> String {
    match node.kind {
        EntryKind::Folder => format!("/api/drive/zip/{}", node.id),
        _ => file(node.id),
    }
}

/// Where a file's newest version is read from.
pub(super) fn file(node: NodeId) -> String {
    format!("/api/drive/file/{node}")
}

/// Where an older version is downloaded from.
pub(crate) fn download_version(node: NodeId, version: VersionId) -> String {
    format!("/api/drive/file/{node}?version={version}")
}

/// A binary value as it stands in JSON, for a query; its letters need no percent signs.
fn json_text(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    json.trim_matches('"').to_owned()
}
