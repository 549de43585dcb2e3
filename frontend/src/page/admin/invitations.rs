//! Invitations that can still be used.

use beckon_shared::{api::admin::InvitationView, id::InvitationId};
use leptos::{prelude::*, task::spawn_local};

use super::{invite::until, watch::Watch};
use crate::{
    api,
    component::{dialog::ProblemLine, time::Ago},
    format,
    store::stores,
    text::{self, admin as words},
};

/// The list; nothing while there is none.
#[component]
pub(super) fn Invitations(watch: Watch) -> impl IntoView {
    let ids = Memo::new(move |_| watch.invitations.read().iter().map(|view| view.id).collect::<Vec<_>>());
    view! {
        <Show when=move || !ids.read().is_empty()>
            <section class="card" aria-labelledby="invitations">
                <div class="card-head"><h2 class="grow" id="invitations">{words::invitations()}</h2></div>
                <ul class="health"><For each=move || ids.get() key=|id| *id let:id><Open watch id/></For></ul>
            </section>
        </Show>
    }
}

#[component]
fn Open(watch: Watch, id: InvitationId) -> impl IntoView {
    // An invitation never changes.
    let view = watch
        .invitations
        .with_untracked(|all| all.iter().find(|view| view.id == id).cloned());
    let problem = RwSignal::new(None);
    view.map(|view| row(watch, view, problem))
}

fn row(watch: Watch, invitation: InvitationView, problem: RwSignal<Option<String>>) -> impl IntoView {
    let stores = stores();
    let busy = RwSignal::new(false);
    let id = invitation.id;
    let withdraw = move |_| {
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let told = api::delete(&format!("/api/admin/invitations/{id}")).await;
            let _ = busy.try_set(false);
            match told {
                Ok(()) => {
                    stores.toasts.say(words::withdrawn().to_owned(), None);
                    watch.read_lists().await;
                }
                Err(refusal) => {
                    let _ = problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    };
    let until = until(invitation.expires, stores.now.get_untracked());
    let whom = if invitation.admin {
        words::for_admin()
    } else {
        words::for_member()
    };
    let quota = match invitation.quota {
        Some(quota) => words::with_quota(&format::bytes(quota)),
        None => words::without_quota().to_owned(),
    };
    view! {
        <li class="open-invitation">
            <div>
                <span>{whom}" · "{quota}</span>
                <span class="note">{words::link_until(&until)}" · "{words::made()}" "<Ago at=invitation.created/></span>
                <ProblemLine problem/>
            </div>
            <button
                type="button" class="button sm" aria-label=words::withdraw_label(&until)
                aria-busy=move || busy.get().then_some("true") on:click=withdraw
            >
                {words::withdraw()}
            </button>
        </li>
    }
}
