//! How long older versions are kept, of the drive and of each root.

use beckon_shared::{
    api::drive::{RetentionView, RootRetention},
    error::Refusal,
};
use leptos::{prelude::*, task::spawn_local};

use super::{Setting, SettingProps};
use crate::{
    component::{
        retention::{self, RetentionDialog, Scope, said},
        skeleton::LineBones,
    },
    format,
    text::{self, common, past as words},
};

/// The rules, each with the button that changes it.
#[component]
pub(super) fn Versions() -> impl IntoView {
    let view = RwSignal::new(None::<Result<RetentionView, Refusal>>);
    let scope = RwSignal::new(None::<Scope>);
    let read = move || {
        spawn_local(async move {
            let read = retention::read().await;
            let _ = view.try_set(Some(read));
        });
    };
    Effect::new(read);
    let rows = move || match view.get() {
        None => view! { <div class="setting"><LineBones rows=1/></div> }.into_any(),
        Some(Err(refusal)) => {
            let retry =
                view! { <button type="button" class="button sm" on:click=move |_| read()>{common::retry()}</button> };
            view! { <div class="setting"><p class="quiet grow">{text::error::of(&refusal)}</p>{retry}</div> }.into_any()
        }
        Some(Ok(view)) => rules(&view, scope),
    };
    view! {
        <section aria-labelledby="versions">
            <h2 id="versions">{words::versions()}</h2>
            <p class="quiet">{words::drive_says()}</p>
            <div class="card">{rows}</div>
            <RetentionDialog scope on_set=Callback::new(move |()| read())/>
        </section>
    }
}

fn rules(view: &RetentionView, scope: RwSignal<Option<Scope>>) -> AnyView {
    let drive = line(
        words::all_others().to_owned(),
        capital(&words::all_others_says(&said(&view.default))),
        scope,
        Scope::Drive,
    );
    let roots = view.roots.iter().map(|root| of_root(root, scope));
    view! { {drive} {roots.collect_view()} }.into_any()
}

fn of_root(root: &RootRetention, scope: RwSignal<Option<Scope>>) -> AnyView {
    let name = format::name(&root.path.display());
    let says = root
        .rule
        .as_ref()
        .map_or_else(|| words::rule_as_drive().to_owned(), said);
    let (device, root) = (root.device, root.root);
    line(name.clone(), capital(&says), scope, Scope::Root { device, root, name })
}

fn line(what: String, says: String, scope: RwSignal<Option<Scope>>, of: Scope) -> AnyView {
    let label = format!("{}: {what}", words::change());
    let children = move || {
        view! {
            <button type="button" class="button" aria-label=label on:click=move |_| scope.set(Some(of.clone()))>
                {words::change()}
            </button>
        }
        .into_any()
    };
    Setting(SettingProps {
        title: what.into(),
        says: says.into(),
        children: Some(Box::new(children)),
    })
    .into_any()
}

/// With a capital letter at the beginning, where the language has them.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    first + chars.as_str()
}
