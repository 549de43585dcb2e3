//! `beckon transfers` and `beckon wait`: what the machines were ordered to do, and how far they are.

mod show;
mod steer;
mod words;

pub(crate) use show::unknown;
pub(crate) use steer::{Steering, steer};

use std::{
    io::{IsTerminal, Write},
    time::Instant,
};

use beckon_shared::{
    id::TransferId,
    time::Timestamp,
    transfer::{Hold, Priority, Progress, TransferState, TransferView},
};
use serde::Serialize;

use super::{
    Here,
    control::{Control, News},
};
use crate::{
    clock,
    output::{Exit, Failure, Output, Table, size, time, visible},
};
use show::{description, read, show};
use words::{notes, reason, state, subject};

/// What `transfers` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Everything known of a transfer
    Show {
        /// Id of the transfer
        id: TransferId,
        /// List the files that could not be stored
        #[arg(long)]
        files: bool,
    },
    /// Read a file of a transfer, also while it is still uploaded
    Read(super::get::live::Args),
    /// Wait until a transfer is over
    Wait(WaitArgs),
    /// Have a transfer go before or after the others of its machine
    Priority {
        /// Id of the transfer
        id: TransferId,
        /// Where it is to stand among them
        priority: steer::Wanted,
    },
    #[command(flatten)]
    Steer(Steering),
}

/// What `wait` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Id of the transfer
    id: TransferId,
}

/// A transfer for programs.
#[derive(Debug, Serialize)]
pub(crate) struct TransferJson<'a> {
    id: TransferId,
    state: TransferState,
    hold: Hold,
    machine: &'a str,
    device: String,
    root: &'a str,
    what: &'a str,
    #[serde(flatten)]
    progress: Progress,
    error: Option<&'a str>,
    created: Timestamp,
    expires: Timestamp,
    ended: Option<Timestamp>,
    priority: Priority,
    /// Why it stands as it does, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl<'a> From<&'a TransferView> for TransferJson<'a> {
    fn from(transfer: &'a TransferView) -> Self {
        Self {
            id: transfer.id,
            state: transfer.state,
            hold: transfer.hold,
            machine: &transfer.machine,
            device: transfer.device.to_string(),
            root: &transfer.root,
            what: &transfer.what,
            progress: transfer.progress,
            error: transfer.error.as_deref(),
            created: transfer.created,
            expires: transfer.expires,
            ended: transfer.ended,
            priority: transfer.priority,
            reason: None,
        }
    }
}

impl<'a> TransferJson<'a> {
    /// The same with what a machine that is away adds: when it was here last.
    pub(crate) fn seen(transfer: &'a TransferView, last_seen: Option<Timestamp>) -> Self {
        Self {
            reason: reason(transfer, last_seen, clock::now()),
            ..transfer.into()
        }
    }
}

/// How a command that waited for a transfer ends.
pub(crate) fn exit_of(state: TransferState) -> Exit {
    match state {
        TransferState::Queued | TransferState::Running | TransferState::Done => Exit::Done,
        TransferState::Partly => Exit::Partly,
        TransferState::Failed | TransferState::Cancelled => Exit::Failed,
    }
}

/// Lists the transfers, shows one, or steers it.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    match args.command {
        None => list(here).await,
        Some(Command::Show { id, files }) => show(here, &here.api(&here.controller()?)?, id, files).await,
        Some(Command::Read(args)) => super::get::live::read(here, args).await,
        Some(Command::Wait(args)) => wait(here, args).await,
        Some(Command::Priority { id, priority }) => steer::prioritise(here, id, priority.into()).await,
        Some(Command::Steer(steering)) => steer(here, steering).await,
    }
}

async fn list(here: &Here) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let control = Control::open(here, &controller).await?;
    let transfers = control.transfers();
    let seen = |transfer: &TransferView| control.last_seen(transfer.device);
    let rows: Vec<TransferJson<'_>> = transfers
        .iter()
        .map(|transfer| TransferJson::seen(transfer, seen(transfer)))
        .collect();
    here.out.list(&rows, || table(&transfers, seen))?;
    control.close().await;
    Ok(Exit::Done)
}

fn table(transfers: &[&TransferView], seen: impl Fn(&TransferView) -> Option<Timestamp>) -> Table {
    let now = clock::now();
    let mut table = Table::new(&["ID", "STATE", "FILES", "SIZE", "ORDERED", "WHAT"], &[2, 3]);
    for transfer in transfers {
        table.row([
            transfer.id.to_string(),
            state(transfer),
            format!("{}/{}", transfer.progress.files_done, transfer.progress.files_total),
            size(transfer.progress.bytes_total),
            time(transfer.created),
            format!("{}{}", subject(transfer), notes(transfer, seen(transfer), now)),
        ]);
    }
    table
}

/// Waits until a transfer is over, and ends as it ended.
pub(crate) async fn wait(here: &Here, args: WaitArgs) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let mut control = Control::open(here, &controller).await?;
    let known = match control.transfer(args.id) {
        Some(transfer) => transfer.clone(),
        // The control list of transfers holds the newest only.
        None => read(&api, args.id).await?,
    };
    let transfer = until_over(here, &mut control, known).await?;
    control.close().await;
    report(here, &transfer, control.last_seen(transfer.device))?;
    Ok(exit_of(transfer.state))
}

/// The result of a transfer, with when its machine was here last, as far as that is known.
pub(crate) fn report(here: &Here, transfer: &TransferView, last_seen: Option<Timestamp>) -> Result<(), Failure> {
    here.out.one(&TransferJson::seen(transfer, last_seen), || {
        description(transfer, last_seen).join("\n")
    })
}

