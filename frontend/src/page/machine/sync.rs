//! What is kept of a root and what it keeps: the strip below the head of its page, and sending files to it.

use beckon_shared::{
    api::transfer::Act,
    device::RootView,
    id::{RootId, TransferId},
    order::Followed,
    path::RootPath,
    transfer::{Problem, Task, TransferView},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    folder::{Folder, Trouble},
    item::Item,
};
use crate::{
    component::{
        follow::{Asked, FollowDialog},
        icon::Icon,
        menu::{Entry, MenuButton},
        relation::Relations,
        transfer::{self, Group},
    },
    format, order, route,
    text::{self, common, sync as words},
    upload::{self, Chosen, Dropped},
};

/// What is open on the page for one of these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sync {
    /// How many files are dragged over the list, and the name of where they would go.
    pub(super) over: RwSignal<Option<(u32, String)>>,
    /// Set where files were dropped though none can be.
    pub(super) stray: RwSignal<bool>,
    /// The copy that is asked about.
    copying: RwSignal<Option<Asked>>,
    /// The root whose patterns are shown.
    pub(super) ignoring: RwSignal<Option<RootId>>,
    /// Whether a watch is being ordered or ended.
    busy: RwSignal<bool>,
}

impl Sync {
    pub(super) fn new() -> Self {
        Self {
            over: RwSignal::new(None),
            stray: RwSignal::new(false),
            copying: RwSignal::new(None),
            ignoring: RwSignal::new(None),
            busy: RwSignal::new(false),
        }
    }
}

impl Folder {
    /// The root that this folder is in, as the machine tells of it; tracked.
    fn root(self) -> Option<RootView> {
        let (root, _) = self.spot().place?;
        self.root_of(root)
    }

    fn root_of(self, root: RootId) -> Option<RootView> {
        self.view
            .with(|view| view.as_ref()?.roots.iter().find(|known| known.id == root).cloned())
    }

    /// What keeps a root uploaded; tracks every transfer.
    fn watch_of(self, root: &RootView) -> Option<TransferId> {
        let machine = self.machine();
        let mut found = None;
        self.stores.transfers.each(|view| {
            let is_its = view.device == machine && view.root_id == root.id;
            if view.task == Task::Watch && is_its && !view.state.is_over() {
                found = Some(view.id);
            }
        });
        found
    }

    /// Keeps a root uploaded from now on, or no longer.
    fn toggle_watch(self, root: &RootView) {
        if self.sync.busy.get_untracked() {
            return;
        }
        let (stores, machine, root) = (self.stores, self.machine(), root.clone());
        let watch = untrack(|| self.watch_of(&root));
        self.sync.busy.set(true);
        self.trouble.set(None);
        spawn_local(async move {
            let (told, title) = match watch {
                Some(id) => (transfer::steer(stores, id, Act::Cancel).await, words::unwatch_failed()),
                None => (order::watch(stores, machine, root.id).await, words::watch_failed()),
            };
            let _ = self.sync.busy.try_set(false);
            if let Err(refusal) = told
                && self.is_there()
            {
                let again = Callback::new(move |()| self.toggle_watch(&root));
                self.trouble.set(Some(Trouble::of(title, &refusal, again)));
            }
        });
    }

    /// Asks where a copy of a folder is to be.
    fn ask_copy(self, root: RootId, path: RootPath) {
        let Some((view, name)) = self.names_of(root) else {
            return;
        };
        let name = match path.split_last() {
            Some((_, name)) => format::name(&name.display()),
            None => format!("{}/{}", format::name(view.name.as_str()), format::name(name.as_str())),
        };
        let from = Followed {
            device: self.machine(),
            root,
            path,
        };
        self.sync.copying.set(Some(Asked {
            from,
            name,
            is_file: false,
            extent: None,
        }));
    }

