//! `beckon get`: a file or folder of the drive or of a live machine comes here, whole and verified.

mod download;
mod file;
pub(super) mod live;
mod local;
mod machine;
mod part;
mod range;
mod tree;
mod zip;

use std::{ffi::OsString, path::PathBuf};

use beckon_shared::{
    api::drive::{NodeView, VersionView},
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    id::{Hash, NodeId, VersionId},
    path::Name,
    time::Timestamp,
};

use self::{local::Clash, range::ByteRange};
use super::{
    Here, drive,
    moment::moment,
    place::{self, DrivePlace},
};
use crate::{
    http::Api,
    output::{Exit, Failure},
};

/// What `get` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// MACHINE/ROOT/PATH in the drive, MACHINE:ROOT/PATH on the machine itself, or a ref
    place: OsString,
    /// File or folder to write to; - is standard output. A folder goes below . or DIR/ under its own name
    #[arg(short = 'o', long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Fetch a folder as one ZIP file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "range", "version_id"])]
    zip: Option<PathBuf>,
    /// Replace files that are there already and differ
    #[arg(long)]
    force: bool,
    /// An older version of the file, as drive versions lists them
    #[arg(long = "version", id = "version_id", value_name = "V")]
    version: Option<VersionId>,
    /// From the drive as it stood at this time: 2026-11-23 (the end of that day), "2026-11-23 14:30", 2026-11-23T14:30:00Z,
    /// or 3d for three days ago
    #[arg(long, value_name = "DATE", value_parser = moment, conflicts_with = "version_id")]
    at: Option<Timestamp>,
    /// Only these bytes: A-B (both included), A- or -N for the last N; to standard output unless -o says otherwise
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<ByteRange>,
}

/// Fetches.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    if args.zip.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        return Err(Failure::usage(
            "a ZIP file cannot go to standard output; name a file: --zip FILE",
        ));
    }
    if place::is_live(&args.place) {
        if args.at.is_some() {
            return Err(Failure::usage(
                "a machine holds what it holds now; of an earlier time is what is in the drive: write MACHINE/ROOT/PATH",
            ));
        }
        return machine::run(here, &args).await;
    }
    let place = DrivePlace::parse(&args.place)?;
    let api = here.api(&here.controller()?)?;
    let node = drive::find_at(&api, &place, args.at).await?;
    let kind = node.as_ref().map_or(EntryKind::Folder, |node| node.kind);
    match (kind, node) {
        (EntryKind::Folder, node) => folder(here, &api, &place, node.as_ref(), &args).await,
        (_, Some(node)) if args.zip.is_some() => Err(Failure::usage(format!(
            "{} is no folder; fetch it without --zip",
            shown_name(&node)
        ))),
        (EntryKind::File, Some(node)) => {
            let wanted = Wanted::of(&api, &node, args.version).await?;
            file::get(here, &api, &wanted, &args).await
        }
        (_, Some(node)) => file::get_symlink(here, &node, args.output.as_deref(), args.clash()),
        (_, None) => Err(Failure::usage("this is the top of the drive; name something in it")),
    }
}

async fn folder(
    here: &Here,
    api: &Api,
    place: &DrivePlace,
    node: Option<&NodeView>,
    args: &Args,
) -> Result<Exit, Failure> {
    if args.range.is_some() || args.version.is_some() {
        return Err(Failure::usage("--range and --version are for files, this is a folder"));
    }
    // The node stays the same folder while it is renamed or moved.
    let place = node.map_or_else(|| place.clone(), |node| DrivePlace::Node(node.id));
    if let Some(path) = &args.zip {
        return zip::get(here, api, (&place, args.at), path, args.clash()).await;
    }
    let name = node.and_then(|node| local::os_name(&name_of(node)?));
    if args.output.as_ref().is_some_and(|output| output.as_os_str() == "-") {
        return Err(Failure::usage(
            "a folder cannot go to standard output; give -o DIR, or --zip FILE",
        ));
    }
    let target =
        local::tree_target(args.output.as_deref(), name).ok_or_else(|| Failure::usage("name a folder with -o DIR"))?;
    tree::get(here, api, &drive::at_query(&place, args.at), &target, args.clash()).await
}

impl Args {
    fn clash(&self) -> Clash {
        if self.force { Clash::Replace } else { Clash::Refuse }
    }
}

/// A file in one of its versions.
#[derive(Debug, Clone)]
struct Wanted {
    node: NodeId,
    version: VersionId,
    name: Option<Name>,
    size: u64,
    hash: Hash,
    mtime: Timestamp,
    mode: u32,
    torn: bool,
}

impl Wanted {
    /// The head, or the version that is asked for.
    async fn of(api: &Api, node: &NodeView, version: Option<VersionId>) -> Result<Self, Failure> {
        let Some(version) = version else {
            return Self::head(node).ok_or_else(nothing_stored);
        };
        let versions: Vec<VersionView> = api.get(&format!("/api/drive/versions?node={}", node.id)).await?;
        let unknown = || {
            Refusal::new(
                ErrorCode::NotFound,
                "this file has no such version; see: beckon drive versions",
            )
        };
        let found = versions
            .into_iter()
            .find(|known| known.id == version)
            .ok_or_else(unknown)?;
        let hash = found.hash.ok_or_else(nothing_stored)?;
        let (name, mode) = (name_of(node), node.mode);
        Ok(Self {
            node: node.id,
            version,
            name,
            size: found.size,
            hash,
            mtime: found.mtime,
            mode,
            torn: found.torn,
        })
    }

    fn head(node: &NodeView) -> Option<Self> {
        let (version, hash) = (node.head?, node.hash?);
        let (name, mtime, mode) = (name_of(node), node.mtime, node.mode);
        Some(Self {
            node: node.id,
            version,
            name,
            size: node.size,
            hash,
            mtime,
            mode,
            torn: node.torn,
        })
    }

    /// Names one immutable content, so that a download can go on days later.
    fn url(&self) -> String {
        format!("/api/drive/file/{}?version={}", self.node, self.version)
    }
}

fn nothing_stored() -> Failure {
    Refusal::new(
        ErrorCode::NotFound,
        "no content of this file is stored; upload it first",
    )
    .into()
}

/// A node's name as bytes, if it can be the name of a file at all.
fn name_of(node: &NodeView) -> Option<Name> {
    node.name_bytes.clone().or_else(|| Name::new(node.name.as_str()).ok())
}

fn shown_name(node: &NodeView) -> String {
    crate::output::visible(node.name_bytes.as_ref().map_or(node.name.as_bytes(), Name::as_bytes))
}
