//! Fields of forms: label above, hint below, a problem in the hint's place.

use leptos::{html, prelude::*};

use super::{dialog, icon::Icon};
use crate::{account, text};

/// What is wrong with a field, as its `aria-invalid` says.
fn invalid(problem: Signal<Option<String>>) -> impl Fn() -> Option<&'static str> {
    move || problem.read().is_some().then_some("true")
}

/// The problem of a field until somebody types into it, which the other half is told: what was wrong may be right by then.
pub(crate) fn until_typed(problem: Signal<Option<String>>) -> (Signal<Option<String>>, impl Fn() + Copy) {
    let is_typed = RwSignal::new(false);
    Effect::new(move || {
        problem.track();
        is_typed.set(false);
    });
    let shown = Signal::derive(move || problem.get().filter(|_| !is_typed.get()));
    (shown, move || is_typed.set(true))
}

/// The problem of a field, or else its hint.
#[component]
pub(crate) fn Below(
    /// Id of the line, for `aria-describedby`.
    id: String,
    /// What is wrong.
    problem: Signal<Option<String>>,
    /// What to know; nothing is drawn for an empty one.
    #[prop(into)]
    hint: Signal<String>,
) -> impl IntoView {
    move || {
        let id = id.clone();
        match problem.get() {
            Some(text) => {
                view! { <p class="problem" id=id role="alert"><Icon name="stop"/><span>{text}</span></p> }.into_any()
            }
            None if hint.read().is_empty() => ().into_any(),
            None => view! { <p class="hint" id=id>{hint.get()}</p> }.into_any(),
        }
    }
}

/// One line of text.
#[component]
pub(crate) fn TextField(
    /// What is asked for.
    #[prop(into)]
    label: Signal<String>,
    /// The input.
    node: NodeRef<html::Input>,
    /// What a browser may fill in.
    autocomplete: &'static str,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: Signal<String>,
    /// Further classes of the input: `mono`.
    #[prop(optional)]
    class: &'static str,
    /// What is wrong with it.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// What to know of it.
    #[prop(optional, into)]
    hint: Signal<String>,
    /// Whether it is known to be right; then a tick says so.
    #[prop(optional, into)]
    good: Signal<Option<String>>,
    /// Hears what is typed.
    #[prop(optional, into)]
    on_type: Option<Callback<String>>,
) -> impl IntoView {
    let (id, below) = (dialog::fresh_id("field"), dialog::fresh_id("below"));
    let (problem, has_typed) = until_typed(problem);
    let typed = move |event| {
        has_typed();
        if let Some(on_type) = on_type {
            on_type.run(event_target_value(&event));
        }
    };
    let tick = move || {
        good.get()
            .map(|says| view! { <Icon name="check" class="good"/><span class="sr">{says}</span> })
    };
    view! {
        <div class="field">
            <label for=id.clone()>{move || label.get()}</label>
            <div class="input">
                <input
                    id=id class=class node_ref=node autocomplete=autocomplete autocapitalize="none" spellcheck="false"
                    prop:value=move || value.get() on:input=typed
                    aria-invalid=invalid(problem) aria-describedby=below.clone()
                />
                {tick}
            </div>
            <Below id=below problem hint/>
        </div>
    }
}

