//! The app: its stores, its addresses, and who may see which.

use leptos::prelude::*;
use leptos_router::{
    components::{ParentRoute, Redirect, Route, Router, Routes},
    path,
};

use crate::{account, component::frame::Frame, download, page, route, store::Stores, text, upload};

/// The whole app, drawn anew when the language changes.
#[component]
pub(crate) fn App() -> impl IntoView {
    let stores = Stores::new();
    provide_context(stores);
    upload::watch(stores);
    download::watch(stores);
    let started = RwSignal::new(false);
    leptos::task::spawn_local(async move {
        account::resume(stores).await;
        started.set(true);
    });
    move || {
        text::set_lang(stores.prefs.lang.get());
        view! { <Show when=move || started.get()><Pages/></Show> }
    }
}

#[component]
fn Pages() -> impl IntoView {
    view! {
        <Router>
            // Every address has a page: the last route takes what no other does.
            <Routes fallback=|| ()>
                <Route path=path!("") view=|| view! { <Redirect path=route::MACHINES/> }/>
                <Route path=path!("/setup") view=page::set_up::SetUp/>
                <Route path=path!("/invite") view=page::set_up::SetUp/>
                <Route path=path!("/sign-in") view=page::sign_in::SignIn/>
                <Route path=path!("/recover") view=page::recover::Recover/>
                <ParentRoute path=path!("") view=Inside>
                    <Route path=path!("/machines") view=page::machines::Machines/>
                    <Route path=path!("/machine/:device/*rest") view=page::machine::Machine/>
                    <Route path=path!("/device/:device") view=page::device::Device/>
                    <Route path=path!("/drive/*rest") view=page::drive::Drive/>
                    <Route path=path!("/transfers") view=page::transfers::Transfers/>
                    <Route path=path!("/transfers/:transfer") view=page::transfer::Transfer/>
                    <Route path=path!("/search") view=page::search::Search/>
                    <Route path=path!("/settings") view=page::settings::Settings/>
                    <Route path=path!("/admin") view=page::admin::Admin/>
                    <Route path=path!("/*rest") view=page::nowhere::Nowhere/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}

/// What only somebody who is signed in sees; everybody else signs in first.
#[component]
fn Inside() -> impl IntoView {
    let stores = crate::store::stores();
    view! {
        <Show when=move || stores.me.read().is_some() fallback=|| view! { <Redirect path=account::way_in()/> }>
            <Frame/>
        </Show>
    }
}
