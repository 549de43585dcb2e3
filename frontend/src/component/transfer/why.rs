//! Why a transfer stands, and the button that helps.

use beckon_shared::{
    api::transfer::Act,
    device::DeviceKind,
    order::CLOCK_GRACE,
    time::Timestamp,
    transfer::{Hold, TransferState, TransferView},
};
use leptos::prelude::*;

use super::{figure, stand};
use crate::{
    dom, format,
    store::Stores,
    text::{self, Lang, transfer as words},
    wake,
};

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Steers it.
    Steer(Act),
    /// Opens the list of what was not stored.
    Problems,
    /// The drive, to delete something.
    Drive,
    /// The machine, to give the order again.
    Machine,
    /// Runs again, for what could not be stored.
    RetryFailed,
    /// The machine's page, with its limits.
    Limits,
    /// Calls the machine.
    Wake,
    /// Files chosen once more, in the browser that uploads them.
    Choose,
}

/// The line below a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// `bad`, `warn`, or nothing.
    pub(super) kind: &'static str,
    /// What happened, what is kept, what to do.
    pub(super) says: String,
    /// Buttons.
    pub(super) remedies: Vec<Remedy>,
}

/// Why it stands, if that wants saying.
pub(super) fn why(stores: Stores, view: &TransferView) -> Option<Why> {
    match (view.state, stand::hold(view)) {
        (TransferState::Done | TransferState::Cancelled, _) => None,
        (TransferState::Partly, _) => Some(partly(view)),
        (TransferState::Failed, _) => Some(failed(stores, view)),
        (_, Hold::NoRoom) => Some(Why {
            kind: "bad",
            says: no_room(stores, view),
            remedies: vec![Remedy::Drive],
        }),
        (_, Hold::Question) => Some(question(stores, view)),
        (_, Hold::Away) => Some(away(stores, view)),
        (_, Hold::Schedule) => Some(out_of_hours(stores, view)),
        (_, Hold::User | Hold::None) => None,
    }
}

/// What fills the drive, and how much room the rest needs as far as that can be told: what is stored may be smaller.
fn no_room(stores: Stores, view: &TransferView) -> String {
    let progress = &view.progress;
    let kept = format::bytes(progress.bytes_done);
    let Some(usage) = stores.usage.get() else {
        return words::why_no_room(&kept);
    };
    let Some(quota) = usage.quota else {
        return words::why_disk_full(&kept);
    };
    if progress.bytes_total > quota {
        return words::why_never_room(&kept, &format::bytes(progress.bytes_total), &format::bytes(quota));
    }
    let rest = progress.bytes_total.saturating_sub(progress.bytes_done);
    match rest.saturating_sub(quota.saturating_sub(usage.used)) {
        0 => words::why_no_room(&kept),
        missing => words::why_no_room_for(&kept, &format::bytes(missing)),
    }
}

/// When the machine was here last, how long its order waits, and whether it can be called.
fn away(stores: Stores, view: &TransferView) -> Why {
    let now = stores.now.get();
    let Some(device) = stores.devices.get(view.device).filter(|device| !device.online) else {
        return quiet(vec![words::why_gone().to_owned()], Vec::new());
    };
    let seen = words::seen(&format::name(device.name.as_str()), &seen(device.last_seen, now));
    // What has begun goes on whenever the machine is back.
    let goes_on = match view.state {
        TransferState::Queued => words::starts_until(&format::moment(view.expires, now)),
        _ => words::goes_on_back().to_owned(),
    };
    let (called, can_wake) = wake::said(stores, view.device);
    let remedies = if can_wake { vec![Remedy::Wake] } else { Vec::new() };
    quiet([seen, goes_on].into_iter().chain(called).collect(), remedies)
}

/// How long ago, or on which day.
fn seen(at: Timestamp, now: Timestamp) -> String {
    if now.since(at).as_secs() < 14 * 86_400 {
        format::ago(at, now)
    } else {
        words::on_day(&format::date(at, now))
    }
}

