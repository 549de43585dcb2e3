//! Modal dialogs, on the browser's own `<dialog>`: it keeps the focus inside and gives it back.

use leptos::{html, prelude::*};

/// A dialog that is open while `open` is true. Escape and the close button set it to false.
#[component]
pub(crate) fn Dialog(
    /// Whether it is there; what is in it is made anew each time.
    open: RwSignal<bool>,
    /// Its title, which says the verb.
    #[prop(into)]
    title: Signal<String>,
    /// Further classes of the dialog.
    #[prop(optional)]
    class: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move || {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let class = format!("dialog {class}");
    let children = StoredValue::new(children);
    view! {
        <dialog node_ref=node class=class aria-labelledby="dialog-title" on:close=move |_| open.set(false)>
            <Show when=move || open.get()>
                <header><h2 id="dialog-title">{move || title.get()}</h2></header>
                {children.with_value(|children| children())}
            </Show>
        </dialog>
    }
}
