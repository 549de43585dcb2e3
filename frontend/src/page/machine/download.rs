//! Downloads straight from a machine, gathered in memory and handed to the browser.

use std::sync::Arc;

use beckon_shared::{
    browse::{Answer, Ask, READ_MAX},
    entry::{Entry, EntryKind},
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId},
    path::RootPath,
};
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use leptos::{prelude::*, task::spawn_local};

use super::{
    act::DOWNLOAD_MAX,
    folder::{Folder, Trouble},
    item::Item,
};
use crate::{
    dom,
    page::drive::remote,
    session,
    store::{Download, Stores},
    text::{self, machine as words},
};

/// Reads under way at once: enough to fill a line of 100 ms.
const WINDOW: usize = 6;
/// The browser has begun to save after this long. Milliseconds.
const SAVED_MS: u32 = 60_000;

/// Downloads files one after the other, also when the folder is left meanwhile.
pub(super) fn start(folder: Folder, files: Vec<Arc<Item>>) {
    let (stores, machine, place) = (folder.stores, folder.machine(), folder.spot().place);
    spawn_local(async move {
        for (at, item) in files.iter().enumerate() {
            let Some((root, path)) = item.address(place.as_ref()) else {
                continue;
            };
            let remote = Remote {
                stores,
                machine,
                root,
                path,
            };
            let gathered = remote.gather(&item.label()).await;
            stores.downloads.now.set(None);
            match gathered {
                _ if stores.me.with_untracked(Option::is_none) => return,
                Ok(parts) => save(&parts, &item.entry.name.display()),
                Err(refusal) => return tell(folder, &files[at..], refusal),
            }
        }
    });
}

/// Has the browser download folders from the drive, each as a ZIP.
pub(super) fn zip(folder: Folder, folders: Vec<Arc<Item>>) {
    let places: Vec<_> = folders
        .into_iter()
        .filter_map(|item| Some((folder.place_in_drive(&item)?, item)))
        .collect();
    spawn_local(async move {
        for (at, (place, item)) in places.iter().enumerate() {
            match remote::at(place).await {
                Ok(node) => dom::download(&remote::download(&node), &format!("{}.zip", item.label())),
                Err(refusal) => {
                    let rest: Vec<_> = places[at..].iter().map(|(_, item)| Arc::clone(item)).collect();
                    return tell(folder, &rest, refusal);
                }
            }
            dom::sleep(remote::BETWEEN_DOWNLOADS).await;
        }
    });
}

/// Says that the first of these was not downloaded; the others were not begun.
fn tell(folder: Folder, files: &[Arc<Item>], refusal: Refusal) {
    let name = files.first().map(|item| item.label()).unwrap_or_default();
    if !folder.is_there() {
        return folder.stores.downloads.failed.set(Some((name, refusal)));
    }
    let files = files.to_vec();
    let again = Callback::new(move |()| folder.download(&files));
    let trouble = Trouble::of(words::download_failed(&name), &refusal, again);
    folder.trouble.set(Some(trouble));
}

/// A file of a machine.
struct Remote {
    stores: Stores,
    machine: DeviceId,
    root: RootId,
    path: RootPath,
}

impl Remote {
    /// All bytes of one state of the file. The machine opens it anew for each piece, so nothing but the same stamp before
    /// and after proves that they belong together.
    async fn gather(&self, name: &str) -> Result<js_sys::Array, Refusal> {
        let before = self.stat().await?;
        let size = before.stamp.size;
        if before.kind != EntryKind::File || size > DOWNLOAD_MAX {
            return Err(changing());
        }
        let read = reader(self.stores, self.machine, self.root, self.path.clone());
        let piece = u64::from(READ_MAX);
        let asks = (0..size.div_ceil(piece)).map(|index| {
            let offset = index * piece;
            let len = (size - offset).min(piece) as u32;
            read(offset, len).map(move |bytes| whole(bytes?, len))
        });
        let mut answers = stream::iter(asks).buffered(WINDOW);
        let parts = js_sys::Array::new();
        let mut done = 0;
        while let Some(bytes) = answers.next().await {
            let bytes = bytes?;
            done += bytes.len() as u64;
            parts.push(&js_sys::Uint8Array::from(bytes.as_slice()));
            let name = name.to_owned();
            self.stores.downloads.now.set(Some(Download { name, done, size }));
        }
        match self.stat().await? == before {
            true => Ok(parts),
            false => Err(changing()),
        }
    }

    async fn stat(&self) -> Result<Entry, Refusal> {
        let ask = Ask::Stat {
            root: self.root,
            path: self.path.clone(),
        };
        match session::ask(self.stores, self.machine, ask).await? {
            Answer::Page(page) => page.entries.into_iter().next().ok_or_else(session::misunderstood),
            _ => Err(session::misunderstood()),
        }
    }
}

fn whole(bytes: Vec<u8>, len: u32) -> Result<Vec<u8>, Refusal> {
    match bytes.len() == len as usize {
        true => Ok(bytes),
        false => Err(changing()),
    }
}

fn changing() -> Refusal {
    Refusal::new(ErrorCode::Changing, text::error::machine_changing())
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

/// The browser's own download; of a type that it never shows.
fn save(parts: &js_sys::Array, name: &str) {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type("application/octet-stream");
    let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(parts, &options);
    let Some(url) = blob
        .ok()
        .and_then(|blob| web_sys::Url::create_object_url_with_blob(&blob).ok())
    else {
        return;
    };
    dom::download(&url, name);
    spawn_local(async move {
        dom::sleep(SAVED_MS).await;
        let _ = web_sys::Url::revoke_object_url(&url);
    });
}
