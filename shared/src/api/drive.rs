//! `/api/drive/...`: what is stored.
//!
//! A node is named by its id or by its path from the top, names joined by `/`. Where `at=TIME` (RFC 3339) may be added, the
//! drive is shown as it stood at the end of that millisecond.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::Blob,
    commit::ChainHead,
    entry::{EntryKind, InDrive, SourceStamp},
    id::{DeviceId, Hash, NodeId, RootId, VersionId},
    path::{Name, RootPath},
    retention::Retention,
    time::Timestamp,
};

/// A file, folder or symlink in a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// The node.
    pub id: NodeId,
    /// The folder that holds it; absent at the top.
    pub parent: Option<NodeId>,
    /// Its name as text; what is not UTF-8 is U+FFFD.
    pub name: String,
    /// Its name's bytes, where they are not UTF-8.
    pub name_bytes: Option<Name>,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of its content.
    pub size: u64,
    /// Modification time at the source.
    pub mtime: Timestamp,
    /// Its newest version; folders made by the server have none.
    pub head: Option<VersionId>,
    /// Plain BLAKE3 of the content, of files.
    pub hash: Option<Hash>,
    /// The content changed while it was read.
    pub torn: bool,
    /// Permission bits at the source (the low 12), 0 where it had none.
    pub mode: u32,
    /// Where a symlink points, as its bytes stood on the machine's disk.
    pub target: Option<Blob>,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// The device that the newest version came from.
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// When the newest version was committed.
    #[serde(default)]
    pub stored: Option<Timestamp>,
    /// How many versions there are; 0 for folders.
    #[serde(default)]
    pub versions: u32,
}

/// `GET /api/drive/list?node=ID|path=P&at=TIME&after=NAME&limit=N`: a folder and a page of what is in it, by name's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing {
    /// The node itself; absent for the top.
    pub node: Option<NodeView>,
    /// A page of its children; empty for a file.
    pub children: Vec<NodeView>,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<Name>,
}

/// One thing below a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeRow {
    /// Its path below the folder that was asked for, from the top where none was.
    pub path: RootPath,
    /// The node.
    pub node: NodeView,
}

/// `GET /api/drive/tree?node=ID|path=P&at=TIME&after=PATH&limit=N`: a page of all that lies below a folder.
///
/// A folder comes before what is in it, and the names in a folder in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tree {
    /// A page of what lies below; the folder itself is not among it.
    pub rows: Vec<TreeRow>,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<RootPath>,
}

/// `GET /api/drive/deleted?after=ID&limit=N`: what can be restored, deleted last first.
///
/// Of a folder that was deleted with all that is in it, only the folder is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// Nodes with the paths from the top that they had; of a path that is too long, its end.
    pub rows: Vec<TreeRow>,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<NodeId>,
}

/// `GET /api/drive/versions?node=ID|path=P`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionView {
    /// The version.
    pub id: VersionId,
    /// Bytes of its content.
    pub size: u64,
    /// Modification time at the source.
    pub mtime: Timestamp,
    /// When it was committed.
    pub committed: Timestamp,
    /// The machine that it came from.
    pub device: Option<DeviceId>,
    /// Plain BLAKE3 of the content.
    pub hash: Option<Hash>,
    /// The content changed while it was read.
    pub torn: bool,
    /// Whether it is the node's head.
    pub head: bool,
}

/// What the drive holds of one entry of a machine's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadView {
    /// The entry's name on the machine.
    pub name: Name,
    /// The node.
    pub node: NodeId,
    /// The source stamp of the head; absent for folders and symlinks.
    pub stamp: Option<SourceStamp>,
    /// Whether the stamp alone proves the content: the file was not written within 2 s of the read, and is not torn.
    pub settled: bool,
}

/// `GET /api/drive/heads?device=ID&root=ID&path=REF&after=NAME&limit=N`: the heads of what a machine's folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heads {
    /// A page of heads, by name's bytes.
    pub heads: Vec<HeadView>,
    /// Pass as `after` for the next page; absent on the last.
    pub next: Option<Name>,
}

/// `POST /api/drive/heads`: the heads of these entries of a machine's folder. Answered by [`Heads`] without a `next`,
/// in no order; entries that the drive does not hold are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadsOf {
    /// The machine.
    pub device: DeviceId,
    /// The root.
    pub root: RootId,
    /// The folder below the root.
    pub path: RootPath,
    /// The entries, at most 1,000.
    pub names: Vec<Name>,
}

/// `POST /api/drive/outdated`: what at, above and below a machine's folder the drive holds no more as the machine brought it.
/// Answered by [`Outdated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutdatedOf {
    /// The machine.
    pub device: DeviceId,
    /// The root.
    pub root: RootId,
    /// The folder below the root.
    pub path: RootPath,
}

/// Answers [`OutdatedOf`]. A controller passes it on to the machine, which compares by its index: [`crate::browse::Ask::States`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outdated {
    /// The root's epoch (`UploadGrant`) at that moment; 0 if nothing of the root was ever uploaded.
    pub epoch: u64,
    /// At most 1,000 places, each with all below it.
    pub places: Vec<OutdatedPlace>,
}

/// A place of a root that does not stand to the drive as the machine remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutdatedPlace {
    /// Below the root.
    pub path: RootPath,
    /// `no` where it was deleted in the drive, `changed` where the drive holds something else, `unknown` where too much below
    /// it changed to be told one by one.
    pub state: InDrive,
}

