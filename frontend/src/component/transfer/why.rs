//! Why a transfer stands, and the button that helps.

use beckon_shared::{
    api::transfer::Act,
    device::DeviceKind,
    id::DeviceId,
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
        (_, Hold::Question) => Some(question(stores, view.device)),
        (_, Hold::Away) => Some(quiet(away(stores, view.device))),
        (_, Hold::Schedule) => Some(quiet(words::why_schedule().to_owned())),
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

fn quiet(says: String) -> Why {
    Why {
        kind: "",
        says,
        remedies: Vec::new(),
    }
}

fn away(stores: Stores, device: DeviceId) -> String {
    match stores.devices.get(device) {
        Some(view) if !view.online => words::why_away(
            &format::name(view.name.as_str()),
            &since(view.last_seen, stores.now.get()),
        ),
        _ => words::why_gone().to_owned(),
    }
}

/// The hour of a time of the last day, the day of an older one.
fn since(at: Timestamp, now: Timestamp) -> String {
    if now.since(at).as_secs() < 86_400 {
        format::clock(at)
    } else {
        format::date(at, now)
    }
}

fn question(stores: Stores, device: DeviceId) -> Why {
    let is_here = stores.me.with(|me| me.as_ref().is_some_and(|me| me.device == device));
    if is_here {
        return Why {
            kind: "warn",
            says: String::new(),
            remedies: vec![Remedy::Choose],
        };
    }
    let name = stores.devices.get(device).map(|view| format::name(view.name.as_str()));
    Why {
        kind: "warn",
        says: words::why_question_there(&name.unwrap_or_default()),
        remedies: Vec::new(),
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
    let gap = if text::lang() == Lang::Zh { "" } else { " " };
    let says: Vec<String> = failed.into_iter().chain(torn).collect();
    Why {
        kind: "warn",
        says: says.join(gap),
        remedies: [vec![Remedy::Problems], again(view)].concat(),
    }
}

fn failed(stores: Stores, view: &TransferView) -> Why {
    let remedies = again(view);
    let listed = (view.progress.failed > 0).then_some(Remedy::Problems);
    Why {
        kind: "bad",
        says: reason(stores, view),
        remedies: listed.into_iter().chain(remedies).collect(),
    }
}

/// A retry while the order stands; else it must be given again.
fn again(view: &TransferView) -> Vec<Remedy> {
    let stands = dom::now() <= view.expires + CLOCK_GRACE;
    vec![if stands {
        Remedy::Steer(Act::Retry)
    } else {
        Remedy::Machine
    }]
}

fn reason(stores: Stores, view: &TransferView) -> String {
    let told = view.error.as_deref().unwrap_or_default();
    if told.starts_with("the order has expired") {
        return words::why_expired().to_owned();
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
        Remedy::Steer(_) => words::retry(),
        Remedy::Problems => words::show_files(),
        Remedy::Drive => words::free_up(),
        Remedy::Machine => words::again(),
        Remedy::Choose => "",
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
