//! What an address leads to that is no page's.

use leptos::prelude::*;

use crate::{
    component::{empty_state::EmptyState, frame},
    route,
    text::nowhere as words,
};

/// The page.
#[component]
pub(crate) fn Nowhere() -> impl IntoView {
    frame::title(|| words::title().to_owned());
    view! {
        <header class="page-head"><h1 tabindex="-1">{words::title()}</h1></header>
        <div class="page-body">
            <EmptyState icon="search" title=words::title().to_owned() says=words::says().to_owned()>
                <a class="button" href=route::MACHINES>{words::to_machines()}</a>
            </EmptyState>
        </div>
    }
}
