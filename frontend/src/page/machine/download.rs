//! Downloads straight from a machine, gathered in memory and handed to the browser.

use std::sync::Arc;

use beckon_shared::{
    browse::{Answer, Ask, READ_MAX},
    error::Refusal,
    id::{DeviceId, RootId},
    path::RootPath,
};
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use leptos::{prelude::*, task::spawn_local};

use super::{
    folder::{Folder, Trouble},
    item::Item,
};
use crate::{dom, session, store::Stores, text::machine as words};

/// Reads under way at once: enough to fill a line of 100 ms.
const WINDOW: usize = 6;
/// The browser has begun to save after this long. Milliseconds.
const SAVED_MS: u32 = 60_000;

/// A download under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Download {
    pub(super) name: String,
    pub(super) done: u64,
    pub(super) size: u64,
}

impl Download {
    pub(super) fn percent(&self) -> u64 {
        (self.done * 100).checked_div(self.size).unwrap_or(100).min(100)
    }
}

/// Downloads files one after the other.
pub(super) fn start(folder: Folder, files: Vec<Arc<Item>>) {
    spawn_local(async move {
        for item in files {
            let outcome = one(folder, &item).await;
            if !folder.is_there() {
                return;
            }
            folder.downloading.set(None);
            if let Err(refusal) = outcome {
                let title = words::download_failed(&item.label());
                let again = Callback::new(move |()| folder.download(std::slice::from_ref(&item)));
                folder.trouble.set(Some(Trouble::of(title, &refusal, again)));
                return;
            }
        }
    });
}

async fn one(folder: Folder, item: &Item) -> Result<(), Refusal> {
    let Some((root, path)) = item.address(folder.spot().place.as_ref()) else {
        return Ok(());
    };
    let size = item.entry.stamp.size;
    let read = reader(folder.stores, folder.machine(), root, path);
    let piece = u64::from(READ_MAX);
    let asks = (0..size.div_ceil(piece)).map(|index| read(index * piece, READ_MAX));
    let mut answers = stream::iter(asks).buffered(WINDOW);
    let parts = js_sys::Array::new();
    let mut done = 0;
    while let Some(bytes) = answers.next().await {
        let bytes = bytes?;
        done += bytes.len() as u64;
        parts.push(&js_sys::Uint8Array::from(bytes.as_slice()));
        let name = item.label();
        if folder
            .downloading
            .try_set(Some(Download { name, done, size }))
            .is_some()
        {
            return Ok(());
        }
    }
    save(&parts, &item.entry.name.display());
    Ok(())
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
                Answer::Bytes(bytes) => Ok(bytes),
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
