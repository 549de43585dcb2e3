//! Modal dialogs, on the browser's own `<dialog>`: it keeps the focus inside and gives it back.

use std::cell::Cell;

use leptos::{html, prelude::*};

use super::icon::Icon;
use crate::{dom, text};

/// A dialog that is open while `open` is true. Escape and the close button set it to false.
///
/// Its children are `<div class="body">` and, where there is something to decide, `<footer>` with the buttons.
#[component]
pub(crate) fn Dialog(
    /// Whether it is there; what is in it is made anew each time.
    open: RwSignal<bool>,
    /// Its title, which says the verb.
    #[prop(into)]
    title: Signal<String>,
    /// Further classes of the dialog: `small`.
    #[prop(optional)]
    class: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            let _ = dialog.show_modal();
            request_animation_frame(focus_inside);
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let class = format!("dialog {class}");
    let id = fresh_id("dialog");
    let label = id.clone();
    let children = StoredValue::new(children);
    view! {
        <dialog node_ref=node class=class aria-labelledby=id on:close=move |_| open.set(false)>
            <Show when=move || open.get()>
                <header>
                    <h2 id=label.clone() class="grow">{move || title.get()}</h2>
                    <button
                        type="button" class="button icon-only ghost sm" aria-label=text::common::close() title=text::common::close()
                        on:click=move |_| open.set(false)
                    >
                        <Icon name="x"/>
                    </button>
                </header>
                {children.with_value(|children| children())}
            </Show>
        </dialog>
    }
}

/// What stands in a dialog may be drawn only after it was shown; then the browser found nothing to give the focus to.
fn focus_inside() {
    if dom::focused().is_some_and(|focused| focused.has_attribute("open")) {
        dom::focus("dialog[open] button");
        dom::focus("dialog[open] [autofocus]");
    }
}

/// A dialog that asks before what cannot be undone. Its button repeats the verb; it closes when the caller sets `open` to false.
#[component]
pub(crate) fn Confirm(
    /// Whether it is there.
    open: RwSignal<bool>,
    /// The question: `Remove mei-laptop?`.
    #[prop(into)]
    title: Signal<String>,
    /// What happens and what is kept.
    #[prop(into)]
    says: Signal<String>,
    /// The button that leaves all as it is: `Keep it`.
    #[prop(into)]
    keep: Signal<String>,
    /// The button that does it: `Remove machine`.
    #[prop(into)]
    verb: Signal<String>,
    /// Whether it is being done.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Why it was not done.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// Does it.
    #[prop(into)]
    act: Callback<()>,
) -> impl IntoView {
    let is_busy = move || busy.get().then_some("true");
    view! {
        <Dialog open title class="small">
            <div class="body">
                <p class="quiet">{move || says.get()}</p>
                <ProblemLine problem/>
            </div>
            <footer>
                <button type="button" class="button" autofocus on:click=move |_| open.set(false)>{move || keep.get()}</button>
                <button
                    type="button" class="button danger" aria-busy=is_busy prop:disabled=move || busy.get()
                    on:click=move |_| act.run(())
                >
                    {move || verb.get()}
                </button>
            </footer>
        </Dialog>
    }
}

/// Says below a field or in a dialog what is wrong and how to mend it; nothing while all is well.
#[component]
pub(crate) fn ProblemLine(
    /// What is wrong.
    #[prop(into)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <div role="alert">
            {move || problem.get().map(|text| view! { <p class="problem"><Icon name="stop"/><span>{text}</span></p> })}
        </div>
    }
}

/// An id that no other element of the page has, for `for`, `aria-labelledby` and their like.
pub(crate) fn fresh_id(what: &str) -> String {
    thread_local! {
        static NEXT: Cell<u32> = const { Cell::new(0) };
    }
    let number = NEXT.get();
    NEXT.set(number.wrapping_add(1));
    format!("{what}-{number}")
}
