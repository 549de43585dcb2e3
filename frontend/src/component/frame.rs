//! What stands around every page of somebody who is signed in: navigation, banner, tray, messages.

mod place;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::Outlet,
    hooks::{use_location, use_navigate},
};

use super::{
    banner::LinkBanner,
    nav::{self, Nav},
    toast::ToastList,
    transfer_tray::TransferTray,
};
use crate::{
    dom,
    keyboard::{self, KeyHelp},
    notify, route,
    store::stores,
    text::{self, keyboard as keys},
};

/// The frame, with the page inside.
#[component]
pub(crate) fn Frame() -> impl IntoView {
    let stores = stores();
    let help = RwSignal::new(false);
    nav::keep_usage(stores);
    keyboard::listen(stores);
    bind_keys(help);
    place::keep(use_location().pathname);
    notify::watch(stores);
    view! {
        <a class="skip" href="#content" on:click=skip>{text::common::skip()}</a>
        <div class="app">
            <Nav/>
            <main class="main" id="content" tabindex="-1">
                <LinkBanner/>
                <Outlet/>
            </main>
            <TransferTray/>
        </div>
        <ToastList/>
        <KeyHelp open=help/>
    }
}

/// Says what the document is called while the component lives: `PAGE · Beckon`.
pub(crate) fn title(page: impl Fn() -> String + 'static) {
    Effect::new(move || dom::document().set_title(&text::common::title(&page())));
}

/// The address stays as it is, so that going back leaves the page at once.
fn skip(event: web_sys::MouseEvent) {
    event.prevent_default();
    dom::focus("#content");
}

fn bind_keys(help: RwSignal<bool>) {
    let go = use_navigate();
    let bind = |chord, words, href: &'static str| {
        let go = go.clone();
        keyboard::bind(chord, keys::everywhere, words, move || {
            go(href, NavigateOptions::default())
        });
    };
    bind("g m", keys::go_machines, route::MACHINES);
    bind("g d", keys::go_drive, route::DRIVE);
    bind("g t", keys::go_transfers, route::TRANSFERS);
    bind("/", keys::search, route::SEARCH);
    keyboard::bind("?", keys::everywhere, keys::all_keys, move || help.set(true));
}
