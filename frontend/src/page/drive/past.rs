//! The drive as of a time: the strip that says so, and what can be done with what stood there.

use std::sync::Arc;

use beckon_shared::{
    api::drive::{OriginView, Rewound},
    error::Refusal,
    id::NodeId,
    order::{Extent, Followed},
    path::RootPath,
    time::Timestamp,
};
use leptos::{prelude::*, task::spawn_local};

use super::{Page, address, item::Item, remote};
use crate::{
    component::{
        as_of::AsOf,
        follow::{Asked, FollowDialog},
        icon::Icon,
        menu::Entry,
        retention::{self, RetentionDialog, Scope},
    },
    format,
    text::{self, past as words},
};

/// What the page keeps of times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past {
    /// The time that is looked at; nothing for now.
    pub(super) at: Option<Timestamp>,
    /// Whether a time is being chosen.
    pub(super) choosing: RwSignal<bool>,
    /// What is to be copied to a machine, while its dialog is open.
    copying: RwSignal<Option<Asked>>,
    /// Whose versions are looked after, while the dialog is open.
    keeping: RwSignal<Option<Scope>>,
    /// Whether something is being put back.
    busy: RwSignal<bool>,
}

impl Past {
    pub(super) fn new(at: Option<Timestamp>) -> Self {
        Self {
            at,
            choosing: RwSignal::new(false),
            copying: RwSignal::new(None),
            keeping: RwSignal::new(None),
            busy: RwSignal::new(false),
        }
    }
}

/// The address of a folder of the drive as of a time.
pub(super) fn address_at(folder: &RootPath, node: Option<NodeId>, at: Option<Timestamp>) -> String {
    let plain = address(folder, node);
    match at {
        Some(at) if node.is_some() => format!("{plain}&at={at}"),
        Some(at) => format!("{plain}?at={at}"),
        None => plain,
    }
}

/// The strip below the bar: which time it is, or the form that asks for one.
#[component]
pub(super) fn Strip(page: Page) -> impl IntoView {
    let at = page.past.at;
    let form = move || {
        let on_choose = Callback::new(move |at| {
            page.past.choosing.set(false);
            page.go(&address_at(&page.path().unwrap_or_default(), None, Some(at)));
        });
        let on_close = Callback::new(move |()| {
            page.past.choosing.set(false);
            page.list.focus();
        });
        view! { <AsOf at=at.unwrap_or_else(crate::dom::now) on_choose on_close/> }
    };
    let banner = move || {
        let at = at?;
        let here = address(&page.path().unwrap_or_default(), None);
        let may_restore = page.shelf.node.with(Option::is_some);
        let restore = may_restore.then(|| {
            view! {
                <button type="button" class="button sm" title=words::restore_all_says()
                    aria-busy=move || page.past.busy.get().then_some("true") on:click=move |_| page.rewind_folder()>
                    <Icon name="history"/><span class="word">{words::restore_all()}</span>
                </button>
            }
        });
        Some(view! {
            <div class="banner warn" role="status">
                <Icon name="history"/><span class="grow">{words::banner(&format::exact(at))}</span>
                {restore}
                <button type="button" class="button sm" on:click=move |_| page.past.choosing.set(true)>{words::another()}</button>
                <a class="button sm primary" href=here>{words::back_to_now()}</a>
            </div>
        })
    };
    view! {
        {move || match page.past.choosing.get() {
            true => form().into_any(),
            false => banner().into_any(),
        }}
        <FollowDialog asked=page.past.copying/>
        <RetentionDialog scope=page.past.keeping on_set=Callback::new(|()| ())/>
    }
}

impl Page {
    /// Whether an earlier time is looked at: nothing can be changed there.
    pub(super) fn is_past(self) -> bool {
        self.past.at.is_some()
    }

    /// The address of a folder as of the time that is looked at.
    pub(super) fn address(self, folder: &RootPath, node: Option<NodeId>) -> String {
        address_at(folder, node, self.past.at)
    }

    /// What can be done with one thing that stood or stands there.
    pub(super) fn past_entries(self, item: &Arc<Item>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let one = item.clone();
        if self.is_past() {
            entries.push(Entry::new("history", words::restore_here(), move || {
                self.rewind(one.node.id, one.label.clone())
            }));
        }
        if !self.came_from_machines() {
            return entries;
        }
        let (one, two, three) = (item.clone(), item.clone(), item.clone());
        entries.push(Entry::new("laptop", words::to_machine(), move || {
            self.copy_to_machine(&one, true)
        }));
        if item.is_folder() && !self.is_past() {
            entries.push(Entry::new("laptop", words::keep_copy(), move || {
                self.copy_to_machine(&two, false)
            }));
            entries.push(Entry::new("clock", words::older_versions(), move || {
                self.keep_versions(&three)
            }));
        }
        entries
    }

