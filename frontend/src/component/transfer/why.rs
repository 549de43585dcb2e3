//! Why a transfer stands, and the button that helps.

use beckon_shared::{
    api::transfer::Act,
    device::DeviceKind,
    order::CLOCK_GRACE,
    time::Timestamp,
    transfer::{Hold, Task, TransferState, TransferView},
};
use leptos::prelude::*;

use super::{figure, stand};
use crate::{
    dom, format,
    store::Stores,
    text::{self, Lang, sync, transfer as words},
    upload, wake,
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
    /// Files chosen once more, in the browser that uploads or sends them.
    Choose,
    /// Opens the list of what was changed where a copy is.
    Conflicts,
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
            remedies: if view.task.writes() {
                vec![]
            } else {
                vec![Remedy::Drive]
            },
        }),
        (_, Hold::Question) => Some(question(stores, view)),
        (_, Hold::Away) => Some(away(stores, view)),
        (_, Hold::Schedule) => Some(out_of_hours(stores, view)),
        (_, Hold::User) => None,
        _ if stand::has_conflicts(view) => Some(conflicts(stores, view)),
        _ if stand::is_short(view) => Some(short(view)),
        (_, Hold::None | Hold::Current) => sending(view),
    }
}

/// Files of a copy were changed where it is.
fn conflicts(stores: Stores, view: &TransferView) -> Why {
    let count = view.progress.conflicts;
    let word = text::plural(count, "file was", "files were");
    Why {
        kind: "warn",
        says: sync::why_conflicts(&stand::worker(stores, view), &format::count(count), &word),
        remedies: vec![Remedy::Conflicts],
    }
}

/// It is up to date but for some files.
fn short(view: &TransferView) -> Why {
    Why {
        kind: "warn",
        says: left_out(view),
        remedies: vec![Remedy::Problems],
    }
}

/// What could not be stored or written.
fn left_out(view: &TransferView) -> String {
    let says = match view.task.writes() {
        true => sync::why_partly,
        false => words::why_partly,
    };
    let failed = view.progress.failed;
    says(&format::count(failed), &text::plural(failed, "file", "files"))
}

/// How much of it this page has sent, which the machine that writes cannot tell.
fn sending(view: &TransferView) -> Option<Why> {
    let sent = upload::sent_so_far(view.id)?;
    let (done, total) = (format::bytes(sent.done), format::bytes(sent.total));
    Some(match sent.is_full {
        true => Why {
            kind: "bad",
            says: sync::sent_full(&done, &total),
            remedies: vec![Remedy::Drive],
        },
        false => quiet(vec![sync::sent_from_here(&done, &total)], Vec::new()),
    })
}

/// What fills the drive, and how much room the rest needs as far as that can be told: what is stored may be smaller.
fn no_room(stores: Stores, view: &TransferView) -> String {
    let progress = &view.progress;
    let kept = format::bytes(progress.bytes_done);
    if view.task.writes() {
        return sync::why_disk_full(&stand::worker(stores, view));
    }
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
        let gone = match view.task {
            Task::Upload => words::why_gone(),
            _ => sync::why_gone(),
        };
        return quiet(vec![gone.to_owned()], Vec::new());
    };
    let seen = words::seen(&format::name(device.name.as_str()), &seen(device.last_seen, now));
    // What has begun goes on whenever the machine is back.
    let goes_on = match (view.task, view.state) {
        (Task::Upload, TransferState::Queued) => words::starts_until(&format::moment(view.expires, now)),
        (Task::Upload, _) => words::goes_on_back().to_owned(),
        (_, TransferState::Queued) => sync::starts_until(&format::moment(view.expires, now)),
        _ => sync::goes_on_back().to_owned(),
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

/// What a person is asked: of what this browser uploads or sends for its files, of a machine whether so much is to be gone.
fn question(stores: Stores, view: &TransferView) -> Why {
    let is_own = |id| stores.me.with(|me| me.as_ref().is_some_and(|me| me.device == id));
    let is_here = is_own(view.device) || upload::lacks_files(view.id);
    let name = stand::worker(stores, view);
    let missing = match view.task {
        Task::Upload => words::why_missing,
        Task::Watch => sync::why_missing_watched,
        Task::Follow | Task::Copy | Task::Send => sync::why_missing_copied,
    };
    let (says, remedies) = match () {
        () if is_here => (String::new(), vec![Remedy::Choose]),
        () if is_of_machine(stores, view) => (missing(&name), vec![Remedy::Steer(Act::Resume)]),
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
    let torn = (progress.torn > 0).then(|| {
        let word = text::plural(progress.torn, "file was", "files were");
        words::why_torn(&format::count(progress.torn), &word)
    });
    let failed = (progress.failed > 0 || torn.is_none()).then(|| left_out(view));
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
    let is_upload = view.task == Task::Upload;
    let either = |upload: &'static str, other: &'static str| if is_upload { upload } else { other };
    let failed = either(words::why_failed(), sync::why_failed());
    if told.starts_with("the machine did not come back") {
        return either(words::why_lost(), sync::why_lost()).to_owned();
    }
    if told.starts_with("the machine was revoked") {
        return either(words::why_revoked(), sync::why_revoked()).to_owned();
    }
    if told.is_empty() {
        return failed.to_owned();
    }
    let told = by_whom(stores, view, &text::error::shown(told));
    match text::lang() {
        Lang::En => text::error::sentence(&told),
        Lang::Zh => format!("{failed}{}", text::error::original(&told)),
    }
}

/// How long the order stood, and what kept it from being carried out.
fn lapsed(view: &TransferView, while_what: &str) -> String {
    let span = format::span(view.expires.since(view.created).as_secs());
    let holds = |part: &str| while_what.contains(part);
    match () {
        () if view.task != Task::Upload => sync::why_lapsed(&span),
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
        Remedy::Conflicts => sync::show_conflicts(),
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
    let kept = format::bytes(view.progress.bytes_done);
    match view.task.writes() {
        true => sync::ask_cancel_says(&kept),
        false => words::ask_cancel_says(&kept),
    }
}

/// Its files, for the row's head, once some were found.
pub(super) fn size(view: &TransferView) -> Option<String> {
    (view.progress.files_total > 0).then(|| figure::files(view.progress.files_total))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::component::transfer::sample;

    const HOUR: i64 = 3_600_000;

    fn lapsed_after(hours: i64) -> TransferView {
        TransferView {
            state: TransferState::Failed,
            expires: Timestamp(hours * HOUR),
            ended: Some(Timestamp(hours * HOUR)),
            ..sample::view()
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
