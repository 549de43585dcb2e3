//! What of a folder is downloaded: straight from the machine while that is there, else from the drive.

use std::sync::Arc;

use beckon_shared::{
    browse::{Answer, Ask},
    error::Refusal,
    id::{DeviceId, RootId},
    path::RootPath,
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use leptos::{prelude::*, task::spawn_local};

use super::{
    folder::{Folder, Trouble},
    item::Item,
};
use crate::{
    dom,
    download::{
        self, Wanted,
        message::{Place, Top, What},
    },
    page::drive::remote,
    session,
    store::Stores,
    text::{download as words, machine},
};

/// Downloads rows straight from the machine: a file as it is, a folder as its ZIP, several things as one ZIP.
pub(super) fn start(folder: Folder, items: &[Arc<Item>]) {
    let place = folder.spot().place;
    let tops = items.iter().filter_map(|item| {
        let (root, path) = item.address(place.as_ref())?;
        let entry = item.entry.clone();
        let place = Place { root, path };
        Some(Top { place, entry })
    });
    let tops: Vec<_> = tops.collect();
    let (name, what, size) = match (items, tops.as_slice()) {
        (_, []) => return,
        ([item], [top]) if item.is_file() => {
            let size = top.entry.stamp.size;
            (item.entry.name.display(), What::File(top.place.clone()), Some(size))
        }
        ([item], _) => (format!("{}.zip", item.entry.name.display()), What::Archive(tops), None),
        _ => (words::zip_of_many(&here(folder)), What::Archive(tops), None),
    };
    let wanted = Wanted {
        machine: folder.machine(),
        name,
        what,
        size,
    };
    download::start(folder.stores, wanted);
}

/// What the folder is called: by its own name, at a root's top by the root's, above that by the machine's.
fn here(folder: Folder) -> String {
    let Some((root, path)) = folder.spot().place else {
        return folder.machine_name();
    };
    match path.split_last() {
        Some((_, name)) => name.display(),
        None => folder
            .names_of(root)
            .map(|(_, name)| name.to_string())
            .unwrap_or_default(),
    }
}

/// Has the browser download rows from the drive, folders each as a ZIP.
pub(super) fn from_drive(folder: Folder, items: &[Arc<Item>]) {
    let places = items.iter().cloned();
    let places: Vec<_> = places
        .filter_map(|item| Some((folder.place_in_drive(&item)?, item)))
        .collect();
    spawn_local(async move {
        for (at, (place, item)) in places.iter().enumerate() {
            let name = item.entry.name.display();
            match remote::at(place).await {
                Ok(node) if item.is_folder() => dom::download(&remote::download(&node), &format!("{name}.zip")),
                Ok(node) => dom::download(&remote::download(&node), &name),
                Err(refusal) => {
                    let rest: Vec<_> = places[at..].iter().map(|(_, item)| Arc::clone(item)).collect();
                    return tell(folder, rest, &refusal);
                }
            }
            dom::sleep(remote::BETWEEN_DOWNLOADS).await;
        }
    });
}

/// Says that the first of these was not downloaded; the others were not begun.
fn tell(folder: Folder, items: Vec<Arc<Item>>, refusal: &Refusal) {
    if !folder.is_there() {
        return;
    }
    let name = items.first().map(|item| item.label()).unwrap_or_default();
    let again = Callback::new(move |()| folder.download(&items));
    let trouble = Trouble::of(machine::download_failed(&name), refusal, again);
    folder.trouble.set(Some(trouble));
}

/// Reads a file of a machine through its session.
pub(super) fn reader(
    stores: Stores,
    machine: DeviceId,
    root: RootId,
    path: RootPath,
) -> impl Fn(u64, u32) -> LocalBoxFuture<'static, Result<Vec<u8>, Refusal>> {
    move |offset, len| {
        let path = path.clone();
        async move {
            let ask = Ask::Read {
                root,
                path,
                offset,
                len,
            };
            match session::ask(stores, machine, ask).await? {
                Answer::Bytes(bytes) if bytes.len() <= len as usize => Ok(bytes),
                _ => Err(session::misunderstood()),
            }
        }
        .boxed_local()
    }
}