    /// Whether what stands in this folder may have come from a root of a machine.
    fn came_from_machines(self) -> bool {
        self.path().is_some_and(|path| {
            let mut names = path.names();
            names.next().is_some_and(|first| first.as_bytes() != remote::FILES)
        })
    }

    /// Puts back what the folder of the page held.
    fn rewind_folder(self) {
        if let Some(node) = self.shelf.node.get_untracked() {
            self.rewind(node.id, self.name());
        }
    }

    /// Puts back what something held.
    fn rewind(self, node: NodeId, name: String) {
        let Some(at) = self.past.at.filter(|_| !self.past.busy.get_untracked()) else {
            return;
        };
        self.problem.set(None);
        self.past.busy.set(true);
        spawn_local(async move {
            let told = rewind_all(node, at).await;
            let _ = self.past.busy.try_set(false);
            // Some of it may be back also where the rest was refused.
            self.stores.drive.update(|revision| *revision += 1);
            match told {
                Ok(told) => {
                    self.stores.toasts.say(said(&name, &told), None);
                    if told.lost > 0 {
                        let lost = words::restored_lost(&format::count(told.lost));
                        let _ = self.problem.try_set(Some(lost));
                    }
                }
                Err(refusal) => _ = self.problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    }

    /// Asks which machine is to write it.
    fn copy_to_machine(self, item: &Item, is_restored: bool) {
        let (node, name, at) = (item.node.id, item.label.clone(), self.past.at);
        let is_file = !item.is_folder();
        self.problem.set(None);
        spawn_local(async move {
            match remote::origin(node, at).await {
                Ok(OriginView {
                    device,
                    root,
                    path,
                    head,
                }) => {
                    let gone = self.stores.devices.peek(device).filter(|view| view.revoked);
                    if let (Some(gone), false) = (gone, is_restored) {
                        let says = words::was_removed(&format::name(gone.name.as_str()));
                        let _ = self.problem.try_set(Some(says));
                        return;
                    }
                    let _ = self.past.copying.try_set(Some(Asked {
                        from: Followed { device, root, path },
                        name,
                        is_file,
                        extent: is_restored.then_some(Extent::At(head)),
                    }));
                }
                Err(refusal) => _ = self.problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    }

    /// Opens the rule of the root that this came from, else that of the drive.
    fn keep_versions(self, item: &Item) {
        let here = self.path().zip(item.name());
        let Some(path) = here.and_then(|(path, name)| path.join(&name).ok()) else {
            return;
        };
        spawn_local(async move {
            match retention::read().await {
                Ok(view) => {
                    let root = view.roots.into_iter().find(|root| root.path.holds(&path));
                    let scope = root.map_or(Scope::Drive, |root| Scope::Root {
                        device: root.device,
                        root: root.root,
                        name: format::name(&root.path.display()),
                    });
                    let _ = self.past.keeping.try_set(Some(scope));
                }
                Err(refusal) => _ = self.problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    }
}

/// All of it, in as many requests as it takes.
async fn rewind_all(node: NodeId, at: Timestamp) -> Result<Rewound, Refusal> {
    let mut all = Rewound::default();
    loop {
        let told = remote::rewind(node, at).await?;
        all.changed += told.changed;
        all.back += told.back;
        all.lost = told.lost;
        if !told.more {
            return Ok(all);
        }
    }
}

fn said(name: &str, told: &Rewound) -> String {
    match (told.changed, told.back) {
        (0, 0) => words::restored_same(&name),
        (changed, back) => words::restored(&name, &format::count(changed), &format::count(back)),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn an_address_keeps_its_time() {
        let folder = RootPath::new("desk/docs").unwrap();
        let node = NodeId::new(Timestamp(1), [0; 10]);
        let at = Some(Timestamp(0));
        assert_eq!(
            address_at(&folder, None, at),
            "/drive/desk/docs?at=1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            address_at(&folder, Some(node), at),
            format!("/drive/desk/docs?focus={node}&at=1970-01-01T00:00:00.000Z")
        );
        assert_eq!(address_at(&folder, None, None), "/drive/desk/docs");
    }
}
