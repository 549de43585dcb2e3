//! The rule by table, and against a naive one.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn rule(keep_all_days: u32, daily_days: u32, weekly_days: u32, monthly_days: u32, forever: bool) -> Retention {
    Retention {
        keep_all_days,
        daily_days,
        weekly_days,
        monthly_days,
        forever,
    }
}

/// One that was the newest for a moment.
fn at(time: &str) -> Kept {
    let committed = time.parse().unwrap();
    Kept {
        committed,
        replaced: Some(committed),
        torn: false,
        always: false,
    }
}

fn torn(time: &str) -> Kept {
    Kept { torn: true, ..at(time) }
}

fn head(time: &str) -> Kept {
    Kept {
        always: true,
        ..at(time)
    }
}

fn stays(rule: Retention, versions: &[Kept]) -> Vec<bool> {
    rule.stays(versions, "2026-11-23T12:00:00Z".parse().unwrap())
}

#[test]
fn without_a_rule_everything_stays() {
    let versions = [
        at("1990-01-01T00:00:00Z"),
        torn("1990-01-01T00:00:01Z"),
        head("1990-01-01T00:00:02Z"),
    ];
    assert_eq!(stays(Retention::EVERYTHING, &versions), [true, true, true]);
    assert_eq!(stays(rule(30, 0, 0, 0, true), &versions), [true, true, true]);
    assert!(rule(30, 0, 0, 0, true).keeps_everything() && !rule(30, 60, 0, 0, true).keeps_everything());
}

#[test]
fn of_a_day_the_last_stays_and_of_a_young_one_all() {
    let versions = [
        at("2026-10-01T08:00:00Z"),
        at("2026-10-01T23:59:59Z"),
        at("2026-10-02T00:00:00Z"),
        at("2026-11-20T08:00:00Z"),
        at("2026-11-20T09:00:00Z"),
        head("2026-11-21T09:00:00Z"),
    ];
    assert_eq!(
        stays(rule(30, 365, 0, 0, false), &versions),
        [false, true, true, true, true, true]
    );
    assert_eq!(
        stays(rule(30, 0, 0, 0, false), &versions),
        [false, false, false, true, true, true]
    );
    assert_eq!(
        stays(rule(0, 0, 0, 0, false), &versions),
        [false, false, false, false, false, true]
    );
}

#[test]
fn a_version_is_as_old_as_the_one_that_took_its_place() {
    let long = |from: &str, until: Option<&str>| Kept {
        replaced: until.map(|until| until.parse().unwrap()),
        ..at(from)
    };
    let versions = [
        long("2020-01-01T00:00:00Z", Some("2026-09-01T00:00:00Z")),
        long("2026-09-01T00:00:00Z", Some("2026-11-22T00:00:00Z")),
        long("2026-11-22T00:00:00Z", None),
    ];
    assert_eq!(stays(rule(30, 0, 0, 0, false), &versions), [false, true, true]);
    assert_eq!(stays(rule(30, 365, 0, 0, false), &versions), [true, true, true]);
    assert_eq!(stays(rule(0, 0, 0, 0, false), &versions), [false, false, false]);
}

#[test]
fn weeks_begin_on_monday_and_months_with_their_first_day() {
    let versions = [
        at("2026-08-31T00:00:00Z"),
        at("2026-09-06T23:00:00Z"),
        at("2026-09-07T00:00:00Z"),
        at("2026-09-30T23:59:59Z"),
        at("2026-10-01T00:00:00Z"),
        head("2026-11-01T00:00:00Z"),
    ];
    assert_eq!(
        stays(rule(1, 0, 365, 0, false), &versions),
        [false, true, true, false, true, true]
    );
    assert_eq!(
        stays(rule(1, 0, 0, 365, false), &versions),
        [true, false, false, true, true, true]
    );
}

#[test]
fn a_torn_version_stays_only_where_no_whole_one_does() {
    let versions = [
        at("2026-10-01T08:00:00Z"),
        torn("2026-10-01T09:00:00Z"),
        torn("2026-10-02T09:00:00Z"),
        torn("2026-10-02T10:00:00Z"),
        head("2026-11-21T09:00:00Z"),
    ];
    assert_eq!(
        stays(rule(30, 365, 0, 0, false), &versions),
        [true, false, false, true, true]
    );
}

#[test]
fn a_torn_version_that_stays_anyhow_takes_nobodys_place() {
    let newest = Kept {
        always: true,
        ..torn("2026-10-01T09:00:00Z")
    };
    assert_eq!(
        stays(rule(30, 365, 0, 0, false), &[at("2026-10-01T08:00:00Z"), newest]),
        [true, true]
    );
}