fn quiet(says: Vec<String>, remedies: Vec<Remedy>) -> Why {
    Why {
        kind: "",
        says: sentences(says),
        remedies,
    }
}

fn sentences(says: Vec<String>) -> String {
    says.join(if text::lang() == Lang::Zh { "" } else { " " })
}

/// The limits of the machine let nothing through.
fn out_of_hours(stores: Stores, view: &TransferView) -> Why {
    let machine = stand::worker(stores, view);
    let limits = stores.devices.get(view.device).map(|device| device.limits);
    let limits = limits.unwrap_or_default();
    let says = match (limits.rate, limits.full_speed) {
        (Some(0), None) => words::why_nothing(&machine),
        (Some(0), Some(hours)) => {
            words::why_hours(&machine, &format::clock_face(hours.from), &format::clock_face(hours.to))
        }
        _ => words::why_local(&machine),
    };
    quiet(vec![says], vec![Remedy::Limits])
}

/// What a person is asked: of a browser's own uploads for their files, of a machine whether so much is to be gone.
fn question(stores: Stores, view: &TransferView) -> Why {
    let is_here = stores
        .me
        .with(|me| me.as_ref().is_some_and(|me| me.device == view.device));
    let name = stand::worker(stores, view);
    let (says, remedies) = match () {
        () if is_here => (String::new(), vec![Remedy::Choose]),
        () if is_of_machine(stores, view) => (words::why_missing(&name), vec![Remedy::Steer(Act::Resume)]),
        () => (words::why_question_there(&name), Vec::new()),
    };
    Why {
        kind: "warn",
        says,
        remedies,
    }
}

fn partly(view: &TransferView) -> Why {
    let progress = &view.progress;
    let word = |count| text::plural(count, "file", "files");
    let torn = (progress.torn > 0).then(|| {
        let word = text::plural(progress.torn, "file was", "files were");
        words::why_torn(&format::count(progress.torn), &word)
    });
    let failed = (progress.failed > 0 || torn.is_none())
        .then(|| words::why_partly(&format::count(progress.failed), &word(progress.failed)));
    let retry = match again(view) {
        Remedy::Steer(Act::Retry) if progress.failed > 0 => Remedy::RetryFailed,
        other => other,
    };
    Why {
        kind: "warn",
        says: sentences(failed.into_iter().chain(torn).collect()),
        remedies: vec![Remedy::Problems, retry],
    }
}

fn failed(stores: Stores, view: &TransferView) -> Why {
    let listed = (view.progress.failed > 0).then_some(Remedy::Problems);
    Why {
        kind: "bad",
        says: reason(stores, view),
        remedies: listed.into_iter().chain([again(view)]).collect(),
    }
}

/// A retry while the order stands; else it must be given again.
fn again(view: &TransferView) -> Remedy {
    if dom::now() <= view.expires + CLOCK_GRACE {
        Remedy::Steer(Act::Retry)
    } else {
        Remedy::Machine
    }
}

fn reason(stores: Stores, view: &TransferView) -> String {
    let told = view.error.as_deref().unwrap_or_default();
    if let Some(while_what) = told.strip_prefix("the order has expired") {
        return lapsed(view, while_what);
    }
    if told.starts_with("the machine did not come back") {
        return words::why_lost().to_owned();
    }
    if told.starts_with("the machine was revoked") {
        return words::why_revoked().to_owned();
    }
    if told.is_empty() {
        return words::why_failed().to_owned();
    }
    let told = by_whom(stores, view, &text::error::shown(told));
    match text::lang() {
        Lang::En => text::error::sentence(&told),
        Lang::Zh => format!("{}{}", words::why_failed(), text::error::original(&told)),
    }
}

/// How long the order stood, and what kept it from being carried out.
fn lapsed(view: &TransferView, while_what: &str) -> String {
    let span = format::span(view.expires.since(view.created).as_secs());
    let holds = |part: &str| while_what.contains(part);
    match () {
        () if holds("while its machine was away") => words::why_lapsed_away(&span),
        () if holds("while it was paused") => words::why_lapsed_paused(&span),
        () if holds("while it waited for an answer") => words::why_lapsed_asked(&span),
        () => words::why_lapsed(&span),
    }
}

