//! How long older versions are kept: the dialog that shows what a rule deletes before it is set.

mod fields;
mod plan;

use beckon_shared::{
    api::drive::{RetentionPlan, RetentionView, SetRetention},
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId},
    retention::Retention,
};
use leptos::{prelude::*, task::spawn_local};

pub(crate) use self::fields::said;
use self::{
    fields::{Fields, RuleFields},
    plan::Plan,
};
use super::{
    dialog::{Dialog, ProblemLine},
    icon::Icon,
    skeleton::LineBones,
};
use crate::{
    api, dom,
    store::stores,
    text::{self, common, past as words},
};

/// A plan is asked for when nothing was typed for so long. Milliseconds.
const PAUSE: u32 = 400;

/// What a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that has no rule of its own.
    Drive,
    /// What a root stored.
    Root {
        /// The device.
        device: DeviceId,
        /// Its root.
        root: RootId,
        /// What people call it.
        name: String,
    },
}

impl Scope {
    fn title(&self) -> String {
        match self {
            Self::Drive => words::versions().to_owned(),
            Self::Root { name, .. } => words::versions_of(name),
        }
    }

    fn ids(&self) -> Option<(DeviceId, RootId)> {
        match self {
            Self::Drive => None,
            Self::Root { device, root, .. } => Some((*device, *root)),
        }
    }

    /// The rule that is set for it alone.
    fn own(&self, view: &RetentionView) -> Option<Retention> {
        match self.ids() {
            None => Some(view.default),
            Some(ids) => view.roots.iter().find(|root| (root.device, root.root) == ids)?.rule,
        }
    }
}

/// The rules as they are.
pub(crate) async fn read() -> Result<RetentionView, Refusal> {
    api::get("/api/drive/retention").await
}

/// The dialog; it is there while `scope` holds something, and tells when a rule was set.
#[component]
pub(crate) fn RetentionDialog(scope: RwSignal<Option<Scope>>, #[prop(into)] on_set: Callback<()>) -> impl IntoView {
    let open = RwSignal::new(false);
    let view = RwSignal::new(None::<Result<RetentionView, Refusal>>);
    let look = move || {
        view.set(None);
        spawn_local(async move {
            let read = read().await;
            let _ = view.try_set(Some(read));
        });
    };
    Effect::new(move || {
        open.set(scope.read().is_some());
        if scope.read().is_some() {
            look();
        }
    });
    Effect::new(move || {
        if !open.get() && scope.read_untracked().is_some() {
            scope.set(None);
        }
    });
    let title = move || scope.with(|scope| scope.as_ref().map(Scope::title).unwrap_or_default());
    let body = move || {
        let scope = scope.get()?;
        Some(match view.get() {
            None => view! { <div class="body"><LineBones rows=4/></div> }.into_any(),
            Some(Err(refusal)) => {
                let says = text::error::of(&refusal);
                let retry = view! { <button type="button" class="button sm" on:click=move |_| look()><Icon name="retry"/><span class="word">{common::retry()}</span></button> };
                view! { <div class="body"><p class="quiet">{says}</p><div>{retry}</div></div> }.into_any()
            }
            Some(Ok(view)) => view! { <Form scope view open on_set/> }.into_any(),
        })
    };
    view! { <Dialog open title=Signal::derive(title)>{body}</Dialog> }
}

#[component]
fn Form(scope: Scope, view: RetentionView, open: RwSignal<bool>, on_set: Callback<()>) -> impl IntoView {
    let stores = stores();
    let fields = Fields::of(&scope, &view);
    let (busy, problem) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let plan = RwSignal::new(None::<Result<RetentionPlan, Refusal>>);
    let rule = Memo::new(move |_| fields.rule());
    let scope = StoredValue::new(scope);
    let look = move |rule: Option<Retention>| {
        plan.set(None);
        let ids = scope.with_value(Scope::ids);
        spawn_local(async move {
            dom::sleep(PAUSE).await;
            if rule_is(fields, rule) {
                let told = api::get(&format!("/api/drive/retention/plan?{}", query(ids, rule.as_ref()))).await;
                if rule_is(fields, rule) {
                    let _ = plan.try_set(Some(told));
                }
            }
        });
    };
    Effect::new(move || match rule.get() {
        Some(rule) => look(rule),
        None => plan.set(None),
    });
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (Some(rule), Some(Ok(seen))) = (rule.get_untracked(), plan.get_untracked()) else {
            return;
        };
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let ids = scope.with_value(Scope::ids);
        let set = SetRetention {
            device: ids.map(|ids| ids.0),
            root: ids.map(|ids| ids.1),
            rule,
            token: seen.token,
        };
        spawn_local(async move {
            let told = api::put("/api/drive/retention", &set).await;
            let _ = busy.try_set(false);
            match told {
                Ok(()) => {
                    let _ = open.try_set(false);
                    stores.toasts.say(words::is_set().to_owned(), None);
                    on_set.run(());
                }
                Err(refusal) if refusal.code == ErrorCode::Conflict => {
                    let _ = problem.try_set(Some(words::changed().to_owned()));
                    look(rule);
                }
                Err(refusal) => _ = problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    };
    let deletes = move || plan.with(|plan| matches!(plan, Some(Ok(plan)) if plan.versions > 0));
    let not_seen = move || plan.with(|plan| !matches!(plan, Some(Ok(_))));
    // One element, whatever it looks like: it may have the keyboard.
    let class = move || if deletes() { "button danger" } else { "button primary" };
    let is_busy = move || busy.get().then_some("true");
    view! {
        <form on:submit=send novalidate>
            <div class="body">
                <p class="quiet">{words::drive_says()}</p>
                <RuleFields fields/>
                <Plan plan valid=Signal::derive(move || rule.read().is_some())/>
                <ProblemLine problem/>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{common::cancel()}</button>
                <button type="submit" class=class aria-busy=is_busy disabled=not_seen>{words::set()}</button>
            </footer>
        </form>
    }
}

/// Whether the fields still say so, and are there.
fn rule_is(fields: Fields, rule: Option<Retention>) -> bool {
    fields.try_rule() == Some(Some(rule))
}

fn query(ids: Option<(DeviceId, RootId)>, rule: Option<&Retention>) -> String {
    let mut query = match rule {
        None => "inherit=true".to_owned(),
        Some(rule) => format!(
            "keep_all_days={}&daily_days={}&weekly_days={}&monthly_days={}&forever={}",
            rule.keep_all_days, rule.daily_days, rule.weekly_days, rule.monthly_days, rule.forever
        ),
    };
    if let Some((device, root)) = ids {
        query += &format!("&device={device}&root={root}");
    }
    query
}
