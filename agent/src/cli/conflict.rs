//! `beckon conflicts`: files of copies that were changed where the copy is, and which side is to stay.

use std::ffi::OsString;

use beckon_shared::{
    browse::{Answer, Ask, Choice, Conflict, Side},
    device::DeviceView,
    error::ErrorCode,
    id::RootId,
    path::RootPath,
    time::Timestamp,
};
use serde::Serialize;

use super::{
    Here,
    control::{self, Control},
    ls,
    order::Spot,
    place::{Live, LiveRef},
    word::word,
};
use crate::{
    output::{Exit, Failure, Table, count, remark, size, time, visible},
    session::Reach,
};

/// Ends the help.
const EXAMPLES: &str = "\
Examples:
  beckon conflicts laptop
  beckon conflicts keep theirs laptop:Copy/plan.txt";

/// What `conflicts` is told.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// MACHINE or MACHINE:ROOT, whose conflicts are listed
    #[arg(value_name = "MACHINE[:ROOT]", required = true)]
    place: Option<OsString>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Choose what is to become of a conflict; what is not chosen goes to the machine's trash
    Keep {
        /// The side that is to stay
        choice: Wanted,
        /// MACHINE:ROOT/PATH as it is listed; of a folder, all conflicts in it
        #[arg(value_name = "MACHINE:ROOT/PATH")]
        place: OsString,
    },
}

/// A side, or both.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Wanted {
    /// As the origin has it
    Theirs,
    /// As it was changed where the copy is
    Ours,
    /// One beside the other
    Both,
}

impl From<Wanted> for Choice {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Theirs => Self::Theirs,
            Wanted::Ours => Self::Ours,
            Wanted::Both => Self::Both,
        }
    }
}

/// A conflict for programs.
#[derive(Debug, Serialize)]
struct ConflictJson {
    path: String,
    transfer: String,
    root: String,
    kept: Option<String>,
    ours: Option<SideJson>,
    theirs: Option<SideJson>,
    #[serde(rename = "ref")]
    token: String,
}

#[derive(Debug, Serialize)]
struct SideJson {
    size: u64,
    mtime: Timestamp,
}

impl From<Side> for SideJson {
    fn from(side: Side) -> Self {
        Self {
            size: side.size,
            mtime: mtime(side),
        }
    }
}

/// Lists the conflicts of a machine, or settles some.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let (place, choice) = match (args.command, args.place) {
        (Some(Command::Keep { choice, place }), _) => (place, Some(choice.into())),
        (None, Some(place)) => (place, None),
        (None, None) => return Err(Failure::usage("name a machine, as in beckon conflicts MACHINE")),
    };
    let place = Live::parse(&place)?;
    let controller = here.controller()?;
    let control = Control::open_even_alone(here, &controller, &place).await?;
    let machine = control.meant(&place)?;
    let spot = match &place {
        Live::Machine(_) => None,
        _ => Some(Spot::find(&control, &place)?),
    };
    let reach = control.reach(machine).await?;
    let conflicts = conflicts(&reach, spot.as_ref().map(|spot| spot.at.root)).await?;
    let exit = match (choice, &spot) {
        (None, None) => list(here, machine, &conflicts)?,
        (None, Some(spot)) => list(here, machine, &below(conflicts, &spot.at.path))?,
        (Some(choice), Some(spot)) => keep(here, &reach, spot, choice, below(conflicts, &spot.at.path)).await?,
        (Some(_), None) => return Err(Failure::usage("name the file or folder, as in MACHINE:ROOT/PATH")),
    };
    reach.close();
    control.close().await;
    Ok(exit)
}

async fn conflicts(reach: &Reach, root: Option<RootId>) -> Result<Vec<Conflict>, Failure> {
    let mut all = Vec::new();
    loop {
        let after = all.len() as u64;
        let Answer::Conflicts { conflicts, total } = reach.ask(Ask::Conflicts { root, after }).await? else {
            return Err(ls::misunderstood());
        };
        let is_last = conflicts.is_empty();
        all.extend(conflicts);
        if is_last || all.len() as u64 >= total {
            return Ok(all);
        }
    }
}

/// Those at and below a path, also where it is the one under which the local side was kept.
fn below(mut conflicts: Vec<Conflict>, path: &RootPath) -> Vec<Conflict> {
    let is_kept_there = |one: &Conflict| one.kept.as_ref().is_some_and(|kept| path.holds(kept));
    conflicts.retain(|one| path.holds(&one.path) || is_kept_there(one));
    conflicts
}

fn list(here: &Here, machine: &DeviceView, conflicts: &[Conflict]) -> Result<Exit, Failure> {
    let rows: Vec<ConflictJson> = conflicts.iter().map(|one| row(machine, one)).collect();
    if rows.is_empty() {
        remark(here.out, &format!("no file of a copy was changed on {}", machine.name));
    }
    here.out.list(&rows, || table(machine, conflicts))?;
    Ok(Exit::Done)
}

