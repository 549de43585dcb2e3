//! The first account of a server, and accounts by invitation, in three steps: account, recovery key, first machine.
//!
//! The account is made only when its owner says that the recovery words are kept: leaving the page before loses nothing.

mod first_machine;
mod form;
mod words;

use std::{cell::RefCell, rc::Rc};

use beckon_shared::api::server::Status;
use leptos::{prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, components::A, hooks::use_navigate};

use self::{first_machine::FirstMachine, form::AccountForm, words::Words};
use crate::{account::Draft, api, component::door::Door, dom, route, store, text};

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Account,
    Words,
    Machine,
}

/// What was typed and made so far. It outlives the page, which is drawn anew when the language changes.
#[derive(Debug, Clone)]
struct Progress {
    step: ArcRwSignal<Step>,
    code: ArcRwSignal<String>,
    name: ArcRwSignal<String>,
    /// Why the server refused the last try.
    refused: ArcRwSignal<Option<Refused>>,
    draft: Rc<RefCell<Option<Rc<Draft>>>>,
}

/// What the server refused, by the field that mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Code,
    Name,
}

thread_local! {
    static PROGRESS: Progress = Progress {
        step: ArcRwSignal::new(Step::Account),
        code: ArcRwSignal::default(),
        name: ArcRwSignal::default(),
        refused: ArcRwSignal::default(),
        draft: Rc::default(),
    };
}

fn progress() -> Progress {
    PROGRESS.with(Clone::clone)
}

impl Progress {
    fn go(&self, step: Step) {
        self.step.set(step);
    }

    fn draft(&self) -> Option<Rc<Draft>> {
        self.draft.borrow().clone()
    }

    /// One that was refused, which needs another name or code only.
    fn refused_draft(&self) -> Option<Rc<Draft>> {
        self.refused.get_untracked()?;
        self.draft()
    }
}

/// The page, at `/setup` and at `/invite`.
#[component]
pub(crate) fn SetUp() -> impl IntoView {
    let stores = store::stores();
    let is_invited = dom::window()
        .location()
        .pathname()
        .is_ok_and(|path| path.starts_with("/invite"));
    let progress = progress();
    take_code(&progress);
    let (step, navigate) = (progress.step.clone(), use_navigate());
    Effect::new(move || {
        // Whoever is signed in already has an account; only the last step is for them.
        if stores.me.read().is_some() && step.get_untracked() == Step::Account {
            navigate(
                route::MACHINES,
                NavigateOptions {
                    replace: true,
                    ..Default::default()
                },
            );
        }
    });
    let is_new = RwSignal::new(None);
    spawn_local(async move {
        let status = api::get::<Status>("/api/status").await;
        // Where nobody can tell, the form does.
        let _ = is_new.try_set(Some(is_invited || !status.is_ok_and(|status| status.set_up)));
    });
    let step = progress.step;
    let inside = move || match (step.get(), is_new.get()) {
        (Step::Account, None) => ().into_any(),
        (Step::Account, Some(false)) => view! { <HasAccount/> }.into_any(),
        (Step::Account, Some(true)) => view! { <Steps at=Step::Account/><AccountForm is_invited/> }.into_any(),
        (Step::Words, _) => view! { <Steps at=Step::Words/><Words/> }.into_any(),
        (Step::Machine, _) => view! { <Steps at=Step::Machine/><FirstMachine/> }.into_any(),
    };
    view! { <Door title=title(is_invited)>{inside}</Door> }
}

fn title(is_invited: bool) -> &'static str {
    if is_invited {
        text::account::invite_title()
    } else {
        text::account::set_up_title()
    }
}

/// The code behind the `#` of the address; it does not stay there for others to see. This tab keeps it, so that it is there
/// again after a reload.
fn take_code(progress: &Progress) {
    let location = dom::window().location();
    let hash = location.hash().unwrap_or_default();
    let code = hash.trim_start_matches('#');
    if code.is_empty() {
        if progress.code.read_untracked().is_empty() {
            progress.code.set(kept_code().unwrap_or_default());
        }
        return;
    }
    keep_code(Some(code));
    if *progress.code.read_untracked() != code {
        // Somebody else's, perhaps, who must not get words that others have seen.
        progress.draft.replace(None);
    }
    progress.code.set(code.to_owned());
    let path = location.pathname().unwrap_or_default();
    if let Ok(history) = dom::window().history() {
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&path));
    }
}

/// In the storage of the tab until the account is made; an invitation's has another place than the set-up's.
fn code_place() -> Option<(web_sys::Storage, String)> {
    let storage = dom::window().session_storage().ok().flatten()?;
    let path = dom::window().location().pathname().ok()?;
    Some((storage, format!("beckon.code {path}")))
}

fn kept_code() -> Option<String> {
    let (storage, place) = code_place()?;
    storage.get_item(&place).ok()?
}

fn keep_code(code: Option<&str>) {
    let Some((storage, place)) = code_place() else { return };
    let _ = match code {
        Some(code) => storage.set_item(&place, code),
        None => storage.remove_item(&place),
    };
}

#[component]
fn Steps(at: Step) -> impl IntoView {
    let one = |step: Step, name: &'static str| {
        let class = if step < at { "done" } else { "" };
        view! { <li class=class aria-current=(step == at).then_some("step")>{name}</li> }
    };
    view! {
        <ol class="steps" aria-label=text::account::steps()>
            {one(Step::Account, text::account::step_account())}
            {one(Step::Words, text::account::step_recovery())}
            {one(Step::Machine, text::account::step_machine())}
        </ol>
    }
}

#[component]
fn HasAccount() -> impl IntoView {
    view! {
        <div class="card">
            <div><h1>{text::account::has_account_title()}</h1><p class="lead">{text::account::has_account_text()}</p></div>
            <A href=route::SIGN_IN attr:class="button primary wide">{text::account::sign_in()}</A>
        </div>
    }
}
