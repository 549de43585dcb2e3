//! Messages about what is done and can be undone: 6 s, longer while the pointer or the focus is on them.

use std::time::Duration;

use leptos::prelude::*;

use super::icon::Icon;
use crate::{
    store::{Toast, stores},
    text,
};

/// How long one is shown.
const SHOWN: Duration = Duration::from_secs(6);

/// All messages that are on the screen.
#[component]
pub(crate) fn ToastList() -> impl IntoView {
    let toasts = stores().toasts;
    // The app is drawn anew when its language changes.
    toasts.drop_foreign();
    let shown = toasts.shown;
    view! {
        <div class="toasts" role="status" aria-label=text::common::messages()>
            <For each=move || shown.get() key=|toast| toast.id children=|toast| view! { <ToastRow toast/> }/>
        </div>
    }
}

#[component]
fn ToastRow(toast: Toast) -> impl IntoView {
    let toasts = stores().toasts;
    let id = toast.id;
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let stay = move || {
        if let Some(timer) = timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
    };
    let run_out = move || {
        stay();
        timer.set_value(set_timeout_with_handle(move || toasts.dismiss(id), SHOWN).ok());
    };
    run_out();
    on_cleanup(stay);
    let undo = toast.undo.map(|undo| {
        let act = move |_| {
            toasts.dismiss(id);
            undo.run(());
        };
        view! { <button type="button" class="button ghost sm" on:click=act><span class="word">{text::common::undo()}</span></button> }
    });
    view! {
        <div
            class="toast ok" on:pointerenter=move |_| stay() on:pointerleave=move |_| run_out()
            on:focusin=move |_| stay() on:focusout=move |_| run_out()
        >
            <Icon name="check"/><span class="grow">{toast.text}</span>{undo}
        </div>
    }
}
