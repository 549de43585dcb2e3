//! `beckon follow`: has a machine hold a copy of what another one stored, once or kept current.

use std::ffi::{OsStr, OsString};

use beckon_shared::{
    api::drive::{Heads, HeadsOf, OriginView},
    commit::ChainHead,
    entry::EntryKind,
    order::{Extent, FollowOrder, Followed, OrderBody},
    path::RootPath,
    transfer::{Task, TransferView},
};

use super::{
    Here,
    control::{self, Control},
    drive,
    order::{Draft, Spot},
    place::{self, DrivePlace, Live, LiveRef},
    transfer,
    word::word,
};
use crate::{
    http::Api,
    output::{Exit, Failure, remark, visible},
    state::Controller,
};

/// Ends the help.
const EXAMPLES: &str = "\
Examples:
  beckon follow desk:Documents --on laptop:Copy                # the whole root, kept current
  beckon follow desk/Documents/Plans --on laptop:Copy/Plans --once --wait
  beckon follow --stop --on laptop:Copy

The machine laptop needs a root for it that may be written: beckon roots add Copy=PATH:rw";

/// What `follow` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to copy: MACHINE:ROOT/PATH, its place MACHINE/ROOT/PATH in the drive, or a ref
    #[arg(value_name = "MACHINE:ROOT/PATH", required_unless_present = "stop")]
    source: Option<OsString>,
    /// Where the copy is to be: in a root that its owner opened for writing. A file goes into a root, or a folder with a
    /// slash at its end, under its own name
    #[arg(long, value_name = "MACHINE:ROOT/PATH")]
    on: OsString,
    /// Copy what is stored now, and do not follow what comes later
    #[arg(long)]
    once: bool,
    /// Wait until the copy is up to date; ends with 5 if some files could not be written
    #[arg(long, conflicts_with = "stop")]
    wait: bool,
    /// Follow no longer; the copy stays as it is
    #[arg(long, conflicts_with = "once")]
    stop: bool,
}

/// A copy to be.
pub(super) struct Copy {
    /// What is copied.
    pub(super) from: Followed,
    /// How much of it.
    pub(super) extent: Extent,
    /// Where the copy is to be.
    pub(super) to: Spot,
}

/// Orders the copy, unless it is there already, or ends it.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let on = Live::parse(&args.on)?;
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let mut control = Control::open(here, &controller).await?;
    let mut to = Spot::find(&control, &on)?;
    let Some(source) = args.source.as_deref().filter(|_| !args.stop) else {
        control.close().await;
        let standing = standing_at(&control, &to).ok_or_else(|| nothing_there(&to))?;
        return transfer::stop(here, standing.id).await;
    };
    let (from, head) = origin(&api, &control, source).await?;
    match stored(&api, &from).await? {
        Some(EntryKind::Folder) => {}
        Some(_) => to = under_its_name(to, &args.on, &from.path)?,
        None if args.once => return Err(nothing_stored(source)),
        None => remark(here.out, &nothing_stored(source).message),
    }
    let placed = match standing_at(&control, &to).cloned() {
        Some(standing) if !args.once && is_same(&standing, &from) => standing,
        _ => {
            let extent = match head {
                _ if !args.once => Extent::Kept,
                Some(head) => Extent::At(head),
                None => Extent::Once,
            };
            let copy = Copy {
                from: from.clone(),
                extent,
                to,
            };
            give(&api, &mut control, &controller, copy).await?
        }
    };
    warn_unless_watched(here, &control, &from, args.once);
    transfer::tell(here, &mut control, placed, args.wait).await
}

/// Signs the order for a copy and places it.
pub(super) async fn give(
    api: &Api,
    control: &mut Control<'_>,
    controller: &Controller,
    copy: Copy,
) -> Result<TransferView, Failure> {
    let Copy { from, extent, to } = copy;
    to.must_be_writable()?;
    if let Some(standing) = overlapping(control, &to) {
        return Err(taken(&to, standing));
    }
    let overlaps = from.path.holds(&to.at.path) || to.at.path.holds(&from.path);
    if from.device == to.at.device && from.root == to.at.root && extent == Extent::Kept && overlaps {
        return Err(Failure::usage(
            "a folder cannot follow itself, or what is in it; name another root or folder with --on",
        ));
    }
    let what = to.what();
    let draft = Draft::patient(controller, to.at.device);
    let body = OrderBody::Follow(FollowOrder {
        root: to.at.root,
        root_name: to.root_name,
        path: to.at.path,
        space: controller.space,
        from,
        extent,
    });
    draft.place(api, control, body, what, None).await
}

/// What a device stored there; of something in the drive also the commit after which it is as it is.
async fn origin(api: &Api, control: &Control<'_>, source: &OsStr) -> Result<(Followed, Option<ChainHead>), Failure> {
    if place::is_live(source) {
        let LiveRef { device, root, path } = Spot::find(control, &Live::parse(source)?)?.at;
        return Ok((Followed { device, root, path }, None));
    }
    let query = DrivePlace::parse(source)?.query();
    let OriginView {
        device,
        root,
        path,
        head,
    } = api.get(&format!("/api/drive/origin?{query}")).await?;
    Ok((Followed { device, root, path }, Some(head)))
}

