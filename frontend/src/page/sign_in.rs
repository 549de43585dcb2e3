//! Signing in.

use beckon_shared::api::server::Status;
use leptos::{html, prelude::*, task::spawn_local};
use leptos_router::{
    NavigateOptions,
    components::A,
    hooks::{use_navigate, use_query_map},
};

use crate::{
    account::{self, Computer, Left, Problem},
    api,
    component::{
        door::Door,
        field::{self, PasswordField, SendButton, TextField},
        icon::Icon,
    },
    dom, identity, route, store, text,
};

/// The page. Whoever is signed in goes on to the place that was asked for.
#[component]
pub(crate) fn SignIn() -> impl IntoView {
    let stores = store::stores();
    let (query, navigate) = (use_query_map(), use_navigate());
    Effect::new(move || {
        if stores.me.read().is_some() {
            let to = query.with_untracked(|query| query.get("to"));
            account::forget_left();
            let replace = NavigateOptions {
                replace: true,
                ..Default::default()
            };
            navigate(&route::after_sign_in(to.as_deref()), replace);
        }
    });
    let ready = RwSignal::new(None::<Start>);
    spawn_local(async move {
        let start = Start::find().await;
        let _ = ready.try_set(Some(start));
    });
    let inside = move || {
        ready.get().map(|start| match start {
            Start::NoAccount => view! { <NotSetUp/> }.into_any(),
            Start::Name(name) => view! { <Form name/> }.into_any(),
        })
    };
    view! { <Door title=text::account::sign_in()>{inside}</Door> }
}

/// How the page begins.
#[derive(Debug, Clone)]
enum Start {
    /// Nobody can sign in yet.
    NoAccount,
    /// With this name in the form, from the last time.
    Name(String),
}

impl Start {
    async fn find() -> Self {
        if let Some(name) = identity::kept::last_name().await {
            return Self::Name(name);
        }
        match api::get::<Status>("/api/status").await {
            Ok(status) if !status.set_up => Self::NoAccount,
            _ => Self::Name(String::new()),
        }
    }
}

#[component]
fn NotSetUp() -> impl IntoView {
    view! {
        <div class="card">
            <div><h1>{text::account::no_account_title()}</h1><p class="lead">{text::account::no_account_text()}</p></div>
            <A href="/setup" attr:class="button wide">{text::account::type_code()}</A>
        </div>
    }
}

#[component]
fn Form(name: String) -> impl IntoView {
    let stores = store::stores();
    let (name_node, password_node, guest) = (
        NodeRef::<html::Input>::new(),
        NodeRef::<html::Input>::new(),
        NodeRef::<html::Input>::new(),
    );
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None::<Problem>));
    let first = if name.is_empty() { name_node } else { password_node };
    first.on_load(|input| {
        let _ = input.focus();
    });
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        let (name, password) = (field::value_of(name_node), field::value_of(password_node));
        let computer = computer(guest);
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let done = account::sign_in(stores, name.trim(), &password, computer).await;
            let _ = busy.try_set(false);
            if let Err(bad) = done {
                let _ = problem.try_set(Some(bad));
                field::focus(password_node);
            }
        });
    };
    let says = Signal::derive(move || problem.read().as_ref().map(Problem::text));
    view! {
        <div class="card">
            <div>
                <h1>{text::account::sign_in()}</h1>
                <p class="lead mono">{dom::host()}</p>
            </div>
            <Notice/>
            <form class="form" on:submit=send>
                <TextField label=text::account::name() node=name_node autocomplete="username" value=name/>
                <PasswordField label=text::account::password() node=password_node autocomplete="current-password" problem=says>
                    <A href=route::RECOVER attr:class="tall">{text::account::use_recovery()}</A>
                </PasswordField>
                <Unpin problem name_node/>
                <GuestOption node=guest/>
                <SendButton busy label=text::account::sign_in() working=text::account::signing_in()/>
            </form>
            <Unprotected/>
        </div>
    }
}

/// Asks whether this computer is somebody else's.
#[component]
pub(super) fn GuestOption(node: NodeRef<html::Input>) -> impl IntoView {
    view! {
        <label class="option">
            <input class="check" type="checkbox" node_ref=node/>
            <span>{text::account::not_mine()}<span class="hint">{text::account::not_mine_hint()}</span></span>
        </label>
    }
}

/// Whose computer this is, by what was ticked.
pub(super) fn computer(guest: NodeRef<html::Input>) -> Computer {
    match guest.get_untracked().is_some_and(|check| check.checked()) {
        true => Computer::Foreign,
        false => Computer::Own,
    }
}

/// Why somebody who was signed in is not any more.
#[component]
fn Notice() -> impl IntoView {
    let (icon, text) = match account::left() {
        Some(Left::Ended) => ("info", text::account::ended()),
        Some(Left::Revoked) => ("alert", text::account::revoked()),
        Some(Left::Untold) => ("alert", text::account::untold()),
        Some(Left::ByHand) | None => return None,
    };
    Some(view! { <div class="banner card-like" role="status"><Icon name=icon/><span class="grow">{text}</span></div> })
}

/// The way on for an account that was made anew: this browser still knows the old one.
#[component]
fn Unpin(problem: RwSignal<Option<Problem>>, name_node: NodeRef<html::Input>) -> impl IntoView {
    let forget = move |_| {
        let name = field::value_of(name_node);
        spawn_local(async move {
            account::unpin(name.trim()).await;
            let _ = problem.try_set(None);
        });
    };
    move || {
        (*problem.read() == Some(Problem::OtherAccount)).then(|| {
            view! {
                <div class="field">
                    <p class="hint">{text::account::unpin_text()}</p>
                    <button type="button" class="button" on:click=forget>{text::account::unpin()}</button>
                </div>
            }
        })
    }
}

/// Says quietly where the page came over a connection that others can change.
#[component]
pub(super) fn Unprotected() -> impl IntoView {
    (!dom::is_secure()).then(|| {
        view! { <p class="hint noted"><Icon name="alert" class="sm"/><span>{text::account::not_private()}</span></p> }
    })
}
