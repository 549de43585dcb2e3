//! `beckon drive ...`: what is stored, and keeping it in order.

mod retention;
mod rewind;

use std::ffi::OsString;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    api::drive::{Deleted, Listing, Move, NodeView, Nodes, TreeRow, VersionView},
    entry::EntryKind,
    error::ErrorCode,
    id::{NodeId, VersionId},
    path::{Name, RootPath},
    time::Timestamp,
};
use reqwest::Method;
use serde::Serialize;

use super::{
    Here,
    control::not_found,
    moment::moment,
    place::{DrivePlace, node_ref},
};
use crate::{
    http::Api,
    output::{Exit, Failure, Table, base64, size, time, visible},
};

/// Children in one answer of the server.
const PAGE: usize = 1000;
/// One request names at most so many nodes (`api::drive::Nodes`).
const NODES_MAX: usize = 1000;

/// Ends the help of `drive restore`.
const RESTORING: &str = "\
Examples:
  beckon drive restore desk/Documents/plan.txt                  # it was deleted
  beckon drive restore desk/Documents --at 2026-11-20
  beckon drive restore desk/Documents --at 3d --on laptop:Copy/before --wait";

/// What `drive` is told.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List a folder
    Ls {
        /// MACHINE/ROOT/PATH or a ref; without it the top is listed
        #[arg(default_value = "")]
        place: OsString,
        /// List what was deleted and can be restored, with its former path
        #[arg(long, conflicts_with = "place")]
        deleted: bool,
        /// As it stood at this time: 2026-11-23 (the end of that day), "2026-11-23 14:30", 2026-11-23T14:30:00Z, or 3d for
        /// three days ago
        #[arg(long, value_name = "DATE", value_parser = moment, conflicts_with = "deleted")]
        at: Option<Timestamp>,
    },
    /// List the versions of a file, newest first
    Versions {
        /// MACHINE/ROOT/PATH or a ref
        place: OsString,
    },
    /// Delete; what is deleted can be restored for 30 days, and takes its room until then
    Rm {
        /// MACHINE/ROOT/PATH or a ref; what is deleted already, as it was or by its ref
        #[arg(required_unless_present = "all_deleted")]
        places: Vec<OsString>,
        /// Delete so that nothing can be restored; its room is free at once
        #[arg(long)]
        for_good: bool,
        /// With --for-good: all that was deleted before
        #[arg(long, requires = "for_good", conflicts_with = "places")]
        all_deleted: bool,
    },
    /// Move or rename
    Mv {
        /// MACHINE/ROOT/PATH or a ref
        from: OsString,
        /// A folder to move it into, or its new path
        to: OsString,
    },
    /// Take back what was deleted, or what stood there at a time; also onto a machine
    #[command(after_help = RESTORING)]
    Restore {
        /// MACHINE/ROOT/PATH as it was, or a ref
        #[arg(required = true)]
        places: Vec<OsString>,
        /// Put back what it held then, as new versions; what is there now stays among the versions. Times as for drive ls
        #[arg(long, value_name = "DATE", value_parser = moment)]
        at: Option<Timestamp>,
        /// Have a machine write it, in a root that its owner opened for writing; a file goes into a root, or a folder with
        /// a slash at its end, under its own name
        #[arg(long, value_name = "MACHINE:ROOT/PATH")]
        on: Option<OsString>,
        /// With --on: wait until it is written; ends with 5 if some files could not be
        #[arg(long, requires = "on")]
        wait: bool,
    },
    /// Show or set how long older versions are kept
    Retention(retention::Args),
}

/// Looks, or changes.
pub(crate) async fn run(here: &Here, command: Command) -> Result<Exit, Failure> {
    let api = here.api(&here.controller()?)?;
    match command {
        Command::Ls { deleted: true, .. } => list_deleted(here, &api).await,
        Command::Ls { place, at, .. } => list(here, &api, &DrivePlace::parse(&place)?, at).await,
        Command::Versions { place } => versions(here, &api, &DrivePlace::parse(&place)?).await,
        Command::Rm { all_deleted: true, .. } => empty(here, &api).await,
        Command::Rm {
            places, for_good: true, ..
        } => purge(here, &api, &places).await,
        Command::Rm { places, .. } => remove(here, &api, &places).await,
        Command::Mv { from, to } => rename(here, &api, &from, &to).await,
        Command::Restore {
            places,
            at,
            on: Some(on),
            wait,
        } => match places.as_slice() {
            [place] => rewind::on_machine(here, &api, place, at, &on, wait).await,
            _ => Err(Failure::usage("with --on, name one file or folder at a time")),
        },
        Command::Restore {
            places, at: Some(at), ..
        } => rewind::here(here, &api, &places, at).await,
        Command::Restore { places, .. } => restore(here, &api, &places).await,
        Command::Retention(args) => retention::run(here, &api, &args).await,
    }
}

