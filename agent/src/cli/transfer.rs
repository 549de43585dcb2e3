//! `beckon transfers` and `beckon wait`: what the machines were ordered to do, and how far they are.

mod show;
mod steer;
mod waiting;
mod words;

pub(crate) use show::{read, unknown};
pub(crate) use steer::{Steering, give_up, steer, stop};
pub(crate) use waiting::{Shown, newest, next, until_settled};
pub(crate) use words::{state, subject, task};

use beckon_shared::{
    id::TransferId,
    time::Timestamp,
    transfer::{Hold, Priority, Progress, Task, TransferState, TransferView},
};
use serde::Serialize;

use super::{Here, control::Control};
use crate::{
    clock,
    output::{Exit, Failure, Table, remark, size, time},
};
use show::{description, show};
use words::{notes, reason};

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
    /// Wait until a transfer is over; of one that goes on by itself, until it is up to date
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
    task: Task,
    state: TransferState,
    hold: Hold,
    machine: &'a str,
    device: String,
    root: &'a str,
    what: &'a str,
    from: Option<&'a str>,
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
            task: transfer.task,
            state: transfer.state,
            hold: transfer.hold,
            machine: &transfer.machine,
            device: transfer.device.to_string(),
            root: &transfer.root,
            what: &transfer.what,
            from: transfer.from.as_deref(),
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
pub(crate) fn exit_of(transfer: &TransferView) -> Exit {
    match transfer.state {
        TransferState::Running if transfer.progress.failed > 0 => Exit::Partly,
        TransferState::Queued | TransferState::Running | TransferState::Done => Exit::Done,
        TransferState::Partly => Exit::Partly,
        TransferState::Failed | TransferState::Cancelled => Exit::Failed,
    }
}

/// Whether nothing is left to be waited for: it is over, or up to date.
pub(crate) fn is_settled(transfer: &TransferView) -> bool {
    transfer.state.is_over() || transfer.hold == Hold::Current
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
    let mut table = Table::new(&["ID", "TASK", "STATE", "FILES", "SIZE", "ORDERED", "WHAT"], &[3, 4]);
    for transfer in transfers {
        table.row([
            transfer.id.to_string(),
            task(transfer.task).to_owned(),
            state(transfer),
            format!("{}/{}", transfer.progress.files_done, transfer.progress.files_total),
            size(transfer.progress.bytes_total),
            time(transfer.created),
            format!("{}{}", subject(transfer), notes(transfer, seen(transfer), now)),
        ]);
    }
    table
}

/// Waits until a transfer is over or up to date, and ends as it ended.
pub(crate) async fn wait(here: &Here, args: WaitArgs) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let mut control = Control::open(here, &controller).await?;
    let known = match control.transfer(args.id) {
        Some(transfer) => transfer.clone(),
        // The control list of transfers holds the newest only.
        None => read(&api, args.id).await?,
    };
    let transfer = until_settled(here, &mut control, known).await?;
    control.close().await;
    report(here, &transfer, control.last_seen(transfer.device))?;
    Ok(exit_of(&transfer))
}

/// Tells how a transfer stands that was just ordered, or how it stands once nothing is left to be waited for.
pub(crate) async fn tell(
    here: &Here,
    control: &mut Control<'_>,
    placed: TransferView,
    wait: bool,
) -> Result<Exit, Failure> {
    let transfer = match wait {
        true => until_settled(here, control, placed).await?,
        false => placed,
    };
    control.close().await;
    report(here, &transfer, control.last_seen(transfer.device))?;
    if wait {
        return Ok(exit_of(&transfer));
    }
    if !is_settled(&transfer) {
        remark(
            here.out,
            "the machine goes on by itself; see how far it is with: beckon transfers",
        );
    }
    Ok(Exit::Done)
}

/// The result of a transfer, with when its machine was here last, as far as that is known.
pub(crate) fn report(here: &Here, transfer: &TransferView, last_seen: Option<Timestamp>) -> Result<(), Failure> {
    here.out.one(&TransferJson::seen(transfer, last_seen), || {
        description(transfer, last_seen).join("\n")
    })
}

#[cfg(test)]
pub(super) mod tests {
    use beckon_shared::id::{DeviceId, RootId};

    use super::*;

    pub(in crate::cli) fn transfer(state: TransferState) -> TransferView {
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
            task: Task::Upload,
            from: None,
            root_id: RootId([1; 16]),
            origin: None,
        }
    }

    #[test]
    fn waiting_ends_as_the_transfer_ended() {
        use TransferState::{Cancelled, Done, Failed, Partly};
        assert_eq!(
            [Done, Partly, Failed, Cancelled].map(|state| exit_of(&transfer(state)) as i32),
            [0, 5, 1, 1]
        );
    }

    #[test]
    fn what_goes_on_by_itself_is_settled_while_it_is_up_to_date() {
        let mut watch = TransferView {
            task: Task::Watch,
            ..transfer(TransferState::Running)
        };
        assert!(!is_settled(&watch));
        watch.hold = Hold::Current;
        assert!(is_settled(&watch));
        assert_eq!(exit_of(&watch), Exit::Partly, "one file could not be stored");
        watch.progress.failed = 0;
        assert_eq!(exit_of(&watch), Exit::Done);
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
