//! What can be done with a transfer, wherever it is shown.

use beckon_shared::{api::transfer::Act, error::Refusal, id::TransferId, transfer::TransferView};
use leptos::prelude::*;

use super::{ask::Asked, steer};
use crate::{component::icon::Icon, dom, store::Stores, text};

/// This much was sent before a person is asked whether to cancel, in bytes.
const ASK_ABOVE: u64 = 1_000_000_000;

/// A transfer that is shown, and what its buttons need.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) stores: Stores,
    pub(super) id: TransferId,
    pub(super) view: Signal<TransferView>,
    /// Why the last act was refused.
    pub(super) refused: RwSignal<Option<String>>,
    /// The dialog that is open for it.
    pub(super) asked: RwSignal<Option<Asked>>,
}

impl Row {
    /// Cancels it; much of it only after a question.
    pub(super) fn cancel(self) {
        // What is kept current loses nothing when it ends.
        let is_much = |view: &TransferView| view.progress.bytes_done > ASK_ABOVE && !view.task.is_standing();
        if self.view.with_untracked(is_much) {
            let act = move || self.steer(Act::Cancel);
            self.asked.set(Some(Asked::cancel(self.view.get_untracked(), act)));
        } else {
            self.steer(Act::Cancel);
        }
    }

    /// Does it, and says why not if it is refused.
    pub(super) fn steer(self, act: Act) {
        keep_focus(self.id);
        self.tell(steer::steer(self.stores, self.id, act));
    }

    /// Waits for an answer; a refusal stands in the line below.
    pub(super) fn tell(self, asking: impl Future<Output = Result<(), Refusal>> + 'static) {
        let _ = self.refused.try_set(None);
        leptos::task::spawn_local(async move {
            if let Err(refusal) = asking.await {
                // A row that went to another list has no line of its own any more; the one there says how it stands.
                let _ = self.refused.try_set(Some(text::error::of(&refusal)));
            }
        });
    }
}

/// The buttons change with the state; whoever had the focus there finds it on the new ones.
fn keep_focus(id: TransferId) {
    let in_tray = dom::focused().is_some_and(|focused| focused.closest(".tray").ok().flatten().is_some());
    let place = if in_tray { ".tray" } else { ".main" };
    request_animation_frame(move || {
        if dom::focused().is_none_or(|focused| focused.tag_name() == "BODY") {
            dom::focus(&format!("{place} [data-transfer=\"{id}\"] .acts :is(button, a)"));
        }
    });
}

#[component]
pub(super) fn IconButton(icon: &'static str, label: &'static str, act: impl Fn() + 'static) -> impl IntoView {
    view! {
        <button type="button" class="button icon-only ghost sm first" aria-label=label title=label on:click=move |_| act()>
            <Icon name=icon/>
        </button>
    }
}

/// A button with its words.
#[component]
pub(super) fn WordButton(icon: &'static str, label: &'static str, act: impl Fn() + 'static) -> impl IntoView {
    view! {
        <button type="button" class="button sm first" on:click=move |_| act()>
            <Icon name=icon/><span class="word">{label}</span>
        </button>
    }
}
