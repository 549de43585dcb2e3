//! The second step: the recovery words are shown once; when they are kept, the account is made.

use std::rc::Rc;

use beckon_shared::error::ErrorCode;
use js_sys::Array;
use leptos::{html, prelude::*, task::spawn_local};
use web_sys::{Blob, BlobPropertyBag, Url};

use super::{Refused, Step, progress};
use crate::{
    account::{self, Draft, Problem},
    component::{copy_button::CopyButton, dialog::ProblemLine, field::SendButton, icon::Icon},
    dom, store, text,
};

/// The words, and what can be done with them.
#[component]
pub(super) fn Words() -> impl IntoView {
    let stores = store::stores();
    let Some(draft) = progress().draft() else {
        progress().go(Step::Account);
        return ().into_any();
    };
    let heading = NodeRef::<html::H1>::new();
    heading.on_load(|heading| {
        let _ = heading.focus();
    });
    let (kept, busy, problem) = (
        RwSignal::new(false),
        RwSignal::new(false),
        RwSignal::new(None::<String>),
    );
    let shown = draft.clone();
    let make = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() || !kept.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let draft = draft.clone();
        spawn_local(async move {
            let made = account::sign_up(stores, &draft).await;
            let _ = busy.try_set(false);
            if let Some(text) = after(made) {
                let _ = problem.try_set(Some(text));
            }
        });
    };
    view! {
        <form class="card wide" on:submit=make>
            <div>
                <h1 tabindex="-1" node_ref=heading>{text::account::recovery_title()}</h1>
                <p class="lead">{text::account::recovery_lead()}</p>
            </div>
            <TheWords draft=shown/>
            <label class="option not-print">
                <input class="check" type="checkbox" on:change=move |event| kept.set(event_target_checked(&event))/>
                <span>{text::account::words_kept()}</span>
            </label>
            <ProblemLine problem/>
            <div class="row apart not-print">
                <button type="button" class="button ghost" on:click=|_| progress().go(Step::Account)>
                    <span class="word">{text::account::back()}</span>
                </button>
                <SendButton
                    busy label=text::account::create_account() working=text::account::creating_account()
                    class="button primary" disabled=Signal::derive(move || !kept.get())
                />
            </div>
        </form>
    }
    .into_any()
}

/// The words, and ways to take them along.
#[component]
fn TheWords(draft: Rc<Draft>) -> impl IntoView {
    let words = draft.words();
    let copied = words.join(" ");
    view! {
        <ol class="words" lang="en" translate="no">
            {words.into_iter().map(|word| view! { <li>{word}</li> }).collect_view()}
        </ol>
        <div class="row not-print">
            <CopyButton value=copied/>
            <button type="button" class="button" on:click=|_| print()>
                <Icon name="file"/><span class="word">{text::account::print()}</span>
            </button>
            <button type="button" class="button" on:click=move |_| save(&draft)>
                <Icon name="download"/><span class="word">{text::account::save_file()}</span>
            </button>
        </div>
    }
}

/// Goes on once the account is made, or back to the field that is to be mended; else the text of the problem.
fn after(made: Result<(), Problem>) -> Option<String> {
    let progress = progress();
    let refused = match made {
        Ok(()) => {
            progress.draft.replace(None);
            super::keep_code(None);
            progress.go(Step::Machine);
            return None;
        }
        Err(bad) if bad.is(ErrorCode::NameTaken) => Refused::Name,
        Err(bad) if bad.is(ErrorCode::BadSetupCode) || bad.is(ErrorCode::CodeSpent) => Refused::Code,
        Err(bad) if bad.is(ErrorCode::GoingAway) => return Some(text::account::sign_up_unsure().to_owned()),
        Err(bad) => return Some(bad.text()),
    };
    progress.refused.set(Some(refused));
    progress.go(Step::Account);
    None
}

fn print() {
    let _ = dom::window().print();
}

/// Has the browser save the words as a text file, which never leaves it.
fn save(draft: &Rc<Draft>) {
    let title = text::account::words_file(draft.name(), &dom::origin());
    let lines: Vec<String> = (1..)
        .zip(draft.words())
        .map(|(place, word)| format!("{place:2}. {word}"))
        .collect();
    let text = format!("{title}\n\n{}\n", lines.join("\n"));
    let kind = BlobPropertyBag::new();
    kind.set_type("text/plain;charset=utf-8");
    let Ok(blob) = Blob::new_with_str_sequence_and_options(&Array::of1(&text.into()), &kind) else {
        return;
    };
    let Ok(address) = Url::create_object_url_with_blob(&blob) else {
        return;
    };
    dom::download(&address, "beckon-recovery-key.txt");
    spawn_local(async move {
        // The browser has read it by then.
        dom::sleep(10_000).await;
        let _ = Url::revoke_object_url(&address);
    });
}
