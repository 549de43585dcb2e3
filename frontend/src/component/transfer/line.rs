//! The line below a transfer: why it stands, and the buttons that help.

use beckon_shared::api::transfer::Act;
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    act::Row,
    ask::Asked,
    why::{self, Remedy, Why},
};
use crate::{component::icon::Icon, route, upload, wake};

#[component]
pub(super) fn WhyLine(
    row: Row,
    /// What the page has without a button.
    #[prop(optional)]
    without: &'static [Remedy],
) -> impl IntoView {
    let go = StoredValue::new_local(use_navigate());
    let shown = Memo::new(move |_| {
        let refused = row.refused.get().map(|says| Why {
            kind: "bad",
            says,
            remedies: Vec::new(),
        });
        let mut why = refused.or_else(|| row.view.with(|view| why::why(row.stores, view)))?;
        why.remedies.retain(|remedy| !without.contains(remedy));
        Some(why)
    });
    let to = move |href: &str| go.with_value(|go| go(href, NavigateOptions::default()));
    let device = move || row.view.with_untracked(|view| view.device);
    let act = move |remedy| match remedy {
        Remedy::Steer(act) => row.steer(act),
        Remedy::RetryFailed => row.steer(Act::Retry),
        Remedy::Problems => row.asked.set(Some(Asked::Problems(row.view.get_untracked()))),
        Remedy::Drive => to(route::DRIVE),
        Remedy::Machine => to(&route::machine(device())),
        Remedy::Conflicts => to(&route::transfer(row.id)),
        Remedy::Limits => to(&route::limits(device())),
        Remedy::Wake => wake::begin(row.stores, device()),
        // Its own component has the button.
        Remedy::Choose => {}
    };
    move || shown.get().map(|why| line(row, why, act))
}

fn line(row: Row, why: Why, act: impl Fn(Remedy) + Copy + 'static) -> AnyView {
    let icon = match why.kind {
        "bad" => "stop",
        "warn" => "alert",
        _ => "info",
    };
    if why.remedies.contains(&Remedy::Choose) {
        let line =
            view! { <div class="why warn"><Icon name=icon class="sm"/><upload::ChooseAgain transfer=row.id/></div> };
        return line.into_any();
    }
    let button = move |remedy| {
        let icon = why::icon(remedy).map(|name| view! { <Icon name/> });
        view! {
            <button type="button" class="button sm" on:click=move |_| act(remedy)>
                {icon}<span class="word">{why::label(remedy)}</span>
            </button>
        }
    };
    view! {
        <div class=format!("why {}", why.kind)>
            <Icon name=icon class="sm"/><span class="grow">{why.says}</span>
            {why.remedies.into_iter().map(button).collect_view()}
        </div>
    }
    .into_any()
}
