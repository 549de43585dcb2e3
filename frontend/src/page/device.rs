//! One device: what is known of it, when it visited, how fast it may send, and how it is woken, renamed or removed.

mod fact;
mod limit;
mod visit;

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    id::DeviceId,
};
use leptos::{html, prelude::*};
use leptos_router::hooks::use_params_map;

use self::{fact::Facts, limit::Limit, visit::Visits};
use crate::{
    account,
    component::{
        device_dialog::{Asked, DeviceDialogs, Renaming},
        dialog::ProblemLine,
        empty_state::EmptyState,
        frame,
        icon::Icon,
        presence::Presence,
        skeleton::LineBones,
        wake::{WakeButton, WakeSaid},
    },
    dom, format, route,
    store::stores,
    text::{self, common, device as words, machines},
};

type Row = RwSignal<DeviceView>;

/// The page.
#[component]
pub(crate) fn Device() -> impl IntoView {
    let stores = stores();
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params
            .with(|params| params.get("device"))
            .and_then(|id| id.parse::<DeviceId>().ok())
    });
    let row = Memo::new(move |_| id.get().and_then(|id| stores.devices.row(id)));
    let is_known = stores.devices.known();
    frame::title(move || {
        let name = row.get().map(|row| row.with(|view| format::name(view.name.as_str())));
        name.unwrap_or_else(|| common::machines().to_owned())
    });
    move || match row.get() {
        Some(row) => view! { <Page row/> }.into_any(),
        None if is_known.get() => view! { <Gone/> }.into_any(),
        None => view! { <div class="page-body"><LineBones/></div> }.into_any(),
    }
}

#[component]
fn Gone() -> impl IntoView {
    view! {
        <header class="page-head"><h1 tabindex="-1">{words::gone()}</h1></header>
        <div class="page-body">
            <EmptyState icon="machines" title=words::gone().to_owned() says=words::gone_says().to_owned()>
                <a class="button" href=route::MACHINES>{words::to_machines()}</a>
            </EmptyState>
        </div>
    }
}

#[component]
fn Page(row: Row) -> impl IntoView {
    let id = row.with_untracked(|view| view.id);
    let asked = RwSignal::new(None);
    view! {
        <Head row asked/>
        <div class="page-body">
            <div class="stack device-page">
                <Notice row/>
                <Away row/>
                <Facts row/>
                <Limit row/>
                <Visits id/>
            </div>
        </div>
        <DeviceDialogs asked/>
    }
}

#[component]
fn Head(row: Row, asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let stores = stores();
    let id = row.with_untracked(|view| view.id);
    let is_machine = row.with_untracked(|view| view.kind == DeviceKind::Agent);
    let revoked = Memo::new(move |_| row.with(|view| view.revoked));
    let online = Memo::new(move |_| row.with(|view| view.online && !view.revoked));
    let is_me = move || stores.me.with(|me| me.as_ref().is_some_and(|me| me.device == id));
    view! {
        <header class="page-head">
            <nav aria-label=words::machines() class="not-phone">
                <ol class="crumbs"><li><a class="crumb" href=route::MACHINES>{words::machines()}</a></li><li></li></ol>
            </nav>
            <Name row/>
            <Presence online/>
            <span class="grow"></span>
            <Show when=move || is_machine && !revoked.get()>
                <a class="button" href=route::machine(id)>{common::open()}</a>
            </Show>
            <Show when=move || !revoked.get() && !is_me()>
                <button type="button" class="button ghost" on:click=move |_| asked.set(Some(Asked::Removal(id)))>{words::remove()}</button>
            </Show>
        </header>
    }
}

