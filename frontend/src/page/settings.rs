//! Settings: account, sessions and devices, this browser.

mod browser;
mod notify;
mod password;
mod session;
mod versions;

use leptos::prelude::*;
use leptos_router::components::A;

use self::{
    browser::ThisBrowser,
    password::PasswordSetting,
    session::{SessionList, Sessions},
    versions::Versions,
};
use crate::{
    component::{
        frame,
        sign_out::{SignOut, SignOutQuestion},
    },
    format,
    identity::this_browser,
    route, store, text,
};

/// The page.
#[component]
pub(crate) fn Settings() -> impl IntoView {
    frame::title(|| text::common::settings().to_owned());
    let sessions = RwSignal::new(None);
    view! {
        <header class="page-head"><h1 tabindex="-1">{text::common::settings()}</h1></header>
        <div class="page-body">
            <div class="settings">
                <Account sessions/>
                <section aria-labelledby="security">
                    <h2 id="security">{text::settings::security()}</h2>
                    <Sessions sessions/>
                    <div class="card">
                        <Setting title=text::settings::devices() says=text::settings::devices_sub()>
                            <A href=route::MACHINES attr:class="button">{text::settings::show_devices()}</A>
                        </Setting>
                    </div>
                </section>
                <Versions/>
                <ThisBrowser/>
                <About/>
            </div>
        </div>
    }
}

/// One line: what it is, what it says, and what can be done.
#[component]
fn Setting(
    /// What it is.
    #[prop(into)]
    title: Signal<String>,
    /// What to know of it.
    #[prop(optional, into)]
    says: Signal<String>,
    /// What can be done.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let sub = move || (!says.read().is_empty()).then(|| view! { <span class="sub">{says.get()}</span> });
    view! {
        <div class="setting">
            <div class="says"><span class="what">{move || title.get()}</span>{sub}</div>
            {children.map(|children| children())}
        </div>
    }
}

#[component]
fn Account(sessions: SessionList) -> impl IntoView {
    let stores = store::stores();
    let name = move || stores.me.with(|me| me.as_ref().map(|me| me.account_name.clone()));
    let is_admin = move || stores.me.with(|me| me.as_ref().is_some_and(|me| me.admin));
    let admin = Signal::derive(move || {
        if is_admin() {
            text::settings::admin().to_owned()
        } else {
            String::new()
        }
    });
    let used = move || {
        stores.usage.get().map(|usage| match usage.quota {
            Some(quota) => text::settings::drive_of(&format::bytes(usage.used), &format::bytes(quota)),
            None => text::settings::drive_used(&format::bytes(usage.used)),
        })
    };
    view! {
        <section aria-labelledby="account">
            <h2 id="account">{text::settings::account()}</h2>
            <div class="card">
                <Setting title=text::settings::name() says=admin><span class="cut"><bdi>{name}</bdi></span></Setting>
                <Setting title=text::settings::drive()><span class="tnum">{used}</span></Setting>
                <PasswordSetting sessions/>
                <Leave/>
            </div>
        </section>
    }
}

#[component]
fn Leave() -> impl IntoView {
    let stores = store::stores();
    let way = SignOut::new(stores);
    let says = Signal::derive(move || {
        let device = stores.me.with(|me| me.as_ref().map(|me| me.device_name.clone()));
        text::settings::sign_out_sub(&device.unwrap_or_default())
    });
    view! {
        <Setting title=text::settings::sign_out() says>
            <button
                type="button" class="button" aria-busy=move || way.busy.get().then_some("true") on:click=move |_| way.begin()
            >
                {text::settings::sign_out()}
            </button>
        </Setting>
        <SignOutQuestion way/>
    }
}

#[component]
fn About() -> impl IntoView {
    view! {
        <section aria-labelledby="about">
            <h2 id="about">{text::settings::about()}</h2>
            <div class="card">
                <Setting title=text::settings::version(&this_browser::VERSION) says=text::settings::licence()/>
            </div>
        </section>
    }
}
