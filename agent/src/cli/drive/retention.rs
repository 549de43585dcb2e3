//! `beckon drive retention`: how long older versions are kept; set only by who was shown what that deletes.

use std::{ffi::OsString, fmt::Write, time::Duration};

use beckon_shared::{
    api::drive::{RetentionPlan, RetentionView, RootRetention, SetRetention},
    retention::Retention,
};
use reqwest::Method;

use super::find;
use crate::{
    cli::{Here, place::DrivePlace},
    http::Api,
    output::{Exit, Failure, Table, count, remark, size, time, visible},
};

/// Lines of a plan that are shown to people.
const SHOWN: usize = 20;

/// Ends the help.
const EXAMPLES: &str = "\
Examples:
  beckon drive retention                                        # the rules as they are
  beckon drive retention desk/Documents --keep-all 30d --daily 1y --plan
  beckon drive retention desk/Documents --keep-all 30d --daily 1y --yes

The newest version of a file is always kept.";

/// What `drive retention` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder of a root, MACHINE/ROOT; without it, the rule for all that has none of its own
    place: Option<OsString>,
    /// Keep every version for so long after a newer one took its place: 30d, 8w, 6m, 1y
    #[arg(long, value_name = "SPAN", value_parser = days)]
    keep_all: Option<u32>,
    /// Then one for each day, up to this age
    #[arg(long, value_name = "SPAN", value_parser = days)]
    daily: Option<u32>,
    /// Then one for each week, up to this age
    #[arg(long, value_name = "SPAN", value_parser = days)]
    weekly: Option<u32>,
    /// Then one for each month, up to this age
    #[arg(long, value_name = "SPAN", value_parser = days)]
    monthly: Option<u32>,
    /// Go on with the last of these for ever; alone, keep everything
    #[arg(long)]
    forever: bool,
    /// Take the root's own rule away, so that the rule of the drive holds for it
    #[arg(long, requires = "place", conflicts_with_all = ["keep_all", "daily", "weekly", "monthly", "forever"])]
    inherit: bool,
    /// Only show what the rule would delete
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Set the rule, and show what it deletes; for a day nothing is, and another rule may be set
    #[arg(long)]
    yes: bool,
}

/// `30d`, `8w`, `6m` or `1y`, in days.
fn days(text: &str) -> Result<u32, String> {
    let bad = || "write a span of days as 30d, 8w, 6m (months of 30 days) or 1y".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(bad)?;
    let unit = match unit {
        "d" => 1,
        "w" => 7,
        "m" => 30,
        "y" => 365,
        _ => return Err(bad()),
    };
    let number: u32 = number.parse().map_err(|_| bad())?;
    let days = number
        .checked_mul(unit)
        .filter(|days| (1..=Retention::DAYS_MAX).contains(days));
    days.ok_or_else(bad)
}

impl Args {
    fn rule(&self) -> Option<Option<Retention>> {
        if self.inherit {
            return Some(None);
        }
        let set = [self.keep_all, self.daily, self.weekly, self.monthly];
        if !self.forever && set.iter().all(Option::is_none) {
            return None;
        }
        let [keep_all_days, daily_days, weekly_days, monthly_days] = set.map(Option::unwrap_or_default);
        let forever = self.forever;
        Some(Some(Retention {
            keep_all_days,
            daily_days,
            weekly_days,
            monthly_days,
            forever,
        }))
    }
}

/// Shows the rules, or the plan of one, or sets it.
pub(super) async fn run(here: &Here, api: &Api, args: &Args) -> Result<Exit, Failure> {
    let view: RetentionView = api.get("/api/drive/retention").await?;
    let root = match &args.place {
        Some(place) => Some(root_at(api, &view, place).await?),
        None => None,
    };
    let Some(rule) = args.rule() else {
        if args.plan || args.yes {
            return Err(Failure::usage(
                "say how long versions are kept, as in --keep-all 30d --daily 1y; see: beckon drive retention --help",
            ));
        }
        return show(here, &view, root);
    };
    let plan: RetentionPlan = api
        .get(&format!("/api/drive/retention/plan?{}", query(root, rule.as_ref())))
        .await?;
    if args.yes {
        let set = SetRetention {
            device: root.map(|root| root.device),
            root: root.map(|root| root.root),
            rule,
            token: plan.token.clone(),
        };
        api.tell(Method::PUT, "/api/drive/retention", &set).await?;
    }
    here.out.one(&plan, || text(&plan, args.yes))?;
    if !args.yes && !args.plan {
        remark(here.out, "nothing was set; to set it, add --yes");
    }
    Ok(Exit::Done)
}