/// A node for programs.
#[derive(Debug, Serialize)]
pub(crate) struct NodeJson {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    kind: EntryKind,
    size: u64,
    mtime: Timestamp,
    id: NodeId,
    version: Option<VersionId>,
    hash: Option<String>,
    torn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<Timestamp>,
    #[serde(rename = "ref")]
    token: String,
}

impl From<&NodeView> for NodeJson {
    fn from(node: &NodeView) -> Self {
        Self {
            name: node.name.clone(),
            name_bytes: node.name_bytes.as_ref().map(|name| base64(name.as_bytes())),
            kind: node.kind,
            size: node.size,
            mtime: node.mtime,
            id: node.id,
            version: node.head,
            hash: node.hash.map(|hash| hash.to_string()),
            torn: node.torn,
            target: node
                .target
                .as_ref()
                .map(|target| String::from_utf8_lossy(&target.0).into_owned()),
            deleted: node.deleted,
            token: node_ref(node.id),
        }
    }
}

/// A node's name as it may be shown.
fn shown(node: &NodeView) -> String {
    match &node.name_bytes {
        Some(bytes) => visible(bytes.as_bytes()),
        None => visible(node.name.as_bytes()),
    }
}

/// The node at a place, and the first of its children where it is a folder. The top has no node.
pub(crate) async fn find(api: &Api, place: &DrivePlace) -> Result<Option<NodeView>, Failure> {
    find_at(api, place, None).await
}

/// The same as it stood at a time.
pub(crate) async fn find_at(api: &Api, place: &DrivePlace, at: Option<Timestamp>) -> Result<Option<NodeView>, Failure> {
    let listing: Listing = api
        .get(&format!("/api/drive/list?{}&limit=1", at_query(place, at)))
        .await
        .map_err(|failure| explain(failure, at))?;
    Ok(listing.node)
}

/// A place as a query to the server, as it stood at a time.
pub(crate) fn at_query(place: &DrivePlace, at: Option<Timestamp>) -> String {
    let query = place.query();
    match at {
        Some(at) => format!("{query}&at={at}"),
        None => query,
    }
}

fn explain(failure: Failure, at: Option<Timestamp>) -> Failure {
    match (failure.is(ErrorCode::NotFound), at) {
        (true, None) => not_found("nothing is or was stored there; see: beckon drive ls, and write MACHINE/ROOT/PATH"),
        (true, Some(at)) => not_found(format!(
            "nothing stood there at {}; see: beckon drive ls, and write MACHINE/ROOT/PATH as it was then",
            time(at)
        )),
        (false, _) => failure,
    }
}

async fn find_node(api: &Api, place: &OsString) -> Result<NodeView, Failure> {
    let place = DrivePlace::parse(place)?;
    find(api, &place)
        .await?
        .ok_or_else(|| Failure::usage("this is the top of the drive; name something in it"))
}

async fn list(here: &Here, api: &Api, place: &DrivePlace, at: Option<Timestamp>) -> Result<Exit, Failure> {
    let base = format!("/api/drive/list?{}&limit={PAGE}", at_query(place, at));
    let mut rows = here.out.rows();
    let mut url = base.clone();
    loop {
        let page: Listing = api.get(&url).await.map_err(|failure| explain(failure, at))?;
        // A file has no children: it is listed itself.
        let itself = page.node.iter().filter(|node| node.kind != EntryKind::Folder);
        for node in page.children.iter().chain(itself) {
            rows.push(&NodeJson::from(node), || line(node))?;
        }
        rows.flush()?;
        let Some(next) = page.next else { break };
        url = format!("{base}&after={}", URL_SAFE_NO_PAD.encode(next.as_bytes()));
    }
    rows.finish()?;
    Ok(Exit::Done)
}

fn line(node: &NodeView) -> String {
    let size = if node.kind == EntryKind::File {
        size(node.size)
    } else {
        String::new()
    };
    let end = match (node.kind, &node.target) {
        (EntryKind::Folder, _) => "/".to_owned(),
        (EntryKind::Symlink, Some(target)) => format!(" -> {}", visible(&target.0)),
        _ if node.torn => "  (torn: it changed while it was read)".to_owned(),
        _ => String::new(),
    };
    format!("{size:>10}  {}  {}{end}", time(node.mtime), shown(node))
}

