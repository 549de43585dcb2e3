//! What is done with rows of the drive. What can be shown at once is, and is taken back if the server refuses.

use std::{rc::Rc, sync::Arc};

use beckon_shared::{error::Refusal, id::NodeId, path::Name};
use leptos::prelude::*;

use super::{
    Page, above, address,
    item::{self, Item},
    remote,
    rename::Renaming,
};
use crate::{
    component::{menu::Entry, pane, selection::Key},
    dom,
    text::{self, drive as words},
};

/// A browser asks whether a page may download many files; so many at once are no accident.
const DOWNLOADS_MAX: usize = 10;

impl Page {
    /// Opens a folder; of a file, its details.
    pub(super) fn open(self, key: &Key) {
        let items = untrack(|| self.shelf.of_keys(std::slice::from_ref(key)));
        let Some(item) = items.first() else { return };
        if !item.is_folder() || self.is_deleted() {
            // With a finger what is chosen makes the next tap choose too.
            if !pane::is_phone() || untrack(|| self.list.selection.len()) > 0 {
                self.list.selection.only(key.clone());
            }
            self.show_details(true);
        } else if let Some(path) = self.path_of(item) {
            self.go(&self.address(&path, None));
        }
    }

    fn path_of(self, item: &Item) -> Option<beckon_shared::path::RootPath> {
        match &item.path {
            Some(path) => Some(path.clone()),
            None => self.path()?.join(&item.name()?).ok(),
        }
    }

    /// Goes to the folder that a row of another list lies in.
    pub(super) fn show_in_folder(self, item: &Item) {
        if let Some(path) = &item.path {
            self.go(&address(&above(path).0, Some(item.node.id)));
        }
    }

    /// Has the browser download what is chosen: files as they are, each folder as a ZIP.
    pub(super) fn download(self) {
        let targets = self.targets();
        if self.is_deleted() || targets.is_empty() {
            return;
        }
        if targets.len() > DOWNLOADS_MAX {
            self.problem.set(Some(words::too_many_downloads(&DOWNLOADS_MAX)));
            return;
        }
        leptos::task::spawn_local(async move {
            for item in targets {
                let name = match item.is_folder() {
                    true => format!("{}.zip", item.label),
                    false => item.label.clone(),
                };
                dom::download(&remote::download_at(&item.node, self.past.at), &name);
                dom::sleep(remote::BETWEEN_DOWNLOADS).await;
            }
        });
    }

    /// Puts what is chosen to Deleted.
    pub(super) fn delete(self) {
        let targets = self.targets();
        if self.is_deleted() || self.is_past() || targets.is_empty() {
            return;
        }
        let ids: Vec<_> = targets.iter().map(|item| item.node.id).collect();
        let says = match targets.as_slice() {
            [one] => words::one_deleted(&one.label),
            many => words::many_deleted(&many.len()),
        };
        let back = self.take_away(&targets);
        let stores = self.stores;
        leptos::task::spawn_local(async move {
            match remote::delete(&ids).await {
                Ok(()) => stores.toasts.say_of(about(&ids), says, Some(self.undo(ids))),
                Err(refusal) => self.refused(back, &refusal),
            }
        });
    }

    /// Brings back what is chosen.
    pub(super) fn restore(self) {
        let targets = self.targets();
        let ids: Vec<_> = targets.iter().map(|item| item.node.id).collect();
        let says = match targets.as_slice() {
            [] => return,
            [one] => words::one_restored(&one.label),
            many => words::many_restored(&many.len()),
        };
        let back = self.take_away(&targets);
        let stores = self.stores;
        leptos::task::spawn_local(async move {
            match remote::restore(&ids).await {
                Ok(()) => {
                    stores.toasts.done(&about(&ids));
                    stores.toasts.say(says, None);
                }
                Err(refusal) => self.refused(back, &refusal),
            }
        });
    }

    /// Puts rows into another folder.
    pub(super) fn move_into(self, items: &[Arc<Item>], folder: NodeId, name: &str) {
        let ids: Vec<_> = items.iter().map(|item| (item.node.id, item.node.parent)).collect();
        let ids: Vec<_> = ids
            .into_iter()
            .filter(|(id, parent)| *id != folder && *parent != Some(folder))
            .collect();
        if ids.is_empty() {
            return;
        }
        let says = match items {
            [one] => words::one_moved(&one.label, &name),
            many => words::many_moved(&many.len(), &name),
        };
        let back = self.take_away(items);
        let stores = self.stores;
        leptos::task::spawn_local(async move {
            match move_all(&ids, folder).await {
                Ok(()) => stores.toasts.say(says, self.undo_move(ids)),
                Err(refusal) => self.refused(back, &refusal),
            }
        });
    }

    pub(super) fn take_away(self, items: &[Arc<Item>]) -> impl FnOnce() + use<> {
        let keys: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
        self.problem.try_set(None);
        self.list.selection.clear();
        self.go_on();
        self.shelf.take_away(&keys)
    }

    /// What was undone is there again, and the keyboard at it; its button is gone.
    fn back(self, ids: &[NodeId]) {
        if self.is_gone() {
            return dom::focus(".main h1");
        }
        if let Some(first) = ids.first() {
            self.list.reveal(item::key(*first));
        }
        self.list.focus();
    }

