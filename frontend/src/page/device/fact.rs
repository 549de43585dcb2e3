//! What is known of a device.

use beckon_shared::{
    certificate::{DeviceCertificate, Role},
    device::{DeviceKind, DeviceView, RootView},
};
use leptos::prelude::*;

use super::Row;
use crate::{
    account,
    component::{presence, time::Ago},
    dom, format, identity, route,
    store::{Stores, stores},
    text::{device as words, machines},
};

#[component]
pub(super) fn Facts(row: Row) -> impl IntoView {
    let of = move |read: fn(&DeviceView) -> String| Memo::new(move |_| row.with(read));
    let line = |what: &'static str, says: Memo<String>| {
        move || (!says.read().is_empty()).then(|| view! { <dt>{what}</dt><dd>{says.get()}</dd> })
    };
    let mono = |what: &'static str, says: Memo<String>| {
        move || (!says.read().is_empty()).then(|| view! { <dt>{what}</dt><dd class="mono">{says.get()}</dd> })
    };
    let stores = stores();
    let certificate = Memo::new(move |_| row.with(|view| certificate(stores, view)));
    view! {
        <section class="stack close">
            <h2>{words::facts()}</h2>
            <dl class="facts card padded">
                {line(words::kind(), of(|view| kind(view.kind).to_owned()))}
                {line(words::state(), of(|view| presence::word(view.online && !view.revoked).to_owned()))}
                {line(words::system(), of(|view| format::name(&view.os)))}
                {line(words::version(), of(|view| format::name(&view.version)))}
                {mono(words::address(), of(|view| format!("{}:{}", view.address, view.port)))}
                {mono(words::interfaces(), of(interfaces))}
                {mono(words::lan_port(), of(|view| view.lan_port.map(|port| port.to_string()).unwrap_or_default()))}
                <dt>{words::first_seen()}</dt><dd><Ago at=Signal::derive(move || row.with(|view| view.first_seen))/></dd>
                <dt>{words::last_seen()}</dt><dd>{move || last_seen(row)}</dd>
                {line(words::certificate(), certificate)}
                {mono(words::id(), of(|view| view.id.to_string()))}
            </dl>
        </section>
        <Roots row/>
    }
}

fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Agent => words::kind_agent(),
        DeviceKind::Browser => words::kind_browser(),
        DeviceKind::Cli => words::kind_cli(),
    }
}

fn interfaces(view: &DeviceView) -> String {
    let at = |at: &beckon_shared::device::NetAddress| {
        format::name(&format!("{}/{} {}", at.address, at.prefix, at.interface))
    };
    view.addresses.iter().map(at).collect::<Vec<_>>().join("\n")
}

fn last_seen(row: Row) -> AnyView {
    match row.with(|view| view.online) {
        true => machines::now().into_any(),
        false => view! { <Ago at=Signal::derive(move || row.with(|view| view.last_seen))/> }.into_any(),
    }
}

/// What its certificate lets it be, and how long; only of one that chains to the account's key.
fn certificate(stores: Stores, view: &DeviceView) -> String {
    let Some(identity) = identity::current() else {
        return String::new();
    };
    let standing = identity.standing.borrow();
    let found = view
        .certificate
        .verify(&identity.account_key, Some(&view.id), dom::now(), &standing);
    let by_code = match view.certificate.enrolment {
        Some(_) if account::is_doubtful(stores, view) => format!(" · {}", words::by_code()),
        Some(_) => format!(" · {}", words::by_code_confirmed()),
        None => String::new(),
    };
    found
        .map(|certificate| format!("{}{by_code}", says(&certificate)))
        .unwrap_or_default()
}

fn says(certificate: &DeviceCertificate) -> String {
    let role = match certificate.role {
        Role::Source => words::role_source(),
        Role::Copy => words::role_copy(),
        Role::Controller => words::role_controller(),
    };
    let until = match certificate.not_after {
        None => words::no_end().to_owned(),
        Some(end) => words::until(&format::exact(end)),
    };
    format!("{role} · {until}")
}

#[component]
fn Roots(row: Row) -> impl IntoView {
    let is_machine = row.with_untracked(|view| view.kind == DeviceKind::Agent);
    let id = row.with_untracked(|view| view.id);
    let roots = Memo::new(move |_| row.with(|view| if view.revoked { Vec::new() } else { view.roots.clone() }));
    let root = move |root: RootView| {
        let href = route::folder(id, root.id, &beckon_shared::path::RootPath::root());
        let writable = root
            .writable
            .then(|| view! { <span class="badge">{words::writable()}</span> });
        view! { <li class="row"><a href=href><bdi>{format::name(root.name.as_str())}</bdi></a>{writable}</li> }
    };
    is_machine.then(|| {
        view! {
            <section class="stack close">
                <h2>{words::roots()}</h2>
                {move || roots.read().is_empty().then(|| view! { <p class="quiet">{words::no_roots()}</p> })}
                <ul class="stack close">{move || roots.get().into_iter().map(root).collect_view()}</ul>
            </section>
        }
    })
}
