//! The first step: code, name and password.

use std::rc::Rc;

use beckon_shared::{
    join::{BadCode, SetupCode},
    password::{self},
    path::Label,
};
use leptos::{html, prelude::*, task::spawn_local};
use zeroize::Zeroizing;

use super::{super::sign_in::Unprotected, Refused, Step, progress, title};
use crate::{
    account::{Draft, Problem},
    component::field::{self, PasswordField, SendButton, TextField},
    text,
};

/// What is wrong, field by field.
#[derive(Debug, Clone, Copy)]
struct Problems {
    code: RwSignal<Option<String>>,
    name: RwSignal<Option<String>>,
    password: RwSignal<Option<String>>,
}

/// The form.
#[component]
pub(super) fn AccountForm(is_invited: bool) -> impl IntoView {
    let progress = progress();
    let nodes = Nodes::default();
    let refused = progress.refused.get_untracked();
    let password_stays = progress.refused_draft().is_some();
    let problems = Problems {
        code: RwSignal::new((refused == Some(Refused::Code)).then(|| text::account::code_refused().to_owned())),
        name: RwSignal::new((refused == Some(Refused::Name)).then(|| text::account::name_taken().to_owned())),
        password: RwSignal::new(None),
    };
    let busy = RwSignal::new(false);
    let (code, name) = (progress.code.clone(), progress.name.clone());
    nodes.begin(code.read_untracked().is_empty(), refused);
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if !busy.get_untracked() {
            send(nodes, problems, busy);
        }
    };
    let typed_code = Callback::new(move |typed: String| {
        problems.code.set(problem_of(&typed, Typing::Unfinished));
        super::progress().code.set(typed);
    });
    let typed_name = Callback::new(move |typed: String| super::progress().name.set(typed));
    let is_good = code.clone();
    let good = Signal::derive(move || {
        SetupCode::parse(&is_good.read())
            .is_ok()
            .then(|| text::account::code_good().to_owned())
    });
    let (lead, code_label, code_hint) = words(is_invited);
    view! {
        <div class="card wide">
            <div><h1>{title(is_invited)}</h1><p class="lead">{lead}</p></div>
            <form class="form" on:submit=send>
                <TextField
                    label=code_label hint=code_hint node=nodes.code autocomplete="off" class="mono"
                    value=code.get_untracked() problem=problems.code good on_type=typed_code
                />
                <TextField
                    label=text::account::name() node=nodes.name autocomplete="username"
                    value=name.get_untracked() problem=problems.name on_type=typed_name
                />
                {match password_stays {
                    true => view! { <p class="hint">{text::account::password_stays()}</p> }.into_any(),
                    false => view! {
                        <PasswordField
                            label=text::account::password() node=nodes.password autocomplete="new-password" problem=problems.password
                        />
                    }
                    .into_any(),
                }}
                <SendButton busy label=text::account::next() working=text::account::making_keys()/>
            </form>
            <Unprotected/>
        </div>
    }
}

fn words(is_invited: bool) -> (&'static str, &'static str, &'static str) {
    use text::account as words;
    if is_invited {
        (words::invite_lead(), words::invite_code(), words::invite_code_hint())
    } else {
        (words::set_up_lead(), words::set_up_code(), words::set_up_code_hint())
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Nodes {
    code: NodeRef<html::Input>,
    name: NodeRef<html::Input>,
    password: NodeRef<html::Input>,
}

impl Nodes {
    /// The focus goes to what is to be typed first.
    fn begin(self, code_is_missing: bool, refused: Option<Refused>) {
        let first = if code_is_missing || refused == Some(Refused::Code) {
            self.code
        } else {
            self.name
        };
        first.on_load(|input| {
            let _ = input.focus();
        });
    }
}

fn send(nodes: Nodes, problems: Problems, busy: RwSignal<bool>) {
    let (typed, name) = (field::value_of(nodes.code), field::value_of(nodes.name));
    let password = field::value_of(nodes.password);
    let (earlier, stays) = (progress().draft(), progress().refused_draft());
    let new_password = stays.is_none().then_some(password.as_str());
    let Some((code, name)) = checked(nodes, problems, &typed, name.trim(), new_password) else {
        return;
    };
    busy.set(true);
    spawn_local(async move {
        let drafted = match stays {
            Some(draft) => Ok(draft.renamed(name, code)),
            None => Draft::new(name, &password, code, earlier.as_deref()).await,
        };
        let _ = busy.try_set(false);
        match drafted {
            Ok(draft) => {
                let progress = progress();
                progress.draft.replace(Some(Rc::new(draft)));
                progress.refused.set(None);
                progress.go(Step::Words);
            }
            Err(bad) => {
                let _ = problems.password.try_set(Some(bad.text()));
            }
        }
    });
}

/// What was typed, if all of it can be used; else each field says what is wrong with it, and the first one has the focus.
fn checked(
    nodes: Nodes,
    problems: Problems,
    code: &str,
    name: &str,
    new_password: Option<&str>,
) -> Option<(Zeroizing<String>, Label)> {
    let label = Label::new(name);
    let bad_password = new_password.and_then(|password| password::check_new(password).err());
    problems.code.set(problem_of(code, Typing::Finished));
    problems
        .name
        .set(label.is_err().then(|| text::account::name_bad().to_owned()));
    problems.password.set(bad_password.map(|bad| Problem::from(bad).text()));
    let all = [
        (problems.code, nodes.code),
        (problems.name, nodes.name),
        (problems.password, nodes.password),
    ];
    if let Some((_, node)) = all.into_iter().find(|(problem, _)| problem.read_untracked().is_some()) {
        field::focus(node);
        return None;
    }
    Some((SetupCode::parse(code).ok()?.text(), label.ok()?))
}

/// Whether somebody is still typing: then what is missing is no mistake yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typing {
    Unfinished,
    Finished,
}

fn problem_of(code: &str, typing: Typing) -> Option<String> {
    let bad = SetupCode::parse(code).err()?;
    match bad {
        BadCode::Length(count) if typing == Typing::Unfinished && count < 28 => None,
        BadCode::Length(count) => Some(text::account::code_length(&count)),
        BadCode::Symbol(symbol) => Some(text::account::code_symbol(&symbol)),
        BadCode::Checksum | BadCode::Prefix => Some(text::account::code_typo().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_code_that_is_still_being_typed_is_no_mistake() {
        let code = SetupCode::new([7; 16]).text();
        assert_eq!(problem_of(&code[..9], Typing::Unfinished), None);
        assert!(problem_of(&code[..9], Typing::Finished).is_some());
        assert_eq!(problem_of(&code.to_lowercase(), Typing::Finished), None);
    }

    #[wasm_bindgen_test]
    fn a_code_with_a_typing_error_is_told_at_once() {
        let mut code = SetupCode::new([7; 16]).text().to_string();
        let last = code.pop();
        code.push(if last == Some('0') { '1' } else { '0' });
        assert!(problem_of(&code, Typing::Unfinished).is_some());
    }
}
