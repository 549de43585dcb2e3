//! Who is signed in to the account, and ending that.

use beckon_shared::{api::account::SignInView, error::Refusal};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    account,
    component::{
        badge::Badge,
        dialog::ProblemLine,
        skeleton::{Late, LineBones},
        time::Ago,
    },
    format, store, text,
};

/// The open sessions, once they were read.
pub(super) type SessionList = RwSignal<Option<Result<Vec<SignInView>, Refusal>>>;

/// Asks the server for them.
pub(super) fn read(sessions: SessionList) {
    spawn_local(async move {
        let _ = sessions.try_set(Some(account::sessions().await));
    });
}

/// All open sessions.
#[component]
pub(super) fn Sessions(sessions: SessionList) -> impl IntoView {
    read(sessions);
    let list = move || match sessions.get() {
        None => view! { <Late><LineBones rows=2/></Late> }.into_any(),
        Some(Ok(list)) => {
            let rows = list.into_iter().map(|session| view! { <Session session sessions/> });
            view! { <ul aria-label=text::settings::sessions()>{rows.collect_view()}</ul> }.into_any()
        }
        Some(Err(refusal)) => view! {
            <div class="setting">
                <ProblemLine problem=Some(text::error::of(&refusal))/>
                <button type="button" class="button" on:click=move |_| read(sessions)>{text::common::retry()}</button>
            </div>
        }
        .into_any(),
    };
    view! { <div class="card"><h3 class="setting-head">{text::settings::sessions()}</h3>{list}</div> }
}

#[component]
fn Session(session: SignInView, sessions: SessionList) -> impl IntoView {
    let stores = store::stores();
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None));
    let (id, device) = (session.id, StoredValue::new(session.device_name.clone()));
    let end = move |_| {
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let ended = account::end_session(id).await;
            let _ = busy.try_set(false);
            match ended {
                Ok(()) => {
                    stores.toasts.say(text::settings::ended(&device.get_value()), None);
                    let without = |list: &mut Option<Result<Vec<SignInView>, Refusal>>| {
                        if let Some(Ok(list)) = list {
                            list.retain(|session| session.id != id);
                        }
                    };
                    let _ = sessions.try_update(without);
                }
                Err(refusal) => {
                    let _ = problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    };
    let until = format::date(session.expires, stores.now.get_untracked());
    let sub = text::settings::session_sub(&session.address, &until);
    let act = if session.current {
        view! { <Badge text=text::settings::session_here() kind="ok"/> }.into_any()
    } else {
        view! {
            <button
                type="button" class="button sm" aria-label=text::settings::end_label(&session.device_name)
                aria-busy=move || busy.get().then_some("true") on:click=end
            >
                {text::settings::end()}
            </button>
        }
        .into_any()
    };
    view! {
        <li class="setting">
            <div class="says">
                <span class="what cut"><bdi>{session.device_name}</bdi></span>
                <span class="sub">{sub}" · "{text::settings::session_used()}<Ago at=session.used/></span>
                <ProblemLine problem/>
            </div>
            {act}
        </li>
    }
}