fn row(machine: &DeviceView, conflict: &Conflict) -> ConflictJson {
    ConflictJson {
        path: conflict.path.display(),
        transfer: conflict.transfer.to_string(),
        root: root_of(machine, conflict.root),
        kept: conflict.kept.as_ref().map(RootPath::display),
        ours: conflict.ours.map(SideJson::from),
        theirs: conflict.theirs.map(SideJson::from),
        token: LiveRef {
            device: machine.id,
            root: conflict.root,
            path: conflict.path.clone(),
        }
        .token(),
    }
}

fn table(machine: &DeviceView, conflicts: &[Conflict]) -> Table {
    let mut table = Table::new(&["PATH", "OURS", "THEIRS", "OURS IS AT"], &[]);
    let side = |side: Option<Side>, absent: &str| match side {
        Some(side) => format!("{} of {}", size(side.size), time(mtime(side))),
        None => absent.to_owned(),
    };
    for one in conflicts {
        let root = root_of(machine, one.root);
        let path = visible(one.path.as_bytes());
        table.row([
            format!("{}:{root}/{path}", machine.name),
            side(one.ours, "no file"),
            side(one.theirs, "deleted"),
            one.kept.as_ref().map_or(path, |kept| visible(kept.as_bytes())),
        ]);
    }
    table
}

fn root_of(machine: &DeviceView, root: RootId) -> String {
    control::root_name(machine, root).map_or_else(|_| root.to_string(), |name| name.to_string())
}

fn mtime(side: Side) -> Timestamp {
    Timestamp(side.mtime_ns.div_euclid(1_000_000))
}

async fn keep(
    here: &Here,
    reach: &Reach,
    spot: &Spot,
    choice: Choice,
    conflicts: Vec<Conflict>,
) -> Result<Exit, Failure> {
    if conflicts.is_empty() {
        let (text, machine) = (spot.text(), word(spot.machine.as_str()));
        let advice = format!("there is no conflict at {text}; see: beckon conflicts {machine}");
        return Err(control::not_found(advice));
    }
    let (all, mut settled, mut refused) = (conflicts.len(), Vec::new(), Vec::new());
    for Conflict { transfer, path, .. } in conflicts {
        let ask = Ask::Resolve {
            transfer,
            path: path.clone(),
            choice,
        };
        match reach.ask(ask).await {
            Ok(Answer::Done) => settled.push(path.display()),
            Ok(_) => return Err(ls::misunderstood()),
            // One alone says it by how the command ends, and so does a machine that is gone.
            Err(refusal) if all == 1 || refusal.code == ErrorCode::Away => return Err(refusal.into()),
            Err(refusal) => {
                let shown = visible(path.as_bytes());
                remark(here.out, &format!("beckon: {shown}: {}", refusal.message));
                refused.push(serde_json::json!({ "path": path.display(), "message": refusal.message }));
            }
        }
    }
    let told = match choice {
        Choice::Theirs => "as the origin has it".to_owned(),
        Choice::Ours => format!("as it was changed on {}", spot.machine),
        Choice::Both => "both sides".to_owned(),
    };
    let result = serde_json::json!({ "settled": settled, "refused": refused });
    here.out.one(&result, || {
        format!("kept {told}: {}", count(settled.len() as u64, "file"))
    })?;
    Ok(match (settled.is_empty(), refused.is_empty()) {
        (_, true) => Exit::Done,
        (false, false) => Exit::Partly,
        (true, false) => Exit::Failed,
    })
}

#[cfg(test)]
mod tests {
    use beckon_shared::id::TransferId;

    use super::*;

    fn conflict(path: &str, kept: Option<&str>) -> Conflict {
        Conflict {
            transfer: TransferId::new(Timestamp(0), [7; 10]),
            root: RootId([1; 16]),
            path: RootPath::new(path).unwrap(),
            kept: kept.map(|kept| RootPath::new(kept).unwrap()),
            ours: None,
            theirs: None,
        }
    }

    #[test]
    fn a_folder_means_all_conflicts_in_it_and_a_kept_file_its_own() {
        let all = || {
            vec![
                conflict("a/x", None),
                conflict("a/y", Some("a/y (kept)")),
                conflict("ab", None),
            ]
        };
        let of = |path: &str| -> Vec<String> {
            let found = below(all(), &RootPath::new(path).unwrap());
            found.iter().map(|one| one.path.display()).collect()
        };
        assert_eq!(of(""), ["a/x", "a/y", "ab"]);
        assert_eq!(of("a"), ["a/x", "a/y"]);
        assert_eq!(of("a/y (kept)"), ["a/y"]);
        assert!(of("b").is_empty());
    }

    #[test]
    fn times_before_1970_are_times() {
        let side = Side { size: 1, mtime_ns: -1 };
        assert_eq!(mtime(side), Timestamp(-1));
    }
}
