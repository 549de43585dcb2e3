//! Where in the drive lies what a transfer stored, and on a machine what it wrote.

use crate::{api, page::drive, route, store::Stores};
use beckon_shared::{
    api::{
        drive::{Listing, NodeView},
        transfer::TransferDetail,
    },
    id::{NodeId, TransferId},
    path::{Name, RootPath},
    transfer::TransferView,
};

/// No drive is deeper: a path of one-letter names has so many.
const DEEPEST: usize = 2048;

/// The address of what a transfer stored first, or of its root; nothing once neither is there.
pub(crate) async fn find(id: TransferId) -> Option<String> {
    let detail: TransferDetail = api::get(&format!("/api/transfers/{id}")).await.ok()?;
    of(&detail).await
}

/// The address of the folder that a transfer writes in; nothing of one that stores. `below` is the place below its root,
/// where that is known.
pub(crate) fn written(stores: Stores, view: &TransferView, below: Option<&RootPath>) -> Option<String> {
    let device = stores.devices.peek(view.device).filter(|_| view.task.writes())?;
    let root = device.roots.iter().find(|root| root.id == view.root_id)?;
    let place = below.cloned().unwrap_or_else(RootPath::root);
    Some(route::folder(view.device, root.id, &place))
}

/// The same, where its story is known.
pub(crate) async fn of(detail: &TransferDetail) -> Option<String> {
    let root = path_of(detail.node).await?;
    let first = detail.selected.first().filter(|first| !first.is_root());
    let found = match first.and_then(|first| join(&root, first)) {
        Some(first) => inside(&first).await,
        None => None,
    };
    Some(found.unwrap_or_else(|| route::drive(&root)))
}

/// The address of the folder that something lies in, which is the one to begin at there.
async fn inside(path: &RootPath) -> Option<String> {
    let found = read(&format!("path={}", route::percent_bytes(path.as_bytes()))).await?;
    let (folder, _) = path.split_last()?;
    Some(drive::address(&folder, Some(found.id)))
}

fn join(above: &RootPath, below: &RootPath) -> Option<RootPath> {
    below
        .names()
        .try_fold(above.clone(), |path, name| path.join(&name).ok())
}

/// The path of a folder as it is called now.
async fn path_of(folder: Option<NodeId>) -> Option<RootPath> {
    let (mut names, mut next) = (Vec::new(), Some(folder?));
    while let Some(id) = next.filter(|_| names.len() < DEEPEST) {
        let folder = read(&format!("node={id}")).await?;
        next = folder.parent;
        let name = folder.name_bytes.or_else(|| Name::new(folder.name.as_bytes()).ok());
        names.push(name?);
    }
    let mut names = names.iter().rev();
    names.try_fold(RootPath::root(), |path, name| path.join(name).ok())
}

async fn read(which: &str) -> Option<NodeView> {
    let found: Listing = api::get(&format!("/api/drive/list?limit=1&{which}")).await.ok()?;
    found.node.filter(|node| node.deleted.is_none())
}
