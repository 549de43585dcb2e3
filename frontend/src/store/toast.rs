//! Short messages about what is done and can be undone. They never carry errors.

use leptos::prelude::*;

use crate::text::{Lang, lang};

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Toast {
    /// Counts up.
    pub(crate) id: u64,
    /// What was done.
    pub(crate) text: String,
    /// Takes it back.
    pub(crate) undo: Option<Callback<()>>,
    /// What it is about, where that can be done away with otherwise.
    about: Option<String>,
    /// The language that it is in.
    lang: Lang,
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
        self.add(text, undo, None);
    }

    /// Shows a message that is worth nothing once [`Toasts::done`] was called for what it is about.
    pub(crate) fn say_of(self, about: String, text: String, undo: Option<Callback<()>>) {
        self.add(text, undo, Some(about));
    }

    fn add(self, text: String, undo: Option<Callback<()>>, about: Option<String>) {
        let id = self.next.try_update_value(|next| {
            *next += 1;
            *next
        });
        let toast = Toast {
            id: id.unwrap_or_default(),
            text,
            undo,
            about,
            lang: lang(),
        };
        self.shown.update(|shown| shown.push(toast));
    }

    /// Takes a message away.
    pub(crate) fn dismiss(self, id: u64) {
        self.shown.update(|shown| shown.retain(|toast| toast.id != id));
    }

    /// Takes away what is said about something that is not so any more.
    pub(crate) fn done(self, about: &str) {
        self.shown
            .update(|shown| shown.retain(|toast| toast.about.as_deref() != Some(about)));
    }

    /// Takes away what is in another language than the app.
    pub(crate) fn drop_foreign(self) {
        self.shown.update(|shown| shown.retain(|toast| toast.lang == lang()));
    }

    pub(super) fn forget(self) {
        self.shown.update(Vec::clear);
    }
}
