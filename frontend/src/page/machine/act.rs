//! What can be done with the rows of a folder.

use std::{collections::BTreeMap, sync::Arc};

use beckon_shared::{
    device::DeviceView,
    entry::{EntryKind, InDrive},
    error::Refusal,
    id::RootId,
    path::{Label, RootPath},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    download,
    folder::{Folder, Trouble},
    item::Item,
    paste,
};
use crate::{
    component::{copy_button, menu::Entry, stored::Standing},
    format, order, route,
    text::{self, common, machine as words},
};

impl Folder {
    /// The rows that a verb is about.
    pub(super) fn targets(self) -> Vec<Arc<Item>> {
        self.items(&self.list.targets())
    }

    /// Orders the upload of rows. It waits for a machine that is away.
    pub(super) fn upload(self, items: &[Arc<Item>]) {
        let place = self.spot().place;
        let (never, items): (Vec<_>, Vec<_>) = items.iter().partition(|item| item.entry.kind == EntryKind::Other);
        if items.is_empty() && !never.is_empty() {
            self.trouble.set(Some(Trouble {
                title: words::order_failed().to_owned(),
                says: words::never_says().to_owned(),
                help: None,
            }));
            return;
        }
        let mut paths: BTreeMap<RootId, Vec<RootPath>> = BTreeMap::new();
        for (root, path) in items.iter().filter_map(|item| item.address(place.as_ref())) {
            paths.entry(root).or_default().push(path);
        }
        self.order(paths.into_iter().collect());
    }

    /// Orders the upload of all that is in this folder.
    pub(super) fn upload_all(self) {
        match self.spot().place {
            Some((root, path)) => self.order(vec![(root, vec![path])]),
            None => {
                let roots = self.view.get_untracked().map(|view| view.roots).unwrap_or_default();
                self.order(
                    roots
                        .into_iter()
                        .map(|root| (root.id, vec![RootPath::root()]))
                        .collect(),
                );
            }
        }
    }

    fn order(self, roots: Vec<(RootId, Vec<RootPath>)>) {
        self.trouble.set(None);
        spawn_local(async move {
            for (root, paths) in roots {
                let placed = order::upload(self.stores, self.machine(), root, paths.clone()).await;
                if let Err(refusal) = placed
                    && self.is_there()
                {
                    let again = Callback::new(move |()| self.order(vec![(root, paths.clone())]));
                    self.trouble
                        .set(Some(Trouble::of(words::order_failed(), &refusal, again)));
                }
            }
        });
    }

    /// Whether a row can be downloaded by itself: from the machine, or while that is away from the drive if that holds all
    /// of it.
    pub(super) fn can_download(self, item: &Item) -> bool {
        let is_content = item.is_file() || item.is_folder();
        is_content && (self.online.get() || self.is_safe(item))
    }

    fn is_safe(self, item: &Item) -> bool {
        self.standing(item) == Some(Standing::Settled(InDrive::Safe))
    }

    /// Downloads rows: straight from the machine, or while that is away what is safe from the drive.
    pub(super) fn download(self, items: &[Arc<Item>]) {
        self.trouble.set(None);
        if !untrack(|| items.iter().any(|item| item.is_file() || item.is_folder())) {
            return;
        }
        if self.online.get_untracked() {
            return download::start(self, items);
        }
        let (safe, others): (Vec<_>, Vec<_>) = items.iter().cloned().partition(|item| untrack(|| self.is_safe(item)));
        download::from_drive(self, &safe);
        if let Some(first) = others.first() {
            let title = words::download_failed(&first.label());
            let help = Callback::new(move |()| {
                self.trouble.set(None);
                self.upload(&others);
            });
            self.trouble.set(Some(Trouble {
                title,
                says: text::download::away(&format::name(&self.machine_name())),
                help: Some((words::upload(), help)),
            }));
        }
    }

    /// The paths of these as arguments of the command line.
    pub(super) fn copy_path(self, items: &[Arc<Item>]) {
        let argument = |item: &Arc<Item>| {
            let (root, path) = item.address(self.spot().place.as_ref())?;
            Some(paste::argument(self.machine(), root, &path, &self.path_of(item)?))
        };
        let paths: Vec<String> = items.iter().filter_map(argument).collect();
        spawn_local(async move {
            // A line end would run what stands before it.
            copy_button::copy(&paths.join(" ")).await;
        });
    }

    /// `MACHINE:ROOT/PATH`, to be read by people.
    pub(super) fn path_of(self, item: &Item) -> Option<String> {
        let (root, path) = item.address(self.spot().place.as_ref())?;
        let (view, root) = self.names_of(root)?;
        let path = if path.is_root() {
            String::new()
        } else {
            format!("/{}", path.display())
        };
        Some(format!("{}:{root}{path}", view.name))
    }

    /// Where uploads of an entry lie in the drive, unless somebody moved them: `MACHINE/ROOT/PATH`.
    pub(super) fn place_in_drive(self, item: &Item) -> Option<RootPath> {
        self.drive_path(item.address(self.spot().place.as_ref())?)
    }

    /// The same of this folder.
    pub(super) fn here_in_drive(self) -> Option<RootPath> {
        self.drive_path(self.spot().place?)
    }

    fn drive_path(self, (root, path): (RootId, RootPath)) -> Option<RootPath> {
        let (view, root) = self.names_of(root)?;
        let top = RootPath::new(format!("{}/{root}", view.name)).ok()?;
        path.names().try_fold(top, |place, name| place.join(&name).ok())
    }

    /// The machine, and what a root of it is called.
    pub(super) fn names_of(self, root: RootId) -> Option<(DeviceView, Label)> {
        let view = self.view.get_untracked()?;
        let name = view.roots.iter().find(|known| known.id == root)?.name.clone();
        Some((view, name))
    }

    /// Where a folder leads to.
    pub(super) fn href(self, item: &Item) -> Option<String> {
        let (root, path) = item.address(self.spot().place.as_ref()).filter(|_| item.is_folder())?;
        Some(route::folder(self.machine(), root, &path))
    }

    pub(super) fn read_again(self) {
        self.standings.doubt();
        self.again.update(|again| *again += 1);
    }

    /// Lines of the menu of the chosen rows.
    pub(super) fn menu(self, open: impl Fn(&Item) + Clone + 'static) -> Vec<Entry> {
        let items = self.targets();
        let mut entries = Vec::new();
        if let [one] = items.as_slice() {
            let one = Arc::clone(one);
            entries.push(Entry::new(one.icon(), common::open(), move || open(&one)));
        }
        let chosen = items.clone();
        entries.push(Entry::new("upload", words::upload(), move || self.upload(&chosen)).key("U"));
        if untrack(|| items.iter().any(|item| self.can_download(item))) {
            let chosen = items.clone();
            entries.push(Entry::new("download", words::download(), move || self.download(&chosen)).key("D"));
        }
        entries.push(Entry::new("info", common::details(), move || self.habits.pane.show(true)).key("I"));
        if let [one] = items.as_slice() {
            entries.extend(self.row_entries(one));
        }
        entries.push(Entry::new("copy", words::copy_path(), move || self.copy_path(&items)).apart());
        entries
    }
}

impl Trouble {
    /// A refusal, with a button that tries again.
    pub(super) fn of(title: impl Into<String>, refusal: &Refusal, again: Callback<()>) -> Self {
        Self {
            title: title.into(),
            says: text::error::of(refusal),
            help: Some((common::retry(), again)),
        }
    }
}