    /// Takes back what was shown before the server agreed, and says why it did not.
    pub(super) fn refused(self, back: impl FnOnce(), refusal: &Refusal) {
        back();
        self.problem.try_set(Some(text::error::of(refusal)));
        // Part of it may be done.
        self.shelf.read_again();
    }

    /// Begins to write another name for the active row.
    pub(super) fn start_renaming(self) {
        if let [one] = self.targets().as_slice()
            && self.may_change(one)
        {
            self.renaming.set(Some(Renaming::of(one.node.id)));
        }
    }

    /// Gives a row another name.
    pub(super) fn rename(self, item: &Item, name: Name) {
        self.renaming.set(None);
        self.list.focus();
        if item.name().as_ref() == Some(&name) {
            return;
        }
        self.problem.set(None);
        let id = item.node.id;
        let back = self.shelf.rename(id, &name);
        leptos::task::spawn_local(async move {
            let typed = name.display();
            let Err(refusal) = remote::rename(id, name).await else {
                return;
            };
            back();
            // The field comes again with what was typed, unless another name is being written meanwhile.
            if self.renaming.try_with_untracked(Option::is_none) == Some(true) {
                self.renaming
                    .set(Some(Renaming::refused(id, typed, text::error::of(&refusal))));
            }
            self.shelf.read_again();
        });
    }

    /// The folder `Files` keeps its name and place.
    pub(super) fn may_change(self, item: &Item) -> bool {
        let at_top = self.path().is_some_and(|path| path.is_root());
        let is_files = at_top && item.node.name.as_bytes() == remote::FILES;
        !self.is_past() && !is_files
    }

    /// The menu of what is chosen.
    pub(super) fn entries(self) -> Vec<Entry> {
        let targets = self.targets();
        if self.is_deleted() {
            return vec![
                Entry::new("history", words::restore(), move || self.restore()),
                Entry::new("trash", words::purge(), move || self.start_purging())
                    .key("Del")
                    .bad(),
            ];
        }
        let mut entries = Vec::new();
        let act = |act: fn(Self)| move || act(self);
        if let [one] = targets.as_slice() {
            let (key, item) = (one.key.clone(), Rc::new(one.clone()));
            if one.is_folder() {
                entries.push(Entry::new("folder", text::common::open(), move || self.open(&key)).key("Enter"));
            } else {
                entries.push(Entry::new("info", words::details(), move || self.show_details(true)).key("I"));
            }
            if one.path.is_some() {
                entries.push(Entry::new("folder", words::show_in_folder(), move || {
                    self.show_in_folder(&item)
                }));
            }
        }
        entries.push(Entry::new("download", download_label(&targets), act(Self::download)).key("D"));
        if let [one] = targets.as_slice() {
            entries.extend(self.past_entries(one));
        }
        if targets.iter().all(|item| self.may_change(item)) {
            if targets.len() == 1 && self.path().is_some() {
                entries.push(Entry::new("edit", text::common::rename(), act(Self::start_renaming)).key("F2"));
            }
            entries.push(Entry::new("arrow", words::move_to(), act(Self::start_moving)));
            entries.push(Entry::new("trash", words::delete(), act(Self::delete)).key("Del").bad());
        }
        entries
    }

    /// Opens the dialog that asks where to.
    pub(super) fn start_moving(self) {
        let targets = self.targets();
        if targets.iter().all(|item| self.may_change(item)) {
            self.moving.set(targets);
        }
    }
}

/// What a message about these nodes is about.
fn about(ids: &[NodeId]) -> String {
    let mut ids: Vec<_> = ids.iter().map(NodeId::to_string).collect();
    ids.sort_unstable();
    ids.join(" ")
}

/// A single folder says that it comes as a ZIP.
pub(super) fn download_label(targets: &[Arc<Item>]) -> &'static str {
    match targets {
        [one] if one.is_folder() => words::download_zip(),
        _ => words::download(),
    }
}

async fn move_all(ids: &[(NodeId, Option<NodeId>)], folder: NodeId) -> Result<(), Refusal> {
    for (id, _) in ids {
        remote::move_to(*id, folder).await?;
    }
    Ok(())
}

impl Page {
    fn undo(self, ids: Vec<NodeId>) -> Callback<()> {
        let stores = self.stores;
        Callback::new(move |()| {
            let ids = ids.clone();
            self.back(&ids);
            leptos::task::spawn_local(async move {
                // What cannot be brought back by this stands in Deleted, and says why there.
                if remote::restore(&ids).await.is_ok() {
                    stores.drive.update(|revision| *revision += 1);
                }
            });
        })
    }

    /// Back to the folder that all came from.
    fn undo_move(self, ids: Vec<(NodeId, Option<NodeId>)>) -> Option<Callback<()>> {
        let (stores, from) = (self.stores, ids.first()?.1?);
        Some(Callback::new(move |()| {
            let ids = ids.clone();
            self.back(&ids.iter().map(|(id, _)| *id).collect::<Vec<_>>());
            leptos::task::spawn_local(async move {
                if move_all(&ids, from).await.is_ok() {
                    stores.drive.update(|revision| *revision += 1);
                }
            });
        }))
    }
}
