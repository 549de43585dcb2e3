//! Inviting a person: a link with a code, shown only once.

use beckon_shared::{
    api::admin::{Invitation, NewInvitation},
    time::Timestamp,
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    size::{Size, SizeField},
    watch::Watch,
};
use crate::{
    api,
    component::{
        add_machine::LoopbackNote,
        copy_button::CopyButton,
        dialog::{Dialog, ProblemLine},
        field::SendButton,
        icon::Icon,
    },
    dom, format,
    store::stores,
    text::{self, admin as words, common},
};

/// Days that an invitation may be valid for.
const DAYS: [u32; 4] = [1, 3, 7, 30];

/// The button with its dialog.
#[component]
pub(super) fn InviteButton(watch: Watch) -> impl IntoView {
    let open = RwSignal::new(false);
    let made = RwSignal::new(None::<Invitation>);
    let begin = move |_| {
        made.set(None);
        open.set(true);
    };
    // The code is kept no longer than it is shown.
    Effect::new(move || {
        if !open.get() {
            made.set(None);
        }
    });
    view! {
        <button type="button" class="button sm" on:click=begin><Icon name="plus"/><span class="word">{words::invite()}</span></button>
        <Dialog open title=words::invite_title().to_owned() class="small">
            {move || match made.get() {
                None => view! { <InviteForm watch open made/> }.into_any(),
                Some(invitation) => view! { <Link invitation open/> }.into_any(),
            }}
        </Dialog>
    }
}

#[component]
fn InviteForm(watch: Watch, open: RwSignal<bool>, made: RwSignal<Option<Invitation>>) -> impl IntoView {
    let (days, admin, size) = (RwSignal::new(7), RwSignal::new(false), Size::new(None));
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None));
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        problem.set(None);
        let Some(quota) = size.read().filter(|_| !busy.get_untracked()) else {
            return;
        };
        let wanted = NewInvitation {
            hours: days.get_untracked() * 24,
            admin: admin.get_untracked(),
            quota,
        };
        busy.set(true);
        spawn_local(async move {
            let answer = api::post::<Invitation>("/api/admin/invitations", &wanted).await;
            let _ = busy.try_set(false);
            match answer {
                Ok(invitation) => {
                    let _ = made.try_set(Some(invitation));
                    watch.read_lists().await;
                }
                Err(refusal) => {
                    let _ = problem.try_set(Some(text::error::of(&refusal)));
                }
            }
        });
    };
    view! {
        <form on:submit=send>
            <div class="body">
                <p class="quiet">{words::invite_says()}</p>
                <LoopbackNote says=words::link_loopback()/>
                <Days days/>
                <SizeField size/>
                <label class="option">
                    <input
                        class="check" type="checkbox" prop:checked=move || admin.get()
                        on:change=move |event| admin.set(event_target_checked(&event))
                    />
                    <span>{words::as_admin()}<span class="hint block">{words::as_admin_hint()}</span></span>
                </label>
                <ProblemLine problem/>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{common::cancel()}</button>
                <SendButton busy label=words::make_link() working=words::making_link() class="button primary"/>
            </footer>
        </form>
    }
}

#[component]
fn Days(days: RwSignal<u32>) -> impl IntoView {
    let button = move |count: u32| {
        let pressed = move || if days.get() == count { "true" } else { "false" };
        let word = words::valid_days(&count, &text::plural(count.into(), "day", "days"));
        let is_first = count == days.get_untracked();
        view! { <button type="button" aria-pressed=pressed autofocus=is_first on:click=move |_| days.set(count)>{word}</button> }
    };
    view! {
        <div class="field">
            <span class="field-label">{words::valid()}</span>
            <div><div class="segmented" role="group" aria-label=words::valid()>{DAYS.map(button).collect_view()}</div></div>
        </div>
    }
}

#[component]
fn Link(invitation: Invitation, open: RwSignal<bool>) -> impl IntoView {
    let link = format!("{}/invite#{}", dom::origin(), invitation.code);
    let until = words::link_until(&until(invitation.expires, stores().now.get_untracked()));
    let node = NodeRef::<leptos::html::Code>::new();
    node.on_load(|code| {
        let _ = code.focus();
    });
    view! {
        <div class="body">
            <div class="field">
                <span class="field-label">{words::link()}</span>
                <div class="command">
                    <code node_ref=node class="link" tabindex="0" aria-label=words::link()>{link.clone()}</code>
                    <CopyButton value=link/>
                </div>
                <p class="hint">{until}</p>
                <LoopbackNote says=words::link_loopback()/>
            </div>
            <p class="quiet">{words::link_once()}</p>
        </div>
        <footer><button type="button" class="button primary" on:click=move |_| open.set(false)>{words::done()}</button></footer>
    }
}

/// Day and time at which an invitation lapses.
pub(super) fn until(expires: Timestamp, now: Timestamp) -> String {
    words::at(&format::date(expires, now), &format::clock(expires))
}
