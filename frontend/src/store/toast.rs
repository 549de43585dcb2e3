//! Short messages about what is done and can be undone. They never carry errors.

use leptos::prelude::*;

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Toast {
    /// Counts up.
    pub(crate) id: u64,
    /// What was done.
    pub(crate) text: String,
    /// Takes it back.
    pub(crate) undo: Option<Callback<()>>,
}

/// The messages that are on the screen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Toasts {
    /// Oldest first.
    pub(crate) shown: RwSignal<Vec<Toast>>,
    next: StoredValue<u64>,
}

impl Toasts {
    /// Shows a message; the component takes it away after 6 s.
    pub(crate) fn say(self, text: String, undo: Option<Callback<()>>) {
        let id = self.next.try_update_value(|next| {
            *next += 1;
            *next
        });
        let toast = Toast {
            id: id.unwrap_or_default(),
            text,
            undo,
        };
        self.shown.update(|shown| shown.push(toast));
    }

    /// Takes a message away.
    pub(crate) fn dismiss(self, id: u64) {
        self.shown.update(|shown| shown.retain(|toast| toast.id != id));
    }

    pub(super) fn forget(self) {
        self.shown.update(Vec::clear);
    }
}
