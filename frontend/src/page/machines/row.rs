//! One device: who it is, whether it is there, and what can be done with it.

use std::collections::{BTreeMap, BTreeSet};

use beckon_shared::{
    api::account::SignInView,
    device::{DeviceKind, DeviceView},
    id::DeviceId,
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::work::Work;
use crate::{
    account,
    component::{
        device_dialog::Asked,
        icon::Icon,
        menu::{Entry, MenuButton},
        presence::{self, Dot, Presence},
        reach::ReachBadge,
        time::Ago,
    },
    dom, format, route,
    store::{Stores, stores},
    text::{self, common, machines as words},
    wake,
};

/// The account's sessions by the device that they were opened on.
pub(super) type Sessions = RwSignal<Vec<SignInView>>;

/// Reads the sessions; none are known until they came.
pub(super) fn sessions() -> Sessions {
    let all = RwSignal::new(Vec::new());
    leptos::task::spawn_local(async move {
        if let Ok(found) = account::sessions().await {
            let _ = all.try_set(found);
        }
    });
    all
}

/// A row of the list.
#[component]
pub(super) fn DeviceRow(
    id: DeviceId,
    asked: RwSignal<Option<Asked>>,
    why: RwSignal<Option<DeviceId>>,
    work: Memo<BTreeMap<DeviceId, Work>>,
    sessions: Sessions,
    /// Whether the list has been there for a while.
    settled: StoredValue<bool>,
) -> impl IntoView {
    let stores = stores();
    let row = untrack(|| stores.devices.row(id))?;
    let kind = row.with_untracked(|view| view.kind);
    let is_machine = kind == DeviceKind::Agent;
    let online = Memo::new(move |_| row.with(|view| view.online && !view.revoked));
    let name = Memo::new(move |_| row.with(|view| format::name(view.name.as_str())));
    let glyph = Signal::derive(move || row.with(glyph));
    let work = Memo::new(move |_| work.with(|all| all.get(&id).copied()).unwrap_or_default());
    let first_seen = row.with_untracked(|view| view.first_seen);
    let fresh = settled.get_value() && stores.now.get_untracked().since(first_seen).as_secs() < FRESH;
    let class = move || {
        let compact = if is_machine { "" } else { "compact" };
        let away = if online.get() { "" } else { "away" };
        let fresh = if fresh { "fresh" } else { "" };
        format!("device {compact} {away} {fresh}")
    };
    let href = if is_machine {
        route::machine(id)
    } else {
        route::device(id)
    };
    let address = Memo::new(move |_| row.with(|view| format!("{}:{}", view.address, view.port)));
    Some(view! {
        <li class=class data-device=id.to_string()>
            <div class="id">
                <span class="glyph"><Icon name=glyph/></span>
                <div class="grow">
                    <div class="name">
                        <a class="open cut" href=href><bdi>{move || name.get()}</bdi></a>
                        {is_machine.then(|| view! { <Marks row/> })}
                    </div>
                    <SubLine row work is_machine online/>
                </div>
            </div>
            <div class="c-state"><Presence online/></div>
            // Only machines are reached by a route; in the other rows the mark stands there and leaves the name its room.
            <div class="c-reach">
                {(!is_machine).then(|| view! { <Marks row/> })}
                {move || (is_machine && online.get()).then(|| view! { <ReachBadge id name why/> })}
            </div>
            <div class="addr mono c-addr cut" title=move || address.get()>{move || address.get()}</div>
            <div class="c-seen quiet"><Seen row online/></div>
            <div class="acts"><Acts row id name asked sessions/></div>
        </li>
    })
}

/// A row is new for so many seconds after the first visit.
const FRESH: u64 = 20;

#[component]
fn Marks(row: RwSignal<DeviceView>) -> impl IntoView {
    let stores = stores();
    let me = stores.me;
    let is_me = Memo::new(move |_| row.with(|view| me.with(|me| me.as_ref().is_some_and(|me| me.device == view.id))));
    let by_code =
        Memo::new(move |_| row.with(|view| account::is_doubtful(stores, view).then(|| words::by_code_why(view))));
    let mine = move || {
        is_me
            .get()
            .then(|| view! { <span class="badge accent">{words::this_browser()}</span> })
    };
    let code = move || {
        by_code
            .get()
            .map(|why| view! { <span class="badge warn" title=why>{words::by_code()}</span> })
    };
    view! { {mine}{code} }
}

#[component]
fn SubLine(row: RwSignal<DeviceView>, work: Memo<Work>, is_machine: bool, online: Memo<bool>) -> impl IntoView {
    let stores = stores();
    let live = Memo::new(move |_| {
        let here = online.get() && !stores.is_cut_off();
        work.with(Work::live).filter(|_| here)
    });
    let class = move || {
        if live.read().is_some() {
            "sub cut live"
        } else {
            "sub cut"
        }
    };
    let seen = Signal::derive(move || row.with(|view| view.last_seen));
    let facts = move || {
        live.get().unwrap_or_else(|| {
            let waits = work.with(Work::waits);
            row.with(|view| facts(view, waits))
        })
    };
    let since = move || match online.get() {
        true => (!is_machine).then(|| presence::current(stores, true).into_any()),
        false => Some(view! { <Ago at=seen/>{is_machine.then_some(" · ")} }.into_any()),
    };
    view! {
        <div class=class>
            <span class="only-phone"><Dot online/><span class="sr">{move || presence::current(stores, online.get())}" "</span>{since}</span>
            {move || is_machine.then(facts)}
        </div>
    }
}

fn facts(view: &DeviceView, waits: Option<String>) -> String {
    let roots = view.roots.len() as u64;
    let folders = match roots {
        0 => words::no_folders().to_owned(),
        _ => words::folders(&format::count(roots), &text::plural(roots, "folder", "folders")),
    };
    let os = short(&format::name(&view.os));
    [os, waits.unwrap_or(folders)]
        .iter()
        .filter(|part| !part.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join(" · ")
}

/// `Debian 12` of `Debian GNU/Linux 12 (bookworm)`: the line is short, and the device's page has it whole.
fn short(os: &str) -> String {
    let os = os.split(" (").next().unwrap_or_default();
    os.replace("GNU/Linux ", "")
}

#[component]
fn Seen(row: RwSignal<DeviceView>, online: Memo<bool>) -> impl IntoView {
    let stores = stores();
    let seen = Signal::derive(move || row.with(|view| view.last_seen));
    move || match online.get() && !stores.is_cut_off() {
        true => view! { <span>{words::now()}</span> }.into_any(),
        false => view! { <Ago at=seen/> }.into_any(),
    }
}

#[component]
fn Acts(
    row: RwSignal<DeviceView>,
    id: DeviceId,
    name: Memo<String>,
    asked: RwSignal<Option<Asked>>,
    sessions: Sessions,
) -> impl IntoView {
    let stores = stores();
    let go = StoredValue::new_local(use_navigate());
    let to = move |href: String| move || go.with_value(|go| go(&href, NavigateOptions::default()));
    let kind = row.with_untracked(|view| view.kind);
    let is_me = move || stores.me.with(|me| me.as_ref().is_some_and(|me| me.device == id));
    let items = move || {
        let view = row.get_untracked();
        let open = (kind == DeviceKind::Agent && !view.revoked)
            .then(|| Entry::new("machines", common::open(), to(route::machine(id))));
        let details = Entry::new("info", common::details(), to(route::device(id)));
        let confirm = untrack(|| account::is_doubtful(stores, &view))
            .then(|| Entry::new("check", words::confirm(), move || confirm(stores, id)));
        // How that goes is told on the machine's own page.
        let wake = untrack(|| wake::can(stores, id)).then(|| {
            let to_page = to(route::device(id));
            Entry::new("wake", text::device::wake(), move || {
                wake::begin(stores, id);
                to_page();
            })
        });
        let rename = (!view.revoked)
            .then(|| Entry::new("edit", common::rename_more(), move || asked.set(Some(Asked::Name(id)))));
        let remove = (!view.revoked && !untrack(is_me)).then(|| {
            Entry::new("trash", words::remove_more(), move || {
                asked.set(Some(Asked::Removal(id)))
            })
            .bad()
        });
        open.into_iter()
            .chain([details])
            .chain(wake)
            .chain(confirm)
            .chain(rename)
            .chain(remove)
            .collect()
    };
    // Nothing comes under the pointer where Confirm was until the page is visited again.
    let was_doubtful = StoredValue::new(false);
    let first = Memo::new(move |_| {
        let has_session = sessions.with(|all| all.iter().any(|session| session.device == id));
        row.with(|view| match kind {
            _ if view.revoked => First::Nothing,
            _ if account::is_doubtful(stores, view) => {
                was_doubtful.set_value(true);
                First::Confirm
            }
            _ if was_doubtful.get_value() => First::Nothing,
            DeviceKind::Agent if view.online => First::Open,
            DeviceKind::Browser | DeviceKind::Cli if has_session && !is_me() => First::SignOut,
            _ => First::Nothing,
        })
    });
    let first = move || first.get().button(stores, id, sessions);
    view! {
        {first}
        <MenuButton label=Signal::derive(move || words::more_for(&name.get())) items/>
    }
}

/// What is done most with a device, beside its menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Nothing,
    Confirm,
    Open,
    SignOut,
}

impl First {
    fn button(self, stores: Stores, id: DeviceId, sessions: Sessions) -> Option<AnyView> {
        let view = match self {
            Self::Nothing => return None,
            Self::Confirm => view! { <button type="button" class="button sm" on:click=move |_| confirm(stores, id)>{words::confirm()}</button> }.into_any(),
            // The name is the same link; this one is for the pointer.
            Self::Open => view! {
                <a class="button sm ghost go" href=route::machine(id) aria-hidden="true" tabindex="-1"><span class="word">{common::open()}</span></a>
            }
            .into_any(),
            Self::SignOut => view! {
                <button type="button" class="button sm ghost" on:click=move |_| sign_out(sessions, id)>{words::sign_out()}</button>
            }
            .into_any(),
        };
        Some(view)
    }
}

/// The row itself tells once the server has recorded it; refused, it stays unconfirmed and can be asked again.
fn confirm(stores: Stores, id: DeviceId) {
    leptos::task::spawn_local(async move {
        if account::confirm(stores, id).await.is_ok() {
            dom::focus(&format!("[data-device=\"{id}\"] .open"));
        }
    });
}

fn sign_out(sessions: Sessions, id: DeviceId) {
    let ended: BTreeSet<_> = sessions.with_untracked(|all| {
        all.iter()
            .filter(|session| session.device == id)
            .map(|session| session.id)
            .collect()
    });
    leptos::task::spawn_local(async move {
        for session in ended {
            if account::end_session(session).await.is_ok() {
                let _ = sessions.try_update(|all| all.retain(|kept| kept.id != session));
            }
        }
    });
}

/// What it looks like, by what it says of itself.
pub(crate) fn glyph(view: &DeviceView) -> &'static str {
    let (name, os) = (view.name.as_str().to_lowercase(), view.os.to_lowercase());
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match view.kind {
        DeviceKind::Cli => "terminal",
        DeviceKind::Browser
            if ["iphone", "android", "ios"]
                .iter()
                .any(|phone| os.contains(phone) || name.contains(phone)) =>
        {
            "phone"
        }
        DeviceKind::Browser => "browser",
        DeviceKind::Agent if named(&["laptop", "book", "notebook"]) => "laptop",
        DeviceKind::Agent if named(&["nas", "storage"]) => "nas",
        DeviceKind::Agent if named(&["server", "srv", "build", "host"]) => "server",
        DeviceKind::Agent => "desktop",
    }
}
