//! Deleted for good: what is chosen in Deleted, or all that stands there.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Page, item::Item, remote};
use crate::{
    component::dialog::Confirm,
    format,
    text::{self, drive as words},
};

/// What is to be deleted for good.
#[derive(Debug, Clone)]
pub(super) enum Purging {
    /// These.
    Chosen(Vec<Arc<Item>>),
    /// All of Deleted.
    All,
}

impl Purging {
    fn title(&self) -> String {
        match self {
            Self::All => words::empty_deleted_ask().to_owned(),
            Self::Chosen(items) => match items.as_slice() {
                [one] => words::purge_one(&one.label),
                many => words::purge_many(&format::count(many.len() as u64)),
            },
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::All => words::empty_deleted(),
            Self::Chosen(_) => words::purge(),
        }
    }
}

/// The dialog that asks before.
#[component]
pub(super) fn Purge(page: Page) -> impl IntoView {
    let open = RwSignal::new(false);
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None::<String>));
    Effect::new(move || open.set(page.purging.read().is_some()));
    Effect::new(move || {
        if !open.get() && page.purging.read_untracked().is_some() {
            page.purging.set(None);
            problem.set(None);
        }
    });
    let said = move |say: fn(&Purging) -> String| page.purging.with(|purging| purging.as_ref().map(say));
    let act = move |()| {
        let Some(purging) = page.purging.get_untracked() else {
            return;
        };
        busy.set(true);
        leptos::task::spawn_local(async move {
            let done = match &purging {
                Purging::All => remote::empty().await,
                Purging::Chosen(items) => {
                    let ids: Vec<_> = items.iter().map(|item| item.node.id).collect();
                    remote::purge(&ids).await
                }
            };
            page.stores.drive.update(|revision| *revision += 1);
            match done {
                _ if page.is_gone() => return,
                Ok(()) => page.purged(&purging),
                Err(refusal) => problem.set(Some(text::error::of(&refusal))),
            }
            busy.set(false);
        });
    };
    view! {
        <Confirm open title=Signal::derive(move || said(Purging::title).unwrap_or_default())
            says=words::purge_says().to_owned() keep=text::common::cancel().to_owned()
            verb=Signal::derive(move || said(|purging| purging.verb().to_owned()).unwrap_or_default())
            busy problem act=Callback::new(act)/>
    }
}

impl Page {
    /// Asks whether what is chosen is to be deleted for good.
    pub(super) fn start_purging(self) {
        let targets = self.targets();
        if !targets.is_empty() {
            self.purging.set(Some(Purging::Chosen(targets)));
        }
    }

    /// Takes away the rows of what is no more.
    fn purged(self, purging: &Purging) {
        self.purging.set(None);
        if let Purging::Chosen(items) = purging {
            // There is nothing to take back any more.
            let _ = self.take_away(items);
        } else {
            self.list.selection.clear();
            self.go_on();
        }
    }
}