    /// Lines of the menu that are about a folder, here or in a row.
    fn folder_entries(self, root: RootId, path: RootPath) -> Vec<Entry> {
        let mut entries = Vec::new();
        if let Some(view) = untrack(|| self.root_of(root)).filter(|_| path.is_root()) {
            let is_watched = untrack(|| self.watch_of(&view)).is_some();
            let label = if is_watched {
                words::stop_watching()
            } else {
                words::keep_uploaded()
            };
            entries.push(Entry::new("eye", label, move || self.toggle_watch(&view)).apart());
            entries.push(Entry::new("filter", words::ignore(), move || {
                self.sync.ignoring.set(Some(root))
            }));
        }
        let copy = move || self.ask_copy(root, path.clone());
        let entry = Entry::new("follow", words::keep_copy(), copy);
        entries.push(if entries.is_empty() { entry.apart() } else { entry });
        entries
    }

    /// Lines of the menu of a row.
    pub(super) fn row_entries(self, item: &Item) -> Vec<Entry> {
        let address = item.address(self.spot().place.as_ref()).filter(|_| item.is_folder());
        address.map_or_else(Vec::new, |(root, path)| self.folder_entries(root, path))
    }

    /// Lines of the menu of this folder.
    pub(super) fn here_entries(self) -> Vec<Entry> {
        let Some((root, path)) = self.spot().place else {
            return Vec::new();
        };
        let mut entries = vec![
            Entry::new("send", words::send_menu_files(), move || self.choose_to_send(false)).apart(),
            Entry::new("folder", words::send_menu_folder(), move || self.choose_to_send(true)),
        ];
        entries.extend(self.folder_entries(root, path));
        entries
    }

    /// Where what is sent to this folder would be written; the page says why not if it cannot be.
    fn target(self) -> Option<order::Target> {
        let says = match (self.spot().place, untrack(|| self.root())) {
            (Some((root, path)), Some(view)) if view.writable => {
                let machine = self.machine();
                return Some(order::Target { machine, root, path });
            }
            (Some(_), Some(view)) => self.why_read_only(&view),
            _ => words::send_to_root().to_owned(),
        };
        self.trouble.set(Some(Trouble {
            title: words::read_only_title().to_owned(),
            says,
            help: None,
        }));
        None
    }

    /// Whether what is sent here would be written, as was told last; tracked.
    pub(super) fn may_write(self) -> bool {
        self.root().is_some_and(|root| root.writable)
    }

    /// Says why nothing can be sent here.
    pub(super) fn say_why_not(self) {
        let _ = self.target();
    }

    fn why_read_only(self, root: &RootView) -> String {
        let machine = format::name(&untrack(|| self.machine_name()));
        words::read_only(&format::name(root.name.as_str()), &machine)
    }

    /// Opens the browser's dialog for files, or for a folder, and sends what is chosen.
    fn choose_to_send(self, is_folder: bool) {
        if let Some(to) = self.target() {
            upload::pick(is_folder, move |chosen| self.send(to, chosen));
        }
    }

    /// Sends what was dropped.
    pub(super) fn send_dropped(self, dropped: Dropped) {
        let Some(to) = self.target() else { return };
        spawn_local(async move {
            let chosen = dropped.gather().await;
            self.send(to, chosen);
        });
    }

    fn send(self, to: order::Target, chosen: Vec<Chosen>) {
        let stores = self.stores;
        // It outlives the page of the folder.
        self.trouble.try_set(None);
        spawn_local(async move {
            let trouble = match upload::send(stores, to, chosen).await {
                Ok(left_out) => left_behind(&left_out),
                Err(refusal) => Some(Trouble {
                    title: words::send_failed().to_owned(),
                    says: text::error::of(&refusal),
                    help: None,
                }),
            };
            if let Some(trouble) = trouble {
                self.trouble.try_set(Some(trouble));
            }
        });
    }
}

/// What was chosen and is not sent.
fn left_behind(problems: &[Problem]) -> Option<Trouble> {
    let first = problems.first()?;
    let name = format::name(&first.path.display());
    let more = problems.len() - 1;
    let title = match more {
        0 => words::not_sent(&name),
        _ => words::not_sent_more(&name, &format::count(more as u64)),
    };
    Some(Trouble {
        title,
        says: text::error::of_entry(first),
        help: None,
    })
}