/// What kind of thing the drive holds of it now, if anything.
async fn stored(api: &Api, from: &Followed) -> Result<Option<EntryKind>, Failure> {
    let Some((folder, name)) = from.path.split_last() else {
        return Ok(Some(EntryKind::Folder));
    };
    let question = HeadsOf {
        device: from.device,
        root: from.root,
        path: folder,
        names: vec![name],
    };
    let answer: Heads = api.post("/api/drive/heads", &question).await?;
    let Some(head) = answer.heads.first() else {
        return Ok(None);
    };
    let node = drive::find(api, &DrivePlace::Node(head.node)).await?;
    Ok(node.map(|node| node.kind))
}

/// A file goes into a root, or into a folder that was named with a slash at its end, under the name that it has.
pub(super) fn under_its_name(mut to: Spot, on: &OsStr, from: &RootPath) -> Result<Spot, Failure> {
    let is_folder = to.at.path.is_root() || on.as_encoded_bytes().ends_with(b"/");
    if let (true, Some((_, name))) = (is_folder, from.split_last()) {
        let path = to.at.path.join(&name);
        to.at.path = path.map_err(|bad| Failure::usage(bad.to_string()))?;
    }
    Ok(to)
}

fn nothing_stored(source: &OsStr) -> Failure {
    let source = visible(source.as_encoded_bytes());
    control::not_found(format!(
        "nothing of {source} is stored yet: check the name with beckon ls, or have it stored by beckon upload or watch"
    ))
}

/// The place of the origin on its machine, if that has told it.
fn origin_spot(control: &Control<'_>, from: &Followed) -> Option<Spot> {
    let at = LiveRef {
        device: from.device,
        root: from.root,
        path: from.path.clone(),
    };
    Spot::on(control.machine_of(from.device).ok()?, at).ok()
}

/// The copy that is made or kept at this place.
fn standing_at<'a>(control: &'a Control<'_>, to: &Spot) -> Option<&'a TransferView> {
    let what = to.what();
    copies_in(control, to).find(|one| one.what == what)
}

/// A copy that is made or kept at this place, above or below it.
fn overlapping<'a>(control: &'a Control<'_>, to: &Spot) -> Option<&'a TransferView> {
    let what = to.what();
    copies_in(control, to).find(|one| is_within(&one.what, &what) || is_within(&what, &one.what))
}

fn copies_in<'a>(control: &'a Control<'_>, to: &Spot) -> impl Iterator<Item = &'a TransferView> {
    let is_copy = |one: &TransferView| matches!(one.task, Task::Follow | Task::Copy) && !one.state.is_over();
    let transfers = control.transfers().into_iter();
    transfers.filter(move |one| is_copy(one) && to.is_root_of(one))
}

/// Whether a path is that of a folder, or below it.
fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_same(standing: &TransferView, from: &Followed) -> bool {
    standing.task == Task::Follow && standing.origin.as_ref() == Some(from)
}

fn taken(to: &Spot, standing: &TransferView) -> Failure {
    let from = standing.from.as_deref().unwrap_or("something else");
    let what = standing.what.as_str();
    let below = if what.is_empty() { "" } else { "/" };
    let place = visible(format!("{}:{}{below}{what}", to.machine, to.root_name).as_bytes());
    Failure::local(
        "conflict",
        format!(
            "{place} holds a copy of {} already; to end that: beckon follow --stop --on {}",
            visible(from.as_bytes()),
            word(&place)
        ),
    )
}

fn nothing_there(to: &Spot) -> Failure {
    control::not_found(format!("{} follows nothing; see: beckon transfers", to.text()))
}

/// What nobody uploads does not arrive.
fn warn_unless_watched(here: &Here, control: &Control<'_>, from: &Followed, once: bool) {
    let Some(spot) = origin_spot(control, from) else {
        return;
    };
    if once || spot.open_transfer(control, Task::Watch).is_some() {
        return;
    }
    let root = format!("{}:{}", spot.machine, spot.root_name);
    let typed = word(&root);
    remark(
        here.out,
        &format!("{root} is not watched, so only what is uploaded arrives; to have all of it: beckon watch {typed}"),
    );
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        id::{DeviceId, RootId},
        transfer::TransferState,
    };

    use super::*;
    use crate::cli::transfer::tests::transfer;

    #[test]
    fn only_the_same_follow_is_taken_up_again() {
        let from = |path: &str| Followed {
            device: DeviceId([2; 32]),
            root: RootId([3; 16]),
            path: RootPath::new(path).unwrap(),
        };
        let standing = TransferView {
            task: Task::Follow,
            origin: Some(from("a")),
            ..transfer(TransferState::Running)
        };
        assert!(is_same(&standing, &from("a")));
        assert!(!is_same(&standing, &from("a/b")));
        let once = TransferView {
            task: Task::Copy,
            ..standing
        };
        assert!(!is_same(&once, &from("a")));
    }

    #[test]
    fn a_place_overlaps_what_is_above_and_below_it() {
        for (path, folder, expected) in [
            ("a", "", true),
            ("a", "a", true),
            ("a/b", "a", true),
            ("ab", "a", false),
            ("a", "a/b", false),
        ] {
            assert_eq!(is_within(path, folder), expected, "{path} {folder}");
        }
    }
}