/// The name as the page's heading; a click or F2 makes it a field.
#[component]
fn Name(row: Row) -> impl IntoView {
    let editing = RwSignal::new(false);
    let revoked = move || row.with(|view| view.revoked);
    let name = Memo::new(move |_| row.with(|view| format::name(view.name.as_str())));
    crate::keyboard::bind("F2", text::keyboard::here, common::rename, move || {
        editing.set(!row.with_untracked(|view| view.revoked))
    });
    let ended = move || {
        editing.set(false);
        request_animation_frame(|| dom::focus(".page-head .rename"));
    };
    move || {
        match editing.get() {
        true => view! { <NameField row ended/> }.into_any(),
        false => view! {
            <h1 class="cut" tabindex="-1"><bdi>{move || name.get()}</bdi></h1>
            <Show when=move || !revoked()>
                <button
                    type="button" class="button icon-only ghost sm rename" aria-label=common::rename() title=common::rename()
                    on:click=move |_| editing.set(true)
                >
                    <Icon name="edit"/>
                </button>
            </Show>
        }
        .into_any(),
    }
    }
}

#[component]
fn NameField(row: Row, ended: impl Fn() + Copy + Send + Sync + 'static) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    let (id, before) = row.with_untracked(|view| (view.id, view.name.to_string()));
    let rename = Renaming::new(stores(), id);
    node.on_load(|input| {
        let _ = input.focus();
        input.select();
    });
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = node.get_untracked().map(|input| input.value()).unwrap_or_default();
        rename.submit(&text, ended);
    };
    let keys = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" && !event.is_composing() {
            event.stop_propagation();
            ended();
        }
    };
    let is_bad = move || rename.problem.read().is_some().then_some("true");
    view! {
        <h1 class="sr">{before.clone()}</h1>
        <form class="row rename-field" on:submit=submit>
            <div class="field">
                <input
                    class="input" node_ref=node aria-label=common::name() autocomplete="off" spellcheck="false" maxlength="64"
                    prop:value=before aria-invalid=is_bad on:keydown=keys on:input=move |_| rename.problem.set(None)
                />
                <ProblemLine problem=rename.problem/>
            </div>
            <button type="submit" class="button primary" aria-busy=move || rename.busy.get().then_some("true")>{common::save()}</button>
            <button type="button" class="button ghost" on:click=move |_| ended()>{common::cancel()}</button>
        </form>
    }
}

/// What wants saying above the facts: it was removed, or nobody has confirmed it.
#[component]
fn Notice(row: Row) -> impl IntoView {
    let stores = stores();
    let id = row.with_untracked(|view| view.id);
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let confirm = move |_| {
        busy.set(true);
        leptos::task::spawn_local(async move {
            let told = account::confirm(stores, id).await;
            let _ = busy.try_set(false);
            if told.is_ok() {
                // The button is gone, and the focus with it.
                dom::focus(".page-head h1");
            }
            let _ = problem.try_set(told.err().map(|refusal| text::error::of(&refusal)));
        });
    };
    let state = Memo::new(move |_| {
        row.with(|view| {
            let doubt = account::is_doubtful(stores, view).then(|| machines::by_code_why(view));
            (view.revoked, doubt)
        })
    });
    move || {
        match state.get() {
        (true, _) => Some(
            view! { <div class="banner card-like"><Icon name="info"/><span class="grow">{words::is_removed()}</span></div> }.into_any(),
        ),
        (false, Some(says)) => Some(
            view! {
                <div>
                    <div class="banner warn card-like">
                        <Icon name="alert"/><span class="grow">{says}</span>
                        <button type="button" class="button sm" aria-busy=move || busy.get().then_some("true") on:click=confirm>
                            {machines::confirm()}
                        </button>
                    </div>
                    <ProblemLine problem/>
                </div>
            }
            .into_any(),
        ),
        (false, None) => None,
    }
    }
}

/// A machine that is away, and how it can be woken.
#[component]
fn Away(row: Row) -> impl IntoView {
    let id = row.with_untracked(|view| view.id);
    let is_away = Memo::new(move |_| row.with(|view| view.kind == DeviceKind::Agent && !view.online && !view.revoked));
    let title = move || row.with(|view| words::is_away(&format::name(view.name.as_str())));
    view! {
        <Show when=move || is_away.get()>
            <div class="banner card-like">
                <Icon name="wake"/><span class="grow"><b>{title}</b>" "<WakeSaid machine=id/></span><WakeButton machine=id/>
            </div>
        </Show>
    }
}