async fn versions(here: &Here, api: &Api, place: &DrivePlace) -> Result<Exit, Failure> {
    let versions: Vec<VersionView> = api
        .get(&format!("/api/drive/versions?{}", place.query()))
        .await
        .map_err(|failure| explain(failure, None))?;
    here.out.list(&versions, || {
        let mut table = Table::new(&["VERSION", "STORED", "MODIFIED", "SIZE", ""], &[3]);
        for version in &versions {
            let remark = remark(version).to_owned();
            table.row([
                version.id.to_string(),
                time(version.committed),
                time(version.mtime),
                size(version.size),
                remark,
            ]);
        }
        table
    })?;
    Ok(Exit::Done)
}

fn remark(version: &VersionView) -> &'static str {
    match (version.head, version.torn) {
        (true, false) => "current",
        (true, true) => "current, torn",
        (false, true) => "torn",
        (false, false) => "",
    }
}

async fn remove(here: &Here, api: &Api, places: &[OsString]) -> Result<Exit, Failure> {
    let mut nodes = Vec::new();
    for place in places {
        nodes.push(find_node(api, place).await?);
    }
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
    tell_all(api, "/api/drive/delete", &ids).await?;
    let rows: Vec<NodeJson> = nodes.iter().map(NodeJson::from).collect();
    here.out.list(&rows, || {
        let mut table = Table::new(&["DELETED", "TAKE BACK WITH"], &[]);
        for node in &nodes {
            table.row([shown(node), format!("beckon drive restore {}", node_ref(node.id))]);
        }
        table
    })?;
    Ok(Exit::Done)
}

/// Asks the same for all these nodes, in as many requests as it takes.
async fn tell_all(api: &Api, path: &str, nodes: &[NodeId]) -> Result<(), Failure> {
    for part in nodes.chunks(NODES_MAX) {
        let part = Nodes { nodes: part.to_vec() };
        api.tell(Method::POST, path, &part).await?;
    }
    Ok(())
}

/// Deletes for good what is there, and what was deleted at these places before where nothing is.
async fn purge(here: &Here, api: &Api, places: &[OsString]) -> Result<Exit, Failure> {
    let mut nodes = Vec::new();
    for place in places {
        nodes.push(match (find_node(api, place).await, DrivePlace::parse(place)?) {
            (Ok(node), _) => node.id,
            (Err(failure), DrivePlace::Path(path)) if failure.is(ErrorCode::NotFound) => deleted_at(api, &path).await?,
            (Err(failure), _) => return Err(failure),
        });
    }
    // What is in Deleted already stays there.
    tell_all(api, "/api/drive/delete", &nodes).await?;
    tell_all(api, "/api/drive/purge", &nodes).await?;
    let gone = nodes.len() as u64;
    here.out.one(&serde_json::json!({ "deleted_for_good": nodes }), || {
        format!("deleted for good: {gone}")
    })?;
    Ok(Exit::Done)
}

async fn empty(here: &Here, api: &Api) -> Result<Exit, Failure> {
    api.tell(Method::POST, "/api/drive/empty", &()).await?;
    here.out.one(&serde_json::json!({ "deleted_for_good": "all" }), || {
        "all that was deleted is deleted for good".to_owned()
    })?;
    Ok(Exit::Done)
}

async fn rename(here: &Here, api: &Api, from: &OsString, to: &OsString) -> Result<Exit, Failure> {
    let node = find_node(api, from).await?;
    let order = match DrivePlace::parse(to)? {
        DrivePlace::Node(folder) => Move {
            node: node.id,
            parent: Some(folder),
            name: None,
        },
        DrivePlace::Path(path) => destination(api, &node, &path).await?,
    };
    api.tell(Method::POST, "/api/drive/move", &order).await?;
    let moved = find(api, &DrivePlace::Node(node.id)).await?.unwrap_or(node);
    here.out.one(&NodeJson::from(&moved), || {
        format!("moved, it is called {} now", shown(&moved))
    })?;
    Ok(Exit::Done)
}

/// As `mv` does it: into a folder that is there, else to the new name in the folder above.
async fn destination(api: &Api, node: &NodeView, path: &RootPath) -> Result<Move, Failure> {
    let Some((above, name)) = path.split_last() else {
        return Ok(Move {
            node: node.id,
            parent: Some(NodeId::TOP),
            name: None,
        });
    };
    match find(api, &DrivePlace::Path(path.clone())).await {
        Ok(Some(folder)) if folder.kind == EntryKind::Folder && folder.id != node.id => {
            return Ok(Move {
                node: node.id,
                parent: Some(folder.id),
                name: None,
            });
        }
        Ok(_) => {}
        Err(failure) if failure.is(ErrorCode::NotFound) => {}
        Err(failure) => return Err(failure),
    }
    let parent = find(api, &DrivePlace::Path(above)).await?.map(|folder| folder.id);
    // No parent stands for the top, in a node and here; what may go there is the server's to say.
    let parent = (parent != node.parent).then(|| parent.unwrap_or(NodeId::TOP));
    Ok(Move {
        node: node.id,
        parent,
        name: Some(name),
    })
}