#[test]
fn rules_that_count_for_nothing_are_not_sound() {
    assert!(rule(30, 365, 1825, 0, false).is_sound() && rule(0, 0, 0, 0, false).is_sound());
    assert!(rule(30, 0, 365, 36_500, true).is_sound());
    for bad in [
        rule(30, 30, 0, 0, false),
        rule(30, 365, 7, 0, false),
        rule(0, 0, 0, 36_501, false),
    ] {
        assert!(!bad.is_sound(), "{bad:?}");
    }
}

/// The same in other words: version by version from the newest on, whole ones first, and each asks all others.
fn naive(rule: Retention, versions: &[Kept], now: Timestamp) -> Vec<bool> {
    let mut stays: Vec<bool> = versions.iter().map(|version| version.always).collect();
    let mut order: Vec<usize> = (0..versions.len()).rev().filter(|at| !versions[*at].torn).collect();
    order.extend((0..versions.len()).rev().filter(|at| versions[*at].torn));
    for at in order {
        let version = versions[at];
        if version.always {
            continue;
        }
        let replaced = version.replaced.unwrap_or(now);
        let days = (now.0 - replaced.0).max(0) as f64 / 86_400_000.0;
        let names = [
            ("all", rule.keep_all_days),
            ("day", rule.daily_days),
            ("week", rule.weekly_days),
            ("month", rule.monthly_days),
        ];
        let set: Vec<(&str, u32)> = names.into_iter().filter(|(_, until)| *until > 0).collect();
        let name = match set.iter().find(|(_, until)| days < f64::from(*until)) {
            Some((name, _)) => name,
            None if rule.forever => set.last().map_or("all", |(name, _)| name),
            None => "none",
        };
        let rivals = |same: fn(&str) -> String| {
            let own = same(&version.committed.to_string());
            (0..versions.len()).any(|other| {
                other != at
                    && stays[other]
                    && (version.torn || !versions[other].torn)
                    && same(&versions[other].committed.to_string()) == own
            })
        };
        stays[at] = match name {
            "all" => true,
            "none" => false,
            "day" => !rivals(|time| time[..10].to_owned()),
            "week" => !rivals(|time| {
                let parsed: Timestamp = time.parse().unwrap();
                let weekday = (parsed.0.div_euclid(86_400_000) + 3).rem_euclid(7);
                Timestamp(parsed.0 - weekday * 86_400_000).to_string()[..10].to_owned()
            }),
            _ => !rivals(|time| time[..7].to_owned()),
        };
    }
    stays
}

fn any_rule() -> impl Strategy<Value = Retention> {
    let days = || prop_oneof![Just(0), 1..20u32, 20..800u32];
    (days(), days(), days(), days(), any::<bool>())
        .prop_map(|(all, daily, weekly, monthly, forever)| rule(all, daily, weekly, monthly, forever))
        .prop_filter("sound", Retention::is_sound)
}

fn any_versions() -> impl Strategy<Value = Vec<Kept>> {
    let version = (0..1000 * 86_400_000i64, any::<bool>(), prop::bool::weighted(0.05));
    proptest::collection::vec(version, 0..60).prop_map(|mut versions| {
        versions.sort_by_key(|(age, ..)| -age);
        let committed: Vec<Timestamp> = versions.iter().map(|(age, ..)| Timestamp(NOW.0 - age)).collect();
        let kept = versions.into_iter().enumerate().map(|(place, (_, torn, always))| Kept {
            committed: committed[place],
            replaced: committed.get(place + 1).copied(),
            torn,
            always,
        });
        kept.collect()
    })
}

proptest! {
    #[test]
    fn the_rule_says_what_a_naive_one_says(rule in any_rule(), versions in any_versions()) {
        prop_assert_eq!(rule.stays(&versions, NOW), naive(rule, &versions, NOW));
    }

    #[test]
    fn applied_again_it_deletes_nothing_more(rule in any_rule(), versions in any_versions()) {
        let stays = rule.stays(&versions, NOW);
        let left: Vec<Kept> = versions.iter().zip(&stays).filter(|(_, stays)| **stays).map(|(kept, _)| *kept).collect();
        prop_assert!(rule.stays(&left, NOW).into_iter().all(|stays| stays));
    }

    #[test]
    fn of_each_day_month_or_week_that_has_a_rule_something_stays(rule in any_rule(), versions in any_versions()) {
        let stays = rule.stays(&versions, NOW);
        for (at, version) in versions.iter().enumerate() {
            let age = version.replaced.map_or(Duration::ZERO, |replaced| NOW.since(replaced));
            let Of::Each(stretch) = rule.of(age) else { continue };
            let own = stretch(version.committed);
            prop_assert!(versions.iter().zip(&stays).any(|(other, stays)| *stays && stretch(other.committed) == own), "{at}");
        }
    }
}