/// `POST /api/drive/move`: gives a node another name, folder or both. Answered by 204.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The node.
    pub node: NodeId,
    /// The folder to put it in; absent leaves it where it is. The nil id (`NodeId::TOP`) is the top of the drive, to
    /// which only a machine's folder can go back.
    pub parent: Option<NodeId>,
    /// Its new name; absent leaves it.
    pub name: Option<Name>,
}

/// `POST /api/drive/delete`, `POST /api/drive/restore`: to Deleted for 30 days, and back. `POST /api/drive/purge`: out of
/// Deleted for good. Answered by 204, as is `POST /api/drive/empty`, which has no body and takes all that is in Deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// At most 1,000.
    pub nodes: Vec<NodeId>,
}

/// `POST /api/drive/contents`: the contents of many small files in one answer, in this order, one after the other
/// with nothing between them; their lengths stand in the listing. If any is absent or damaged none of the rest comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// At most [`Contents::MAX`].
    pub versions: Vec<VersionId>,
}

impl Contents {
    /// More versions than this are refused.
    pub const MAX: usize = 256;
    /// Files of more bytes than this are better fetched by themselves.
    pub const SMALL: u64 = 1 << 20;
}

/// `GET /api/drive/search?q=TEXT&after=NEXT&limit=N`: nodes whose names hold the text, without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// Nodes with their paths from the top; of a path that is too long, its end.
    pub rows: Vec<TreeRow>,
    /// Pass as `after` for the next page; absent on the last. Opaque, and safe in an address.
    pub next: Option<String>,
}

/// `GET /api/drive/recent?limit=N`: the files that were stored last, newest first, at most 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recent {
    /// Nodes with their paths from the top; of a path that is too long, its end.
    pub rows: Vec<TreeRow>,
}

/// `POST /api/drive/folders`: makes a folder below `Files/`. Answered by its [`NodeView`]; the same name twice is one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFolder {
    /// The folder to make it in; absent is `Files` itself, made where it is not there yet.
    pub parent: Option<NodeId>,
    /// Its name.
    pub name: Name,
}

/// `POST /api/drive/current`: makes an older version the newest again, as a version of its own. Answered by 204.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeCurrent {
    /// The file.
    pub node: NodeId,
    /// One of its versions.
    pub version: VersionId,
}

/// `GET /api/drive/origin?node=ID|path=P&at=TIME`: which root of which device something in the drive came from, and after which
/// of its commits it was as it stands, or stood at the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OriginView {
    /// The device.
    pub device: DeviceId,
    /// Its root.
    pub root: RootId,
    /// The place below that root.
    pub path: RootPath,
    /// The newest commit of the root until then.
    pub head: ChainHead,
}

/// `POST /api/drive/rewind`: puts back what a file or folder held at a time, at the places where it lay then. Answered by
/// [`Rewound`].
///
/// A file that holds something else by now gets the older content as a version of its own; what was deleted comes back; what
/// was moved elsewhere stays there, and a copy comes here; what is there now and was not then stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewind {
    /// The file or folder; absent means that `path` counts.
    pub node: Option<NodeId>,
    /// Its path from the top at that time.
    pub path: Option<RootPath>,
    /// The time.
    pub at: Timestamp,
}

/// Answers [`Rewind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Rewound {
    /// Files that got an older content.
    pub changed: u64,
    /// Files and folders that came back.
    pub back: u64,
    /// Files that hold the same still.
    pub same: u64,
    /// Files of which no version of that time is kept any more.
    pub lost: u64,
    /// There is more to put back than one request does: ask again.
    pub more: bool,
}

/// `GET /api/drive/retention`: how long older versions are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionView {
    /// Of all that has no rule of its own.
    pub default: Retention,
    /// The roots that are in the drive.
    pub roots: Vec<RootRetention>,
}

/// How long older versions of what a root stored are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RootRetention {
    /// The device.
    pub device: DeviceId,
    /// Its root.
    pub root: RootId,
    /// The root's folder in the drive.
    pub node: NodeId,
    /// Where it stands, from the top; of a path that is too long, its end.
    pub path: RootPath,
    /// Its own rule, if it has one.
    pub rule: Option<Retention>,
}

/// `GET /api/drive/retention/plan?device=ID&root=ID&keep_all_days=N&daily_days=N&weekly_days=N&monthly_days=N&forever=BOOL`:
/// what a rule would delete at once if it was set; without device and root, the rule for all that has none of its own. With
/// `inherit=true` in place of the numbers: what happens if the root's own rule is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPlan {
    /// Versions that would go.
    pub versions: u64,
    /// Files that they are of.
    pub files: u64,
    /// Bytes of content that nothing else needs, each counted once.
    pub bytes: u64,
    /// There is more to become free than `bytes` says: too much to be counted.
    pub at_least: bool,
    /// The first of them, at most 500, by their files' places and then oldest first.
    pub first: Vec<PlannedVersion>,
    /// Passed on to [`SetRetention`]: it stands for this plan, for a quarter of an hour.
    pub token: String,
}

/// A version that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedVersion {
    /// The file's path from the top; of a path that is too long, its end.
    pub path: RootPath,
    /// The file.
    pub node: NodeId,
    /// The version.
    pub version: VersionId,
    /// When it was committed.
    pub committed: Timestamp,
    /// Bytes of its content.
    pub size: u64,
}

/// `PUT /api/drive/retention`: sets a rule whose plan was looked at. Answered by 204; 409 if by now it would delete something
/// else than the plan said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRetention {
    /// The device; absent, as the root, for all that has no rule of its own.
    pub device: Option<DeviceId>,
    /// Its root.
    pub root: Option<RootId>,
    /// The rule; absent takes a root's own rule away, and has the drive keep everything.
    pub rule: Option<Retention>,
    /// Of the plan.
    pub token: String,
}