/// Below the head: whether the root is kept uploaded, and its copies.
#[component]
pub(super) fn Strip(folder: Folder) -> impl IntoView {
    let spot = folder.spot();
    let is_top = spot.place.as_ref().is_none_or(|(_, path)| path.is_root());
    let root = Memo::new(move |_| folder.root());
    let keep = spot.place.is_some().then(|| view! { <Keep folder root/> });
    is_top.then(|| {
        view! {
            <section class="root-strip" aria-label=words::relations()>
                {keep}
                <Relations machine=spot.machine root=spot.place.as_ref().map(|(root, _)| *root)/>
            </section>
        }
    })
}

/// The dialogs that the page opens for these.
#[component]
pub(super) fn Dialogs(folder: Folder) -> impl IntoView {
    view! { <FollowDialog asked=folder.sync.copying/><super::ignore::IgnoreDialog folder/> }
}

#[component]
fn Keep(folder: Folder, root: Memo<Option<RootView>>) -> impl IntoView {
    let stores = folder.stores;
    let watch = Memo::new(move |_| root.with(|root| folder.watch_of(root.as_ref()?)));
    let act = move |act: fn(Folder, &RootView)| {
        if let Some(root) = root.get_untracked() {
            act(folder, &root);
        }
    };
    let state = move || {
        let id = watch.get()?;
        let view: Signal<TransferView> = stores.transfers.row(id)?.into();
        let needs = move || view.with(|view| transfer::group(stores, view) == Group::NeedsYou);
        let word = move || view.with(transfer::now);
        Some(view! { <a class="state" class:needy=needs href=route::transfer(id)>{word}</a> })
    };
    view! {
        <div class="row">
            <button
                type="button" role="switch" class="switch" title=words::keep_uploaded_says()
                aria-checked=move || watch.read().is_some().to_string() aria-busy=move || folder.sync.busy.get().then_some("true")
                on:click=move |_| act(Folder::toggle_watch)
            >
                <i aria-hidden="true"></i><span>{words::keep_uploaded()}</span>
            </button>
            <span role="status">{state}</span>
            <span class="grow"></span>
            <button type="button" class="button ghost sm" on:click=move |_| act(|folder, root| folder.sync.ignoring.set(Some(root.id)))>
                <Icon name="filter"/><span class="word">{words::ignore()}</span>
            </button>
            <button type="button" class="button ghost sm" on:click=move |_| act(|folder, root| folder.ask_copy(root.id, RootPath::root()))>
                <Icon name="follow"/><span class="word">{words::keep_copy_short()}</span>
            </button>
        </div>
    }
}

/// The button of the toolbar; where nothing may be written it says why.
#[component]
pub(super) fn SendButton(folder: Folder) -> impl IntoView {
    let root = Memo::new(move |_| folder.root());
    let items = move || {
        vec![
            Entry::new("file", words::send_files(), move || folder.choose_to_send(false)),
            Entry::new("folder", words::send_folder(), move || folder.choose_to_send(true)),
        ]
    };
    move || {
        let face = || view! { <Icon name="send"/><span class="word">{words::send()}</span> };
        match root.get() {
            None => ().into_any(),
            Some(root) if root.writable => view! {
                <MenuButton label=words::send().to_owned() class="button sm send" items>{face()}</MenuButton>
            }
            .into_any(),
            Some(root) => {
                let why = folder.why_read_only(&root);
                view! { <button type="button" class="button sm send" disabled aria-label=words::send() title=why>{face()}</button> }.into_any()
            }
        }
    }
}

/// How far the files are read that are to be sent to this machine.
#[component]
pub(super) fn Preparing(folder: Folder) -> impl IntoView {
    let all = upload::preparing();
    let machine = folder.machine();
    let says = Memo::new(move |_| {
        all.with(|all| {
            let mine = all.values().filter(|one| one.to.machine == machine);
            let (done, total) = mine.fold((0, 0), |sum, one| (sum.0 + one.done, sum.1 + one.total));
            (total > 0).then(|| words::preparing(&format::bytes(done), &format::bytes(total)))
        })
    });
    view! {
        <Show when=move || says.read().is_some()>
            <div class="banner">
                <Icon name="send"/><span class="grow tnum">{move || says.get()}</span>
                <button type="button" class="button sm" on:click=move |_| upload::stop_preparing(machine)>{common::cancel()}</button>
            </div>
        </Show>
    }
}