/// Follows a transfer until it is over, also through broken connections. One that needs an answer of a person would never
/// end by itself: it is a failure that says so.
pub(crate) async fn until_over(
    here: &Here,
    control: &mut Control<'_>,
    transfer: TransferView,
) -> Result<TransferView, Failure> {
    let line = ProgressLine::new(here.out);
    // Its end may have been told while something else was waited for.
    let mut latest = newest(control.transfer(transfer.id), transfer);
    while !latest.state.is_over() {
        line.show(&latest);
        if latest.hold == Hold::Question {
            line.clear();
            return Err(question(&latest, control.is_agent(latest.device)));
        }
        here.waits_for_machine((latest.hold == Hold::Away).then_some(&latest.machine));
        let news = control.next().await?;
        let known = control.transfer(latest.id);
        latest = match news {
            // A server that was put back from a back-up counts from an earlier revision.
            News::Again => known.ok_or_else(unknown)?.clone(),
            _ => newest(known, latest),
        };
    }
    here.waits_for_machine(None);
    line.clear();
    Ok(latest)
}

fn question(transfer: &TransferView, is_agent: bool) -> Failure {
    let (machine, id) = (visible(transfer.machine.as_bytes()), transfer.id);
    let advice = match is_agent {
        true => format!(
            "{machine} waits for an answer, because files that it had are missing. If their disk was taken out, put it back. \
             Then, or if they are gone for good: beckon transfers resume {id}"
        ),
        false => format!("{machine} has to be given its files once more: choose or put the same ones there again"),
    };
    Failure {
        exit: Exit::Failed,
        code: "question",
        message: format!("{advice}; to end it: beckon transfers cancel {id}"),
        retry: true,
    }
}

/// What is known of a transfer by now: an answer may be older than what the control list has, or newer.
pub(super) fn newest(known: Option<&TransferView>, answer: TransferView) -> TransferView {
    known
        .filter(|known| known.revision >= answer.revision)
        .cloned()
        .unwrap_or(answer)
}

/// One line that is written over itself, on a terminal only.
pub(super) struct ProgressLine {
    is_shown: bool,
    began: Instant,
}

impl ProgressLine {
    pub(super) fn new(out: Output) -> Self {
        Self {
            is_shown: !out.is_json() && std::io::stderr().is_terminal(),
            began: Instant::now(),
        }
    }

    /// Shows how far a transfer is.
    pub(super) fn show(&self, transfer: &TransferView) {
        if self.is_shown {
            let text = progress_text(transfer, self.began.elapsed().as_secs_f64());
            // A line that cannot be shown is not missed.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{text}");
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn progress_text(transfer: &TransferView, seconds: f64) -> String {
    let progress = &transfer.progress;
    let more = if progress.walked { "" } else { "+" };
    let rate = if seconds >= 1.0 {
        progress.bytes_done as f64 / seconds
    } else {
        0.0
    };
    let told = if rate > 0.0 {
        format!(", {}/s{}", size(rate as u64), time_left(progress, rate))
    } else {
        String::new()
    };
    format!(
        "{}: {} of {}{more}, {} of {}{more} files{told}",
        state(transfer),
        size(progress.bytes_done),
        size(progress.bytes_total),
        progress.files_done,
        progress.files_total
    )
}

/// Only once the totals are final: before, it would only grow.
fn time_left(progress: &Progress, rate: f64) -> String {
    let left = progress.bytes_total.saturating_sub(progress.bytes_done) as f64 / rate;
    match (progress.walked, left as u64) {
        (false, _) | (_, 0) => String::new(),
        (_, seconds @ ..90) => format!(", {seconds} s left"),
        (_, seconds @ ..5400) => format!(", {} min left", seconds.div_ceil(60)),
        (_, seconds) => format!(", {} h left", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use beckon_shared::id::DeviceId;

    use super::*;

    pub(super) fn transfer(state: TransferState) -> TransferView {
        TransferView {
            id: TransferId::new(Timestamp(0), [7; 10]),
            device: DeviceId([1; 32]),
            machine: "laptop".to_owned(),
            root: "docs".to_owned(),
            what: "a\u{1b}b".to_owned(),
            state,
            hold: Hold::None,
            progress: Progress {
                files_total: 3,
                files_done: 2,
                failed: 1,
                bytes_sent: 9,
                ..Progress::default()
            },
            error: None,
            created: Timestamp(0),
            expires: Timestamp(1),
            ended: None,
            revision: 1,
            priority: Priority::default(),
        }
    }

    #[test]
    fn waiting_ends_as_the_transfer_ended() {
        use TransferState::{Cancelled, Done, Failed, Partly};
        assert_eq!(
            [Done, Partly, Failed, Cancelled].map(|state| exit_of(state) as i32),
            [0, 5, 1, 1]
        );
    }

    #[test]
    fn an_end_that_was_told_before_it_was_waited_for_counts() {
        let of = |revision, state| TransferView {
            revision,
            ..transfer(state)
        };
        let (queued, done) = (of(1, TransferState::Queued), of(5, TransferState::Done));
        assert_eq!(newest(Some(&done), queued.clone()), done);
        assert_eq!(newest(Some(&queued), done.clone()), done);
        assert_eq!(newest(None, queued.clone()), queued);
    }

    #[test]
    fn a_transfer_for_programs_has_the_fixed_fields_at_its_top() {
        let json = serde_json::to_value(TransferJson::from(&transfer(TransferState::Partly))).unwrap();
        for field in [
            "id",
            "state",
            "hold",
            "files_total",
            "files_done",
            "bytes_total",
            "bytes_done",
            "bytes_sent",
            "error",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(
            (json["state"].as_str(), json["hold"].as_str()),
            (Some("partly"), Some("none"))
        );
        assert!(json["error"].is_null());
    }
}
