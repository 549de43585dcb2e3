//! What a rule deletes, before it does.

use beckon_shared::{api::drive::RetentionPlan, error::Refusal};
use leptos::prelude::*;

use crate::{
    component::skeleton::LineBones,
    format,
    store::stores,
    text::{self, past as words},
};

/// The plan, when it is there.
#[component]
pub(super) fn Plan(
    plan: RwSignal<Option<Result<RetentionPlan, Refusal>>>,
    /// Whether there is a rule to make one of.
    valid: Signal<bool>,
) -> impl IntoView {
    let body = move || match plan.get() {
        _ if !valid.get() => ().into_any(),
        None => view! { <span class="sr">{words::planning()}</span><LineBones rows=2/> }.into_any(),
        Some(Err(refusal)) => view! { <p class="problem">{text::error::of(&refusal)}</p> }.into_any(),
        Some(Ok(plan)) => told(&plan),
    };
    view! { <div class="retention-plan"><div role="status">{body}</div></div> }
}

fn told(plan: &RetentionPlan) -> AnyView {
    if plan.versions == 0 {
        return view! { <p class="quiet">{words::plan_none()}</p> }.into_any();
    }
    let bytes = match plan.at_least {
        true => words::plan_least(&format::bytes(plan.bytes)),
        false => format::bytes(plan.bytes),
    };
    let versions = match plan.versions {
        1 => words::plan_one_version().to_owned(),
        count => words::plan_versions(&format::count(count)),
    };
    let files = match plan.files {
        1 => words::plan_one_file().to_owned(),
        count => words::plan_files(&format::count(count)),
    };
    let says = words::plan_says(&versions, &files, &bytes);
    let now = stores().now.get_untracked();
    let rows = plan.first.iter().map(|one| {
        view! {
            <tr>
                <td class="cut"><bdi>{format::name(&one.path.display())}</bdi></td>
                <td class="nowrap quiet">{format::moment(one.committed, now)}</td>
                <td class="num quiet">{format::bytes(one.size)}</td>
            </tr>
        }
    });
    let more = plan.versions - (plan.first.len() as u64).min(plan.versions);
    let more = (more > 0).then(|| view! { <p class="quiet">{words::plan_more(&format::count(more))}</p> });
    view! {
        <p><b>{says}</b></p>
        <div class="retention-list" tabindex="0" role="region" aria-label=words::plan()><table>{rows.collect_view()}</table></div>
        {more}
    }
    .into_any()
}
