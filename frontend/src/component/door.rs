//! The page of one task, for somebody who is not signed in: set-up, sign-in, recovery.

use leptos::prelude::*;

use super::icon::Icon;
use crate::{
    dom,
    identity::this_browser,
    prefs::{Prefs, Theme},
    store, text,
    text::Lang,
};

/// The page, with its task inside.
#[component]
pub(crate) fn Door(
    /// The document's title.
    #[prop(into)]
    title: Signal<String>,
    children: Children,
) -> impl IntoView {
    Effect::new(move || dom::document().set_title(&text::common::title(&title.get())));
    view! {
        <a class="skip" href="#content" on:click=skip>{text::common::skip()}</a>
        <div class="door">
            <header><span class="brand"><Mark/><span>{text::common::brand()}</span></span></header>
            <main id="content" tabindex="-1">{children()}</main>
            <footer>
                <span>{format!("{} {}", text::common::brand(), this_browser::VERSION)}</span>
                <span class="row"><LanguageButton/><ThemeButton/></span>
            </footer>
        </div>
    }
}

/// The address stays as it is: what stands behind its `#` is nobody else's.
fn skip(event: web_sys::MouseEvent) {
    event.prevent_default();
    dom::focus("#content");
}

/// The mark: a *b* whose open bowl calls the dot in.
#[component]
pub(super) fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
            <rect width="24" height="24" rx="6.5" fill="currentColor"/>
            <path class="ink" d="M7.4 4.9v13.6M7.4 13.4a4.95 4.95 0 1 1 4.95 4.95"/>
            <circle class="point" cx="12.35" cy="13.4" r="1.85"/>
        </svg>
    }
}

#[component]
fn LanguageButton() -> impl IntoView {
    let Prefs { lang, .. } = store::stores().prefs;
    let change = move |_| lang.update(|lang| *lang = other(*lang));
    // Each language stands in its own words, so that who needs it can read it.
    let tag = move || lang.get().tag();
    view! {
        <button type="button" class="button ghost sm" title=text::account::language() on:click=change>
            <Icon name="language"/><span class="word" lang=tag>{move || own_name(lang.get())}</span>
        </button>
    }
}

fn other(lang: Lang) -> Lang {
    match lang {
        Lang::En => Lang::Zh,
        Lang::Zh => Lang::En,
    }
}

/// The name of a language in itself.
pub(crate) fn own_name(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "English",
        Lang::Zh => "简体中文",
    }
}

#[component]
fn ThemeButton() -> impl IntoView {
    let Prefs { theme, .. } = store::stores().prefs;
    let change = move |_| theme.update(|theme| *theme = next(*theme));
    let label = move || text::account::theme(&theme_name(theme.get()));
    view! {
        <button type="button" class="button icon-only ghost sm" aria-label=label title=label on:click=change>
            <Icon name="theme"/>
        </button>
    }
}

fn next(theme: Theme) -> Theme {
    match theme {
        Theme::System => Theme::Light,
        Theme::Light => Theme::Dark,
        Theme::Dark => Theme::System,
    }
}

/// A theme in words.
pub(crate) fn theme_name(theme: Theme) -> &'static str {
    match theme {
        Theme::System => text::account::theme_system(),
        Theme::Light => text::account::theme_light(),
        Theme::Dark => text::account::theme_dark(),
    }
}
