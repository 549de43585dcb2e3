//! Recovering an account by its 24 words: a new password in the place of a lost one.

use beckon_shared::{
    error::ErrorCode,
    password,
    recovery::{RecoveryKey, words_in},
};
use leptos::{html, prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, components::A, hooks::use_navigate};
use zeroize::Zeroizing;

use super::sign_in::{GuestOption, Unprotected, computer};
use crate::{
    account::{self, Problem},
    component::{
        dialog,
        door::Door,
        field::{self, Below, PasswordField, SendButton, TextField},
    },
    identity, route, store, text,
};

/// The page.
#[component]
pub(crate) fn Recover() -> impl IntoView {
    let stores = store::stores();
    let navigate = use_navigate();
    Effect::new(move || {
        if stores.me.read().is_some() {
            navigate(
                route::MACHINES,
                NavigateOptions {
                    replace: true,
                    ..Default::default()
                },
            );
        }
    });
    let name = RwSignal::new(None);
    spawn_local(async move {
        let known = identity::kept::last_name().await.unwrap_or_default();
        let _ = name.try_set(Some(known));
    });
    view! {
        <Door title=text::account::recover_title()>
            <div class="card wide">
                <div><h1>{text::account::recover_title()}</h1><p class="lead">{text::account::recover_lead()}</p></div>
                {move || name.get().map(|name| view! { <Form name/> })}
                <p><A href=route::SIGN_IN>{text::account::to_sign_in()}</A></p>
                <Unprotected/>
            </div>
        </Door>
    }
}

/// What is wrong, field by field.
#[derive(Debug, Clone, Copy)]
struct Problems {
    name: RwSignal<Option<String>>,
    words: RwSignal<Option<String>>,
    password: RwSignal<Option<String>>,
}

#[component]
fn Form(name: String) -> impl IntoView {
    let stores = store::stores();
    let (name_node, password_node) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let (words_node, guest) = (NodeRef::<html::Textarea>::new(), NodeRef::<html::Input>::new());
    let (busy, problems) = (
        RwSignal::new(false),
        Problems {
            name: RwSignal::new(None),
            words: RwSignal::new(None),
            password: RwSignal::new(None),
        },
    );
    if name.is_empty() {
        name_node.on_load(|input| {
            let _ = input.focus();
        });
    } else {
        words_node.on_load(|area| {
            let _ = area.focus();
        });
    }
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let name = field::value_of(name_node);
        let words = Zeroizing::new(words_node.get_untracked().map(|area| area.value()).unwrap_or_default());
        let password = field::value_of(password_node);
        if busy.get_untracked() || !problems.check(&name, &words, &password) {
            return;
        }
        let computer = computer(guest);
        busy.set(true);
        spawn_local(async move {
            let done = account::recover(stores, name.trim(), &words, &password, computer).await;
            let _ = busy.try_set(false);
            if let Err(bad) = done {
                problems.tell(&bad);
            }
        });
    };
    view! {
        <form class="form" on:submit=send>
            <TextField label=text::account::name() node=name_node autocomplete="username" value=name problem=problems.name/>
            <WordsField node=words_node problem=problems.words/>
            <PasswordField
                label=text::account::new_password() node=password_node autocomplete="new-password" problem=problems.password
            />
            <GuestOption node=guest/>
            <SendButton busy label=text::account::recover_button() working=text::account::recovering()/>
        </form>
    }
}

impl Problems {
    /// Whether all of it can be used; else each field says what is wrong with it.
    fn check(self, name: &str, words: &str, password: &str) -> bool {
        let bad_words = RecoveryKey::parse(words).err().map(Problem::from);
        let bad_password = password::check_new(password).err().map(Problem::from);
        self.name
            .set(name.trim().is_empty().then(|| text::account::name_bad().to_owned()));
        self.words.set(bad_words.as_ref().map(Problem::text));
        self.password.set(bad_password.as_ref().map(Problem::text));
        [self.name, self.words, self.password]
            .iter()
            .all(|problem| problem.read_untracked().is_none())
    }

    /// Puts what the server said where it is mended.
    fn tell(self, bad: &Problem) {
        let text = match bad {
            bad if bad.is(ErrorCode::WrongPassword) => text::account::words_wrong().to_owned(),
            bad => bad.text(),
        };
        let place = if matches!(bad, Problem::Password(_)) {
            self.password
        } else {
            self.words
        };
        let _ = place.try_set(Some(text));
    }
}

#[component]
fn WordsField(node: NodeRef<html::Textarea>, problem: RwSignal<Option<String>>) -> impl IntoView {
    let (id, below) = (dialog::fresh_id("field"), dialog::fresh_id("below"));
    let count = RwSignal::new(0);
    let (problem, has_typed) = field::until_typed(problem.into());
    let typed = move |event| {
        has_typed();
        count.set(words_in(&Zeroizing::new(event_target_value(&event))).len());
    };
    let hint = Signal::derive(move || text::account::words_hint(&count.get()));
    let invalid = move || problem.read().is_some().then_some("true");
    view! {
        <div class="field">
            <label for=id.clone()>{text::account::words()}</label>
            <textarea
                id=id class="input area mono" rows="4" node_ref=node autocomplete="off" autocapitalize="none" spellcheck="false"
                lang="en" on:input=typed aria-invalid=invalid aria-describedby=below.clone()
            ></textarea>
            <Below id=below problem hint/>
        </div>
    }
}
