//! Navigation: a column on a wide screen, five tabs at the thumb on a phone.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::{
    account_menu::AccountMenu,
    icon::Icon,
    menu::{Entry, MenuButton},
    progress::Bar,
    transfer::Group,
    transfer_tray::of_group,
};
use crate::{
    format, order, route,
    store::{Stores, stores},
    text::{self, common as words, transfer},
};

/// The navigation.
#[component]
pub(crate) fn Nav() -> impl IntoView {
    let stores = stores();
    let is_admin = move || stores.me.with(|me| me.as_ref().is_some_and(|me| me.admin));
    view! {
        <nav class="nav" aria-label=words::main_nav()>
            <a class="brand" href=route::MACHINES><Mark/><span>{words::brand()}</span></a>
            <NavItem href=route::MACHINES icon="machines" label=words::machines() also=&["/machine/", "/device/"]/>
            <NavItem href=route::DRIVE icon="drive" label=words::drive() also=&["/drive/"] takes_rows=true/>
            <NavItem href=route::TRANSFERS icon="transfers" label=words::transfers() also=&["/transfers/"]><NeedyPill/></NavItem>
            <NavItem href=route::SEARCH icon="search" label=words::search()><kbd aria-hidden="true">"/"</kbd></NavItem>
            <More/>
            <div class="nav-foot">
                <Quota/>
                <Show when=is_admin><NavItem href=route::ADMIN icon="admin" label=words::admin()/></Show>
                <NavItem href=route::SETTINGS icon="settings" label=words::settings()/>
                <AccountMenu/>
            </div>
        </nav>
    }
}

#[component]
fn NavItem(
    href: &'static str,
    icon: &'static str,
    label: &'static str,
    /// What other addresses belong to it begin with.
    #[prop(optional)]
    also: &'static [&'static str],
    /// Whether rows of a machine that are dropped here are uploaded.
    #[prop(optional)]
    takes_rows: bool,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let path = use_location().pathname;
    let is_here = move || path.with(|path| path == href || also.iter().any(|start| path.starts_with(start)));
    let over = RwSignal::new(false);
    let drag_over = move |event: web_sys::DragEvent| {
        if takes_rows && order::is_dragged() {
            event.prevent_default();
            over.set(true);
        }
    };
    let dropped = move |event: web_sys::DragEvent| {
        if over.get_untracked() {
            event.prevent_default();
            over.set(false);
            order::drop_on_drive();
        }
    };
    let class = move || if over.get() { "nav-item drop" } else { "nav-item" };
    view! {
        <a
            class=class href=href aria-current=move || is_here().then_some("page")
            on:dragover=drag_over on:dragleave=move |_| over.set(false) on:drop=dropped
        >
            <Icon name=icon/><span>{label}</span>{children.map(|children| children())}
        </a>
    }
}

/// How many transfers need a person; nothing else is counted here.
#[component]
fn NeedyPill() -> impl IntoView {
    let stores = stores();
    let count = Memo::new(move |_| of_group(stores, Group::NeedsYou).len() as u64);
    move || {
        let count = count.get();
        let says = transfer::pill(&format::count(count), &text::plural(count, "needs", "need"));
        (count > 0).then(|| {
            view! { <span class="count-pill" title=says.clone()><span aria-hidden="true">{count}</span><span class="sr">{says.clone()}</span></span> }
        })
    }
}

/// What has no tab of its own on a phone.
#[component]
fn More() -> impl IntoView {
    let stores = stores();
    let go = StoredValue::new_local(use_navigate());
    let to = move |href: &'static str| move || go.with_value(|go| go(href, NavigateOptions::default()));
    let items = move || {
        let is_admin = stores.me.with_untracked(|me| me.as_ref().is_some_and(|me| me.admin));
        let settings = Entry::new("settings", words::settings(), to(route::SETTINGS));
        let admin = is_admin.then(|| Entry::new("admin", words::admin(), to(route::ADMIN)));
        std::iter::once(settings).chain(admin).collect()
    };
    view! {
        <MenuButton label=words::more().to_owned() class="nav-item only-phone" items>
            <Icon name="more"/><span>{words::more()}</span>
        </MenuButton>
    }
}

/// How full the drive is.
#[component]
fn Quota() -> impl IntoView {
    let usage = stores().usage;
    move || {
        usage.get().map(|usage| {
            let used = format::bytes(usage.used);
            let says = match usage.quota {
                Some(quota) => words::quota(&used, &format::bytes(quota)),
                None => words::used(&used),
            };
            let percent = usage.quota.map(|quota| usage.used as f64 * 100.0 / quota.max(1) as f64);
            let bar = percent.map(|percent| view! { <Bar value=percent/> });
            view! { <a class="nav-quota" href=route::DRIVE>{bar}<span>{says}</span></a> }
        })
    }
}

#[component]
fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
            <rect width="24" height="24" rx="6.5" fill="currentColor"></rect>
            <path class="ink" d="M7.4 4.9v13.6M7.4 13.4a4.95 4.95 0 1 1 4.95 4.95"></path>
            <circle class="point" cx="12.35" cy="13.4" r="1.85"></circle>
        </svg>
    }
}

/// Reads anew how full the drive is whenever the drive changed, an upload stored more or a transfer ended; one question at
/// a time.
pub(crate) fn keep_usage(stores: Stores) {
    let is_asking = StoredValue::new(false);
    let stored = Memo::new(move |_| {
        let (mut open, mut bytes) = (0_u64, 0_u64);
        stores.transfers.each(|view| {
            open += u64::from(!view.state.is_over());
            bytes = bytes.wrapping_add(view.progress.bytes_sent);
        });
        (open, bytes)
    });
    let news = Memo::new(move |_| (stores.drive.get(), stored.get()));
    Effect::new(move || {
        let wanted = news.get();
        if is_asking.get_value() {
            return;
        }
        is_asking.set_value(true);
        leptos::task::spawn_local(async move {
            let mut at = wanted;
            loop {
                if let Ok(usage) = crate::api::get("/api/usage").await {
                    let _ = stores.usage.try_set(Some(usage));
                }
                crate::dom::sleep(USAGE_PAUSE).await;
                let now = news.try_get_untracked().unwrap_or(at);
                if now == at {
                    break;
                }
                at = now;
            }
            is_asking.try_set_value(false);
        });
    });
}

/// Between two questions how full the drive is, in milliseconds.
const USAGE_PAUSE: u32 = 2_000;
