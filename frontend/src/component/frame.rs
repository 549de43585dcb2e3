//! What stands around every page of somebody who is signed in: navigation, banner, tray, messages.

use leptos::prelude::*;
use leptos_router::components::Outlet;

use crate::text;

/// The frame, with the page inside.
#[component]
pub(crate) fn Frame() -> impl IntoView {
    view! {
        <a class="skip" href="#content">{text::common::skip()}</a>
        <div class="app">
            <main class="main" id="content" tabindex="-1">
                <Outlet/>
            </main>
        </div>
    }
}