async fn restore(here: &Here, api: &Api, places: &[OsString]) -> Result<Exit, Failure> {
    let mut nodes = Vec::new();
    for place in places {
        nodes.push(match DrivePlace::parse(place)? {
            DrivePlace::Node(node) => node,
            DrivePlace::Path(path) => deleted_at(api, &path).await?,
        });
    }
    tell_all(api, "/api/drive/restore", &nodes).await?;
    let mut restored = Vec::new();
    for node in &nodes {
        restored.push(Restored {
            id: *node,
            path: path_of(api, *node).await.unwrap_or_else(|_| RootPath::root()),
        });
    }
    let paths: Vec<String> = restored.iter().map(|node| node.path.display()).collect();
    here.out
        .one(&serde_json::json!({ "restored": nodes, "paths": paths }), || {
            let lines: Vec<_> = restored.iter().map(Restored::line).collect();
            lines.join("\n")
        })?;
    Ok(Exit::Done)
}

/// Where a node stands now.
struct Restored {
    id: NodeId,
    path: RootPath,
}

impl Restored {
    fn line(&self) -> String {
        let name = if self.path.is_root() {
            self.id.to_string()
        } else {
            visible(self.path.as_bytes())
        };
        format!("restored: {name}")
    }
}

/// The path of a node, by the folders above it; shorter if one of them cannot be named.
async fn path_of(api: &Api, node: NodeId) -> Result<RootPath, Failure> {
    let (mut names, mut next) = (Vec::new(), Some(node));
    while let Some(id) = next {
        let Some(node) = find(api, &DrivePlace::Node(id)).await? else {
            break;
        };
        names.push(
            node.name_bytes
                .as_ref()
                .map_or(node.name.as_bytes(), Name::as_bytes)
                .to_vec(),
        );
        next = node.parent;
    }
    names.reverse();
    Ok(RootPath::new(names.join(&b'/')).unwrap_or_else(|_| RootPath::root()))
}

/// What was deleted last at this path.
async fn deleted_at(api: &Api, path: &RootPath) -> Result<NodeId, Failure> {
    let mut after = None;
    loop {
        let page = deleted_page(api, after).await?;
        if let Some(row) = page.rows.iter().find(|row| row.path == *path) {
            return Ok(row.node.id);
        }
        after = page.next;
        if after.is_none() {
            return Err(not_found(
                "nothing that stood there was deleted in the last 30 days; see: beckon drive ls --deleted",
            ));
        }
    }
}

async fn deleted_page(api: &Api, after: Option<NodeId>) -> Result<Deleted, Failure> {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    api.get(&format!("/api/drive/deleted?limit={PAGE}{after}")).await
}

/// A deleted node for programs.
#[derive(Debug, Serialize)]
struct DeletedJson {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    #[serde(flatten)]
    node: NodeJson,
}

async fn list_deleted(here: &Here, api: &Api) -> Result<Exit, Failure> {
    let mut rows = here.out.rows();
    let mut after = None;
    loop {
        let page = deleted_page(api, after).await?;
        for TreeRow { path, node } in &page.rows {
            let path_bytes = std::str::from_utf8(path.as_bytes())
                .is_err()
                .then(|| base64(path.as_bytes()));
            let json = DeletedJson {
                path: path.display(),
                path_bytes,
                node: node.into(),
            };
            let deleted = node.deleted.map(time).unwrap_or_default();
            rows.push(&json, || {
                format!("{deleted}  {}  {}", node_ref(node.id), visible(path.as_bytes()))
            })?;
        }
        rows.flush()?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    rows.finish()?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_version_is_told_also_where_it_is_the_current_one() {
        let of = |head, torn| {
            let (id, at) = (VersionId::new(Timestamp(0), [0; 10]), Timestamp(0));
            remark(&VersionView {
                id,
                size: 0,
                mtime: at,
                committed: at,
                device: None,
                hash: None,
                torn,
                head,
            })
        };
        assert_eq!(
            [of(true, false), of(true, true), of(false, true), of(false, false)],
            ["current", "current, torn", "torn", ""]
        );
    }
}
