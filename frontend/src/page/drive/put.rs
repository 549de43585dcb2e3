//! Files are put in: chosen, or dropped.

use beckon_shared::path::{Name, RootPath};
use leptos::prelude::*;

use super::{Page, item::Item, shelf::Place};
use crate::{
    text,
    upload::{self, Chosen, Dropped},
};

impl Page {
    /// Opens the browser's dialog for files, or for a folder, and puts in what is chosen.
    pub(super) fn put(self, folder: bool) {
        if let Some(into) = self.folder_for(None) {
            upload::pick(folder, move |chosen| self.place(into, chosen));
        }
    }

    /// Puts in what was dropped, into this folder or one of its rows.
    pub(super) fn put_dropped(self, onto: Option<&Item>, dropped: Dropped) {
        if let Some(folder) = self.folder_for(onto.and_then(Item::name)) {
            self.put_into(folder, dropped);
        }
    }

    /// Puts what was dropped into a folder below `Files`.
    pub(super) fn put_into(self, folder: RootPath, dropped: Dropped) {
        leptos::task::spawn_local(async move {
            let chosen = dropped.gather().await;
            self.place(folder, chosen);
        });
    }

    fn place(self, folder: RootPath, chosen: Vec<Chosen>) {
        let stores = self.stores;
        // The upload outlives the page of the folder.
        self.problem.try_set(None);
        leptos::task::spawn_local(async move {
            if let Err(refusal) = upload::put(stores, folder, chosen).await {
                self.problem.try_set(Some(text::error::of(&refusal)));
            }
        });
    }

    /// The folder below `Files`, as uploads name it.
    fn folder_for(self, onto: Option<Name>) -> Option<RootPath> {
        let path = self.path()?;
        let path = match onto {
            Some(name) => path.join(&name).ok()?,
            None => path,
        };
        Place::Folder(path).below_files()
    }
}
