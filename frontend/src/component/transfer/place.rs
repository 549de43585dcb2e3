//! Where in the drive lies what a transfer stored.

use beckon_shared::{
    api::drive::{Heads, HeadsOf, Listing, NodeView},
    id::{DeviceId, NodeId, RootId},
    path::{Name, RootPath},
    transfer::TransferView,
};

use super::why;
use crate::{api, page::drive, route, store::Stores};

/// No drive is deeper: a path of one-letter names has so many.
const DEEPEST: usize = 2048;

/// The address of its root by the names that it had then, which somebody may have changed since.
pub(super) fn by_names(stores: Stores, view: &TransferView) -> Option<String> {
    root(stores, view).map(|path| route::drive(&path))
}

/// The address of what it stored first, wherever that was moved since, or of its root.
pub(super) async fn find(stores: Stores, view: &TransferView) -> Option<String> {
    match found_first(stores, view).await {
        None => found_root(stores, view).await,
        found => found,
    }
}

async fn found_first(stores: Stores, view: &TransferView) -> Option<String> {
    for path in firsts(&view.what) {
        if let Some(found) = stored(stores, view, &path).await {
            return Some(drive::address(&path_of(found.parent).await?, Some(found.id)));
        }
    }
    None
}

/// What the drive holds of an entry of its root.
async fn stored(stores: Stores, view: &TransferView, path: &RootPath) -> Option<NodeView> {
    match why::is_of_machine(stores, view) {
        true => node(of_machine(stores, view, path).await?).await,
        // What a terminal put in is found by its names only.
        false => at(&join(&root(stores, view)?, path)?).await,
    }
}

async fn found_root(stores: Stores, view: &TransferView) -> Option<String> {
    let path = root(stores, view)?;
    if at(&path).await.is_some() {
        return Some(route::drive(&path));
    }
    // It has other names now. What is in it knows where it is.
    let (device, root) = source(stores, view)?;
    let inside: Heads = api::get(&format!("/api/drive/heads?device={device}&root={root}&limit=1"))
        .await
        .ok()?;
    let parent = node(inside.heads.first()?.node).await?.parent;
    Some(route::drive(&path_of(parent).await?))
}

/// The root's path in the drive by its names.
fn root(stores: Stores, view: &TransferView) -> Option<RootPath> {
    match why::is_of_machine(stores, view) {
        true => join(&named(&view.machine)?, &named(&view.root)?),
        false => named(&view.root),
    }
}

fn named(name: &str) -> Option<RootPath> {
    RootPath::root().join(&Name::new(name.as_bytes()).ok()?).ok()
}

fn join(above: &RootPath, below: &RootPath) -> Option<RootPath> {
    below
        .names()
        .try_fold(above.clone(), |path, name| path.join(&name).ok())
}

/// The machine and the root, by what the machine calls it now.
fn source(stores: Stores, view: &TransferView) -> Option<(DeviceId, RootId)> {
    let device = stores.devices.peek(view.device)?;
    let root = device.roots.iter().find(|root| root.name.as_str() == view.root)?;
    Some((view.device, root.id))
}

/// The node that a machine's entry is bound to.
async fn of_machine(stores: Stores, view: &TransferView, entry: &RootPath) -> Option<NodeId> {
    let (device, root) = source(stores, view)?;
    let (path, name) = entry.split_last()?;
    let names = vec![name];
    let question = HeadsOf {
        device,
        root,
        path,
        names,
    };
    let found: Heads = api::post("/api/drive/heads", &question).await.ok()?;
    found.heads.first().map(|head| head.node)
}

async fn at(path: &RootPath) -> Option<NodeView> {
    read(&format!("path={}", route::percent_bytes(path.as_bytes()))).await
}

async fn node(id: NodeId) -> Option<NodeView> {
    read(&format!("node={id}")).await
}

async fn read(which: &str) -> Option<NodeView> {
    let found: Listing = api::get(&format!("/api/drive/list?limit=1&{which}")).await.ok()?;
    found.node.filter(|node| node.deleted.is_none())
}

/// The path of a folder as it is called now.
async fn path_of(folder: Option<NodeId>) -> Option<RootPath> {
    let (mut names, mut next) = (Vec::new(), folder);
    while let Some(id) = next.filter(|_| names.len() < DEEPEST) {
        let folder = node(id).await?;
        next = folder.parent;
        let name = folder.name_bytes.or_else(|| Name::new(folder.name.as_bytes()).ok());
        names.push(name?);
    }
    let mut names = names.iter().rev();
    names.try_fold(RootPath::root(), |path, name| path.join(name).ok())
}

/// What may be the first path of a selection, as it was told for people (see [`crate::order::what`]): a name may hold what
/// stands between paths.
fn firsts(what: &str) -> Vec<RootPath> {
    let is_count = |more: &str| more.parse::<u64>().is_ok();
    let listed = match what.rsplit_once(" +") {
        Some((listed, more)) if is_count(more) => listed,
        _ => what,
    };
    let mut texts = vec![what, listed, listed.split(", ").next().unwrap_or_default()];
    texts.dedup();
    let paths = texts.into_iter().filter_map(|text| RootPath::new(text).ok());
    paths.filter(|path| !path.is_root()).collect()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::firsts;

    #[wasm_bindgen_test]
    fn the_first_path_is_read_out_of_what_is_told_of_a_selection() {
        let read = |what: &str| firsts(what).iter().map(|path| path.display()).collect::<Vec<_>>();
        assert_eq!(read("a/b.txt"), ["a/b.txt"]);
        assert_eq!(read("a, b +3"), ["a, b +3", "a, b", "a"]);
        assert_eq!(read("C++ +x"), ["C++ +x"]);
        assert!(read("").is_empty());
    }
}