/// The root whose folder stands at a place.
async fn root_at<'v>(api: &Api, view: &'v RetentionView, place: &OsString) -> Result<&'v RootRetention, Failure> {
    let node = find(api, &DrivePlace::parse(place)?).await?;
    let root = node.and_then(|node| view.roots.iter().find(|root| root.node == node.id));
    root.ok_or_else(|| Failure::usage("that is not the folder of a root of a machine; see: beckon drive retention"))
}

fn query(root: Option<&RootRetention>, rule: Option<&Retention>) -> String {
    let mut query = match rule {
        None => "inherit=true".to_owned(),
        Some(rule) => format!(
            "keep_all_days={}&daily_days={}&weekly_days={}&monthly_days={}&forever={}",
            rule.keep_all_days, rule.daily_days, rule.weekly_days, rule.monthly_days, rule.forever
        ),
    };
    if let Some(root) = root {
        query += &format!("&device={}&root={}", root.device, root.root);
    }
    query
}

fn show(here: &Here, view: &RetentionView, root: Option<&RootRetention>) -> Result<Exit, Failure> {
    if let Some(root) = root {
        here.out.one(root, || words(&root.rule.unwrap_or(view.default)))?;
        return Ok(Exit::Done);
    }
    here.out.one(view, || {
        let mut table = Table::new(&["ROOT", "OLDER VERSIONS"], &[]);
        table.row(["(all others)".to_owned(), words(&view.default)]);
        for root in &view.roots {
            let rule = match &root.rule {
                Some(rule) => words(rule),
                None => "as all others".to_owned(),
            };
            table.row([visible(root.path.as_bytes()), rule]);
        }
        table.to_string().trim_end().to_owned()
    })?;
    Ok(Exit::Done)
}

/// A rule in words.
fn words(rule: &Retention) -> String {
    if rule.keeps_everything() {
        return "all are kept".to_owned();
    }
    let mut parts = Vec::new();
    let steps = [
        ("all", rule.keep_all_days),
        ("one a day", rule.daily_days),
        ("one a week", rule.weekly_days),
        ("one a month", rule.monthly_days),
    ];
    let set: Vec<_> = steps.into_iter().filter(|(_, days)| *days > 0).collect();
    for (at, (what, until)) in set.iter().enumerate() {
        let is_last = at + 1 == set.len();
        parts.push(match rule.forever && is_last {
            true => format!("{what} for ever"),
            false => format!("{what} for {}", span(*until)),
        });
    }
    match parts.is_empty() {
        true => "only the newest is kept".to_owned(),
        false => parts.join(", then "),
    }
}

fn span(days: u32) -> String {
    let days = Duration::from_secs(u64::from(days) * 24 * 3600).as_secs() / (24 * 3600);
    match days {
        days if days % 365 == 0 => count(days / 365, "year"),
        days => count(days, "day"),
    }
}

fn text(plan: &RetentionPlan, set: bool) -> String {
    let mut text = match (plan.versions, set) {
        (0, true) => "set; there is nothing to delete now".to_owned(),
        (0, false) => "it would delete nothing now".to_owned(),
        (versions, set) => {
            let least = if plan.at_least { "at least " } else { "" };
            let verb = if set {
                "set; in a day it deletes"
            } else {
                "it would delete"
            };
            format!(
                "{verb} {} of {}, {least}{} become free a day later",
                count(versions, "older version"),
                count(plan.files, "file"),
                size(plan.bytes)
            )
        }
    };
    for one in plan.first.iter().take(SHOWN) {
        let _ = write!(
            text,
            "\n  {}  {:>10}  {}",
            time(one.committed),
            size(one.size),
            visible(one.path.as_bytes())
        );
    }
    let more = plan.versions.saturating_sub(plan.first.len().min(SHOWN) as u64);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_days_weeks_and_years() {
        assert_eq!(
            (days("30d"), days("8w"), days("6m"), days("1y")),
            (Ok(30), Ok(56), Ok(180), Ok(365))
        );
        for text in ["", "d", "30", "0d", "-1d", "1h", "101y", "1é"] {
            assert!(days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_is_told_in_words() {
        let rule = Retention {
            keep_all_days: 30,
            daily_days: 365,
            weekly_days: 0,
            monthly_days: 0,
            forever: false,
        };
        assert_eq!(words(&rule), "all for 30 days, then one a day for 1 year");
        let rule = Retention { forever: true, ..rule };
        assert_eq!(words(&rule), "all for 30 days, then one a day for ever");
        assert_eq!(words(&Retention::EVERYTHING), "all are kept");
        let none = Retention {
            forever: false,
            ..Retention::EVERYTHING
        };
        assert_eq!(words(&none), "only the newest is kept");
    }
}
