//! What is chosen for this browser: language, theme, letter keys, notifications, and the app on its own.

use leptos::prelude::*;

use super::{Setting, notify::TellEnds};
use crate::{
    component::door::own_name,
    dom,
    prefs::{Prefs, Theme},
    store,
    text::{self, Lang},
};

/// The section.
#[component]
pub(super) fn ThisBrowser() -> impl IntoView {
    let prefs = store::stores().prefs;
    let install = if dom::is_secure() {
        text::settings::install_sub()
    } else {
        text::settings::install_insecure()
    };
    view! {
        <section aria-labelledby="browser">
            <h2 id="browser">{text::settings::browser()}</h2>
            <div class="card">
                <Setting title=text::settings::language()><Languages prefs/></Setting>
                <Setting title=text::settings::theme()><Themes prefs/></Setting>
                <LetterKeys prefs/>
                <TellEnds prefs/>
                <Setting title=text::settings::install() says=install/>
            </div>
        </section>
    }
}

#[component]
fn Languages(prefs: Prefs) -> impl IntoView {
    let button = move |lang: Lang| {
        let is_chosen = move || if prefs.lang.get() == lang { "true" } else { "false" };
        // The app is drawn anew in another language; in the same one nothing happens.
        let choose = move |_| {
            if prefs.lang.get_untracked() != lang {
                prefs.lang.set(lang);
            }
        };
        view! { <button type="button" lang=lang.tag() aria-pressed=is_chosen on:click=choose>{own_name(lang)}</button> }
    };
    view! {
        <div class="segmented" role="group" aria-label=text::settings::language()>{[Lang::En, Lang::Zh].map(button).collect_view()}</div>
    }
}

#[component]
fn Themes(prefs: Prefs) -> impl IntoView {
    let themes = [
        (Theme::System, text::settings::theme_system()),
        (Theme::Light, text::settings::theme_light()),
        (Theme::Dark, text::settings::theme_dark()),
    ];
    let button = move |(theme, name): (Theme, &'static str)| {
        let is_chosen = move || if prefs.theme.get() == theme { "true" } else { "false" };
        view! { <button type="button" aria-pressed=is_chosen on:click=move |_| prefs.theme.set(theme)>{name}</button> }
    };
    view! {
        <div class="segmented" role="group" aria-label=text::settings::theme()>{themes.map(button).collect_view()}</div>
    }
}

#[component]
fn LetterKeys(prefs: Prefs) -> impl IntoView {
    let choose = move |event| prefs.letter_keys.set(event_target_checked(&event));
    view! {
        <label class="setting">
            <span class="says">
                <span class="what">{text::settings::letter_keys()}</span>
                <span class="sub">{text::settings::letter_keys_sub()}</span>
            </span>
            <input class="check" type="checkbox" prop:checked=move || prefs.letter_keys.get() on:change=choose/>
        </label>
    }
}
