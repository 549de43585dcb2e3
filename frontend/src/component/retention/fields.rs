//! The rule itself, as fields, and as a sentence.

use beckon_shared::{api::drive::RetentionView, retention::Retention};
use leptos::prelude::*;

use super::Scope;
use crate::{
    component::dialog::fresh_id,
    format,
    text::{Lang, lang, past as words},
};

/// What stands in the fields where no rule says something else. Days.
const USUAL: [u32; 4] = [30, 365, 0, 0];

/// How it is chosen what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// As the rule of the drive says.
    AsDrive,
    /// All of it.
    Everything,
    /// As the fields below say.
    Fewer,
}

/// The fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    how: RwSignal<How>,
    days: [RwSignal<String>; 4],
    forever: RwSignal<bool>,
    /// The drive's rule, if this may be as that.
    drive: Option<Retention>,
}

impl Fields {
    /// As the rule is now.
    pub(super) fn of(scope: &Scope, view: &RetentionView) -> Self {
        let own = scope.own(view);
        let how = match own {
            None => How::AsDrive,
            Some(rule) if rule.keeps_everything() => How::Everything,
            Some(_) => How::Fewer,
        };
        let rule = own.filter(|rule| !rule.keeps_everything());
        let days = rule.map_or(USUAL, |rule| {
            [rule.keep_all_days, rule.daily_days, rule.weekly_days, rule.monthly_days]
        });
        let text = |days: u32| RwSignal::new(if days == 0 { String::new() } else { days.to_string() });
        Self {
            how: RwSignal::new(how),
            days: days.map(text),
            forever: RwSignal::new(rule.is_some_and(|rule| rule.forever)),
            drive: scope.ids().map(|_| view.default),
        }
    }

    /// What the fields say: nothing where that is no rule; within, nothing where the drive's rule is to hold. Tracked.
    pub(super) fn rule(self) -> Option<Option<Retention>> {
        match self.how.get() {
            How::AsDrive => Some(None),
            How::Everything => Some(Some(Retention::EVERYTHING)),
            How::Fewer => {
                let days = self.days.map(|days| parsed(&days.read()));
                self.checked(days, self.forever.get())
            }
        }
    }

    /// The same, not tracked, and nothing once the fields are gone.
    pub(super) fn try_rule(self) -> Option<Option<Option<Retention>>> {
        self.how.try_get_untracked()?;
        Some(untrack(|| self.rule()))
    }

    fn checked(self, days: [Option<u32>; 4], forever: bool) -> Option<Option<Retention>> {
        let [
            Some(keep_all_days),
            Some(daily_days),
            Some(weekly_days),
            Some(monthly_days),
        ] = days
        else {
            return None;
        };
        let rule = Retention {
            keep_all_days,
            daily_days,
            weekly_days,
            monthly_days,
            forever,
        };
        rule.is_sound().then_some(Some(rule))
    }
}

/// An empty field is no rule.
fn parsed(text: &str) -> Option<u32> {
    match text.trim() {
        "" => Some(0),
        text => text.parse().ok(),
    }
}

/// The fields as they are drawn.
#[component]
pub(super) fn RuleFields(fields: Fields) -> impl IntoView {
    let name = fresh_id("how");
    let choice = |how: How, label: String| {
        let name = name.clone();
        view! {
            <label class="pick">
                <input type="radio" class="check" name=name prop:checked=move || fields.how.get() == how on:change=move |_| fields.how.set(how)/>
                <span>{label}</span>
            </label>
        }
    };
    let as_drive = fields
        .drive
        .map(|drive| choice(How::AsDrive, words::as_drive(&said(&drive))));
    let labels = [words::keep_all(), words::daily(), words::weekly(), words::monthly()];
    let spans = move || {
        (fields.how.get() == How::Fewer).then(|| {
            let rows = labels.iter().zip(fields.days).map(|(label, days)| span(label, days));
            view! {
                <div class="retention-spans">
                    {rows.collect_view()}
                    <label class="pick">
                        <input type="checkbox" class="check" prop:checked=move || fields.forever.get()
                            on:change=move |event| fields.forever.set(event_target_checked(&event))/>
                        <span>{words::forever()}</span>
                    </label>
                    <div role="alert">
                        {move || fields.rule().is_none().then(|| view! { <p class="problem">{words::bad_days()}</p> })}
                    </div>
                </div>
            }
        })
    };
    view! {
        <fieldset class="retention">
            <legend class="sr">{words::how()}</legend>
            {as_drive}
            {choice(How::Everything, words::everything().to_owned())}
            {choice(How::Fewer, words::thin_out().to_owned())}
            {spans}
        </fieldset>
    }
}

fn span(label: &'static str, days: RwSignal<String>) -> AnyView {
    let id = fresh_id("span");
    view! {
        <label for=id.clone()>{label}</label>
        <div class="input">
            <input id=id class="num" inputmode="numeric" autocomplete="off" maxlength="5" prop:value=move || days.get()
                on:input=move |event| days.set(event_target_value(&event))/>
        </div>
        <span class="quiet">{words::days()}</span>
    }
    .into_any()
}

/// A rule as a sentence without a capital.
pub(crate) fn said(rule: &Retention) -> String {
    if rule.keeps_everything() {
        return words::rule_all().to_owned();
    }
    type Says = (u32, fn(&dyn std::fmt::Display) -> String, fn() -> &'static str);
    let steps: [Says; 4] = [
        (rule.keep_all_days, words::rule_keep, words::rule_all),
        (rule.daily_days, words::rule_day, words::rule_day_ever),
        (rule.weekly_days, words::rule_week, words::rule_week_ever),
        (rule.monthly_days, words::rule_month, words::rule_month_ever),
    ];
    let set: Vec<Says> = steps.into_iter().filter(|(days, ..)| *days > 0).collect();
    let parts = set
        .iter()
        .enumerate()
        .map(|(at, (days, says, ever))| match rule.forever && at + 1 == set.len() {
            true => ever().to_owned(),
            false => says(&long(*days)),
        });
    let parts: Vec<String> = parts.collect();
    match parts.as_slice() {
        [] => words::rule_none().to_owned(),
        parts => parts.join(if lang() == Lang::Zh { "，" } else { ", " }),
    }
}

fn long(days: u32) -> String {
    match days {
        1 => words::one_day().to_owned(),
        365 => words::one_year().to_owned(),
        days if days % 365 == 0 => words::span_years(&(days / 365)),
        days => words::span_days(&format::count(u64::from(days))),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_rule_is_a_sentence() {
        let rule = Retention {
            keep_all_days: 30,
            daily_days: 365,
            weekly_days: 730,
            monthly_days: 0,
            forever: false,
        };
        assert_eq!(
            said(&rule),
            "all for 30 days, one a day for 1 year, one a week for 2 years"
        );
        let rule = Retention { forever: true, ..rule };
        assert_eq!(
            said(&rule),
            "all for 30 days, one a day for 1 year, one a week for ever"
        );
        assert_eq!(said(&Retention::EVERYTHING), "all versions are kept");
    }

    #[wasm_bindgen_test]
    fn an_empty_field_is_no_rule_and_words_are_none_at_all() {
        assert_eq!(
            (parsed(""), parsed(" 30 "), parsed("x"), parsed("-1")),
            (Some(0), Some(30), None, None)
        );
    }
}