/// A machine's own words are not shown as if they were the app's.
fn by_whom(stores: Stores, view: &TransferView, told: &str) -> String {
    match is_of_machine(stores, view) {
        true => text::error::machine_says(&format::name(&view.machine), &told),
        false => told.to_owned(),
    }
}

/// Whether a machine does the work, rather than a browser or a command line with files of its own.
pub(super) fn is_of_machine(stores: Stores, view: &TransferView) -> bool {
    let kind = stores.devices.peek(view.device).map(|device| device.kind);
    !matches!(kind, Some(DeviceKind::Browser | DeviceKind::Cli))
}

/// What its button says.
pub(super) fn label(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Steer(Act::Resume) => words::go_on(),
        Remedy::Steer(_) => words::retry(),
        Remedy::RetryFailed => words::retry_failed(),
        Remedy::Problems => words::show_files(),
        Remedy::Drive => words::free_up(),
        Remedy::Machine => words::again(),
        Remedy::Limits => words::show_limits(),
        Remedy::Wake => text::device::wake(),
        Remedy::Choose => "",
    }
}

/// The icon of its button, where it has one.
pub(super) fn icon(remedy: Remedy) -> Option<&'static str> {
    match remedy {
        Remedy::Steer(Act::Retry) | Remedy::RetryFailed => Some("retry"),
        Remedy::Steer(Act::Resume) => Some("play"),
        Remedy::Wake => Some("wake"),
        _ => None,
    }
}

/// What a person is asked before a transfer of that much is cancelled.
pub(super) fn kept(view: &TransferView) -> String {
    words::ask_cancel_says(&format::bytes(view.progress.bytes_done))
}

/// Its files, for the row's head, once some were found.
pub(super) fn size(view: &TransferView) -> Option<String> {
    (view.progress.files_total > 0).then(|| figure::files(view.progress.files_total))
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{DeviceId, TransferId},
        transfer::{Priority, Progress},
    };
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn lapsed_after(hours: i64) -> TransferView {
        TransferView {
            id: TransferId::new(Timestamp(1), [1; 10]),
            device: DeviceId([1; 32]),
            machine: "desk".to_owned(),
            root: "Documents".to_owned(),
            what: String::new(),
            state: TransferState::Failed,
            hold: Hold::None,
            progress: Progress::default(),
            error: None,
            created: Timestamp(0),
            expires: Timestamp(hours * HOUR),
            ended: Some(Timestamp(hours * HOUR)),
            revision: 1,
            priority: Priority::default(),
        }
    }

    #[wasm_bindgen_test]
    fn what_lapsed_says_after_how_long_and_what_it_waited_for() {
        let told = |hours, why: &str| lapsed(&lapsed_after(hours), why);
        let away = told(
            30 * 24,
            " while its machine was away; give it again when the machine is here",
        );
        assert!(away.starts_with("The order lapsed after 30 days, while the machine was away."));
        assert!(
            told(2, " while it was paused; give it again")
                .starts_with("The order lapsed after 2 h 0 min, while it was paused.")
        );
        assert!(
            told(72, " while it waited for an answer; give it again").contains("3 days, while it waited for an answer")
        );
        assert!(told(72, "; give it again").starts_with("The order lapsed after 3 days. "));
        assert!(stand::has_lapsed(&lapsed_after(2)));
    }

    #[wasm_bindgen_test]
    fn a_machine_that_is_long_gone_was_seen_on_a_day() {
        let now = Timestamp(1_795_000_000_000);
        let before = |hours: i64| seen(Timestamp(now.0 - hours * HOUR), now);
        assert_eq!((before(3).as_str(), before(72).as_str()), ("3 h ago", "3 days ago"));
        assert!(before(24 * 20).starts_with("on "));
    }
}
