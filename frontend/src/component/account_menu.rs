//! Who is signed in, and the way out.

use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::{
    icon::Icon,
    menu::{Entry, MenuButton},
    sign_out::{SignOut, SignOutQuestion},
};
use crate::{route, store, text};

/// The button with the account's name, and its menu.
#[component]
pub(crate) fn AccountMenu() -> impl IntoView {
    let stores = store::stores();
    let name = Signal::derive(move || {
        let name = stores.me.with(|me| me.as_ref().map(|me| me.account_name.clone()));
        name.unwrap_or_default()
    });
    let (navigate, way) = (use_navigate(), SignOut::new(stores));
    let items = move || {
        let navigate = navigate.clone();
        let settings = move || navigate(route::SETTINGS, Default::default());
        let out = move || way.begin();
        vec![
            Entry::new("settings", text::common::settings(), settings),
            Entry::new("exit", text::account::sign_out(), out).apart(),
        ]
    };
    let label = Signal::derive(move || text::account::account_menu(&name.get()));
    view! {
        <MenuButton label class="who" items>
            <span class="avatar" aria-hidden="true">{move || initials(&name.get())}</span>
            <span class="grow cut"><bdi>{move || name.get()}</bdi></span>
            <Icon name="more" class="sm"/>
        </MenuButton>
        <SignOutQuestion way/>
    }
}

/// The first letters of the first two words: `LM` for `lin.mei`.
pub(crate) fn initials(name: &str) -> String {
    let words = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let firsts = words.take(2).filter_map(|word| word.chars().next());
    firsts.flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn initials_are_those_of_the_first_two_words() {
        assert_eq!(["lin.mei", "ann", "李 梅", "…"].map(initials), ["LM", "A", "李梅", ""]);
    }
}