/// A password, which can be shown.
#[component]
pub(crate) fn PasswordField(
    /// What is asked for.
    #[prop(into)]
    label: Signal<String>,
    /// The input; the password is read from it when it is needed, and kept nowhere.
    node: NodeRef<html::Input>,
    /// `current-password` or `new-password`; for a new one its strength is shown.
    autocomplete: &'static str,
    /// What is wrong with it.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// What stands beside the label, such as another way in.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let (id, below) = (dialog::fresh_id("field"), dialog::fresh_id("below"));
    let (shown, measured) = (RwSignal::new(false), RwSignal::new(None));
    let is_new = autocomplete == "new-password";
    let (problem, has_typed) = until_typed(problem);
    let measure = move |event| {
        has_typed();
        let typed = zeroize::Zeroizing::new(event_target_value(&event));
        measured.set((!typed.is_empty()).then(|| account::strength(&typed)));
    };
    let hint = Signal::derive(move || match measured.get() {
        _ if !is_new => String::new(),
        None => text::account::password_hint_empty().to_owned(),
        Some(strength) => text::account::password_hint(&capital(word(strength))),
    });
    view! {
        <div class="field">
            <div class="row apart">
                <label class="field-label" for=id.clone()>{move || label.get()}</label>
                {children.map(|children| children())}
            </div>
            <div class="input">
                <input
                    id=id node_ref=node type=move || if shown.get() { "text" } else { "password" }
                    autocomplete=autocomplete autocapitalize="none" spellcheck="false" maxlength="1024" on:input=measure
                    aria-invalid=invalid(problem) aria-describedby=below.clone()
                />
                <Eye shown/>
            </div>
            {is_new.then(|| view! { <Strength measured/> })}
            <Below id=below problem hint/>
        </div>
    }
}

#[component]
fn Eye(shown: RwSignal<bool>) -> impl IntoView {
    let label = move || match shown.get() {
        true => text::account::hide_password(),
        false => text::account::show_password(),
    };
    let pressed = move || if shown.get() { "true" } else { "false" };
    view! {
        <button
            type="button" class="button ghost icon-only sm" aria-label=label title=label aria-pressed=pressed
            on:click=move |_| shown.update(|shown| *shown = !*shown)
        >
            <Icon name="eye"/>
        </button>
    }
}

#[component]
fn Strength(measured: RwSignal<Option<u8>>) -> impl IntoView {
    let label = move || text::account::strength(&word(measured.get().unwrap_or(0)));
    let bars = (1..=account::STRONGEST).map(|step| {
        let class = move || if measured.get().unwrap_or(0) >= step { "on" } else { "" };
        view! { <i class=class></i> }
    });
    let step = move || measured.get().unwrap_or(0).to_string();
    view! { <div class="strength" role="img" aria-label=label data-state=step>{bars.collect_view()}</div> }
}

fn word(strength: u8) -> &'static str {
    match strength {
        0 => text::account::strength_0(),
        1 => text::account::strength_1(),
        2 => text::account::strength_2(),
        3 => text::account::strength_3(),
        _ => text::account::strength_4(),
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}", chars.as_str())
}

/// What stands in a field; the password's only copy on this side, wiped when dropped.
pub(crate) fn value_of(node: NodeRef<html::Input>) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(node.get_untracked().map(|input| input.value()).unwrap_or_default())
}

/// Gives the focus to a field and selects what stands in it.
pub(crate) fn focus(node: NodeRef<html::Input>) {
    // The form may be gone when an answer comes.
    if let Some(input) = node.try_get_untracked().flatten() {
        let _ = input.focus();
        input.select();
    }
}

/// The button that sends a form. While it works its label says at what.
#[component]
pub(crate) fn SendButton(
    /// Whether it works.
    #[prop(into)]
    busy: Signal<bool>,
    /// What it does.
    #[prop(into)]
    label: Signal<String>,
    /// What it says while it works.
    #[prop(into)]
    working: Signal<String>,
    /// Its classes.
    #[prop(default = "button primary wide")]
    class: &'static str,
    /// Whether it cannot be used yet.
    #[prop(optional, into)]
    disabled: Signal<bool>,
) -> impl IntoView {
    let is_busy = move || busy.get().then_some("true");
    let words = move || if busy.get() { working.get() } else { label.get() };
    // It stays enabled while busy, so that it keeps the focus; the form takes no second submit.
    view! {
        <button type="submit" class=class aria-busy=is_busy disabled=move || disabled.get()>
            <span aria-live="polite">{words}</span>
        </button>
    }
}
