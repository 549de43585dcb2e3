//! Asked before more than 1 GB of work is cancelled.

use beckon_shared::transfer::TransferView;
use leptos::prelude::*;

use super::{figure, why};
use crate::{component::dialog::Confirm, text::transfer as words};

/// The dialog that a row opened.
#[derive(Clone)]
pub(super) enum Asked {
    /// Whether to cancel.
    Cancel(TransferView, Callback<()>),
    /// What was not stored.
    Problems(TransferView),
}

impl Asked {
    /// Asks whether to cancel, and does it.
    pub(super) fn cancel(view: TransferView, act: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Cancel(view, Callback::new(move |()| act()))
    }
}

#[component]
pub(super) fn CancelDialog(asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(matches!(*asked.read(), Some(Asked::Cancel(..)))));
    let of = move |read: fn(&TransferView) -> String| {
        Signal::derive(move || match &*asked.read() {
            Some(Asked::Cancel(view, _)) => read(view),
            _ => String::new(),
        })
    };
    let title = of(|view| words::ask_cancel(&figure::what(view)));
    let says = of(why::kept);
    let act = move |()| {
        open.set(false);
        if let Some(Asked::Cancel(_, act)) = asked.get_untracked() {
            act.run(());
        }
        asked.set(None);
    };
    view! { <Confirm open title says keep=words::keep_on().to_owned() verb=words::cancel_verb().to_owned() act/> }
}
