//! The web app of Beckon: client-side rendered by Leptos, in one WebAssembly module that also runs in its workers.

#![allow(
    unreachable_pub,
    reason = "what Leptos makes of a component's props is public, whatever the component is"
)]

mod account;
mod api;
mod app;
mod component;
mod dom;
mod download;
mod format;
mod identity;
mod keyboard;
mod notify;
mod order;
mod page;
mod prefs;
mod route;
mod session;
mod socket;
mod store;
mod text;
mod upload;
mod vault;
mod wake;
mod worker;

use wasm_bindgen::prelude::wasm_bindgen;

/// Draws the app into the page.
#[wasm_bindgen]
pub fn start_page() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(app::App);
}

/// Does what the page asks for, in a worker.
#[wasm_bindgen]
pub fn start_worker() {
    console_error_panic_hook::set_once();
    worker::serve();
}
