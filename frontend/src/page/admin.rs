//! Administration: how the server is, who has an account, and what is under way; of others never a file's name.

mod account_dialog;
mod accounts;
mod figures;
mod health;
mod history;
mod invitations;
mod invite;
mod size;
mod transfers;
mod watch;
mod workers;

use beckon_shared::error::ErrorCode;
use leptos::prelude::*;

use self::{
    accounts::Accounts,
    figures::Figures,
    health::Health,
    history::{Charts, Spans},
    invitations::Invitations,
    transfers::Transfers,
    watch::Watch,
    workers::Workers,
};
use crate::{
    component::{empty_state::EmptyState, frame, skeleton::LineBones},
    route,
    store::stores,
    text::{self, admin as words, common},
};

/// The page.
#[component]
pub(crate) fn Admin() -> impl IntoView {
    let stores = stores();
    frame::title(|| common::admin().to_owned());
    let is_admin = Memo::new(move |_| stores.me.with(|me| me.as_ref().is_some_and(|me| me.admin)));
    move || {
        if is_admin.get() {
            view! { <Watched/> }.into_any()
        } else {
            view! { <NotForYou/> }.into_any()
        }
    }
}

/// For everybody else.
#[component]
fn NotForYou() -> impl IntoView {
    view! {
        <header class="page-head"><h1 tabindex="-1">{common::admin()}</h1></header>
        <div class="page-body">
            <EmptyState icon="lock" title=words::not_admin().to_owned() says=words::not_admin_says().to_owned()>
                <a class="button" href=route::MACHINES>{words::to_machines()}</a>
            </EmptyState>
        </div>
    }
}

#[component]
fn Watched() -> impl IntoView {
    let watch = Watch::begin();
    let is_known = Memo::new(move |_| watch.stats.read().is_some());
    // Somebody who administers no more finds out by the first answer.
    let is_refused = move || {
        watch.refusal.with(|refusal| {
            refusal
                .as_ref()
                .is_some_and(|refusal| refusal.code == ErrorCode::NotAllowed)
        })
    };
    move || match is_refused() {
        true => view! { <NotForYou/> }.into_any(),
        false => view! {
            <header class="page-head">
                <h1 tabindex="-1">{common::admin()}</h1>
                <span class="grow"></span>
                <Spans span=watch.span/>
            </header>
            <div class="page-body admin">
                <Show when=move || is_known.get() fallback=move || view! { <Missing watch/> }><Overview watch/></Show>
            </div>
        }
        .into_any(),
    }
}

/// Before the first figures, or in their place.
#[component]
fn Missing(watch: Watch) -> impl IntoView {
    move || match watch.refusal.get() {
        None => view! { <LineBones rows=6/> }.into_any(),
        Some(refusal) => view! {
            <EmptyState icon="alert" class="error" title=words::failed().to_owned() says=text::error::of(&refusal)>
                <button type="button" class="button" on:click=move |_| watch.read_now()>{common::retry()}</button>
            </EmptyState>
        }
        .into_any(),
    }
}

#[component]
fn Overview(watch: Watch) -> impl IntoView {
    view! {
        <Figures watch/>
        <Charts watch/>
        <div class="admin-grid">
            <div class="column"><Accounts watch/><Invitations watch/><Transfers watch/></div>
            <div class="column"><Health watch/><Workers watch/></div>
        </div>
    }
}
