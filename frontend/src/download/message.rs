//! What the page and the worker say to each other of downloads, as postcard; ports and handles go beside it.

use beckon_shared::{
    browse::Route,
    entry::Entry,
    error::Refusal,
    id::{DeviceId, RootId},
    path::RootPath,
};
use serde::{Deserialize, Serialize};

use crate::text::Lang;

/// Names a download in this page and its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct DownloadId(pub(crate) u32);

/// From the page.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// Begin; what takes the bytes lies beside.
    Start(Box<Job>),
    /// End it at once.
    Cancel(DownloadId),
    /// What takes its bytes is gone.
    Gone(DownloadId),
}

/// A download for the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: DownloadId,
    pub(crate) machine: DeviceId,
    pub(crate) what: What,
    pub(crate) into: Into,
    /// Of the words that the worker makes.
    pub(crate) lang: Lang,
}

/// What is downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A file, as it is.
    File(Place),
    /// These and all below them, as a ZIP.
    Archive(Vec<Top>),
}

/// Where something is on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) root: RootId,
    pub(crate) path: RootPath,
}

/// What stands at the top of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Top {
    pub(crate) place: Place,
    /// As a listing told it; a root as a folder of its name.
    pub(crate) entry: Entry,
}

/// What takes the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Into {
    /// The port beside, which the service worker has the other end of.
    Stream,
    /// The file beside, which a person chose.
    Disk,
    /// The browser's memory, up to so many bytes.
    Memory(u64),
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FromWorker {
    pub(crate) id: DownloadId,
    pub(crate) told: Told,
}

/// What the worker tells of a download.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// How far it is: when that changes, and every few seconds.
    Progress(Figures),
    /// All is written; what was kept in memory lies beside as a `Blob`.
    Done(Leftovers),
    /// Somebody ended it.
    Cancelled,
    /// It cannot be done.
    Failed(Refusal),
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Bytes of content that are verified and handed on.
    pub(crate) done: u64,
    /// Bytes of all content found so far.
    pub(crate) total: u64,
    /// Whether that is all.
    pub(crate) is_all: bool,
    /// Whether it waits for the machine, or for the way to it.
    pub(crate) waits: bool,
    /// The way that the bytes take.
    pub(crate) route: Option<Route>,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Leftovers {
    /// How many entries.
    pub(crate) count: u64,
    /// Some of them, as they are shown, and why.
    pub(crate) some: Vec<(String, Refusal)>,
}
