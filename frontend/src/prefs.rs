//! What a person chose for this browser: language, theme, keys, notifications, the way to machines. Kept in local storage; nothing secret.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    dom,
    text::{self, Lang},
};

const KEY: &str = "beckon.prefs";

/// Which colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    lang: Lang,
    theme: Theme,
    letter_keys: bool,
    #[serde(default)]
    notify: bool,
    #[serde(default = "yes")]
    direct: bool,
}

fn yes() -> bool {
    true
}

/// The choices; setting one keeps it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefs {
    /// Language of the app.
    pub(crate) lang: RwSignal<Lang>,
    /// Colours.
    pub(crate) theme: RwSignal<Theme>,
    /// Whether single letters are commands (WCAG 2.1.4).
    pub(crate) letter_keys: RwSignal<bool>,
    /// Whether a notification tells that a transfer has ended.
    pub(crate) notify: RwSignal<bool>,
    /// Whether machines are reached directly where that can be.
    pub(crate) direct: RwSignal<bool>,
}

impl Prefs {
    /// What was kept, or what the browser prefers; keeps what is changed from now on.
    pub(crate) fn load() -> Self {
        let kept = read().unwrap_or_else(|| Kept {
            lang: preferred_lang(),
            theme: Theme::System,
            letter_keys: true,
            notify: false,
            direct: true,
        });
        let prefs = Self {
            lang: RwSignal::new(kept.lang),
            theme: RwSignal::new(kept.theme),
            letter_keys: RwSignal::new(kept.letter_keys),
            notify: RwSignal::new(kept.notify),
            direct: RwSignal::new(kept.direct),
        };
        text::set_lang(kept.lang);
        Effect::new(move || prefs.keep());
        prefs
    }

    fn keep(self) {
        let kept = Kept {
            lang: self.lang.get(),
            theme: self.theme.get(),
            letter_keys: self.letter_keys.get(),
            notify: self.notify.get(),
            direct: self.direct.get(),
        };
        let root = dom::document().document_element();
        if let Some(root) = root {
            let _ = root.set_attribute("lang", kept.lang.tag());
            let _ = match kept.theme {
                Theme::System => root.remove_attribute("data-theme"),
                Theme::Light => root.set_attribute("data-theme", "light"),
                Theme::Dark => root.set_attribute("data-theme", "dark"),
            };
        }
        if let (Some(storage), Ok(text)) = (dom::local_storage(), serde_json::to_string(&kept)) {
            // A browser that keeps nothing still works; the choice then lasts until the page is left.
            let _ = storage.set_item(KEY, &text);
        }
    }
}

fn read() -> Option<Kept> {
    let text = dom::local_storage()?.get_item(KEY).ok()??;
    serde_json::from_str(&text).ok()
}

fn preferred_lang() -> Lang {
    let wanted = dom::window().navigator().language().unwrap_or_default();
    if wanted.starts_with("zh") { Lang::Zh } else { Lang::En }
}
