//! Bones in the shape of what comes, shown after a moment of waiting; never a spinner.

use leptos::prelude::*;

use crate::{dom, text};

/// What comes sooner than this, in milliseconds, shows no bones.
const PATIENCE: u32 = 150;

/// Shows its children once waiting lasts 150 ms.
#[component]
pub(crate) fn Late(children: ChildrenFn) -> impl IntoView {
    let shown = RwSignal::new(false);
    leptos::task::spawn_local(async move {
        dom::sleep(PATIENCE).await;
        // The wait may be over, and this with it.
        let _ = shown.try_set(true);
    });
    let children = StoredValue::new(children);
    move || shown.get().then(|| children.with_value(|children| children()))
}

/// Rows of a list of devices that is not there yet.
#[component]
pub(crate) fn DeviceBones(
    /// How many.
    #[prop(default = 3)]
    rows: usize,
) -> impl IntoView {
    let row = || {
        view! {
            <li class="device loading">
                <div class="id">
                    <i class="bone square"></i>
                    <div class="grow stack tight"><i class="bone short"></i><i class="bone low"></i></div>
                </div>
                <i class="bone c-state"></i><i class="bone c-reach"></i><i class="bone c-addr"></i><i class="bone c-seen"></i><span></span>
            </li>
        }
    };
    view! {
        <Late>
            <ul class="device-list" aria-busy="true" aria-label=text::common::loading()>
                {(0..rows).map(|_| row()).collect_view()}
            </ul>
        </Late>
    }
}

/// Lines of words that are not there yet.
#[component]
pub(crate) fn LineBones(
    /// How many.
    #[prop(default = 3)]
    rows: usize,
) -> impl IntoView {
    view! {
        <Late>
            <div class="stack" role="status" aria-busy="true" aria-label=text::common::loading()>
                {(0..rows).map(|_| view! { <i class="bone"></i> }).collect_view()}
            </div>
        </Late>
    }
}
