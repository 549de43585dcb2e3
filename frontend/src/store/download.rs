//! Downloads straight from machines: they go on whichever page is shown.

use beckon_shared::{error::Refusal, id::DeviceId};
use leptos::prelude::*;

use crate::download::message::{DownloadId, Figures, Leftovers};

/// How a download stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Others come first.
    Queued,
    /// Under way, or waiting for the machine.
    Running,
    /// Done but for what could not be read.
    Partly(Leftovers),
    /// It could not be done.
    Failed(Refusal),
}

/// A download, until it is done or put away.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Download {
    pub(crate) id: DownloadId,
    pub(crate) machine: DeviceId,
    /// The file's name as it is saved.
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) figures: Figures,
    /// Bytes per second, while it moves.
    pub(crate) rate: Option<f64>,
}

impl Download {
    /// How far it is in percent, once all of it is found.
    pub(crate) fn percent(&self) -> Option<f64> {
        let Figures {
            done, total, is_all, ..
        } = self.figures;
        match total {
            _ if !is_all => None,
            0 => Some(100.0),
            total => Some(done.min(total) as f64 * 100.0 / total as f64),
        }
    }

    /// Whether a person has to look at it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Partly(_) | State::Failed(_))
    }
}

/// What is known of downloads, in the order in which they were asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Downloads(RwSignal<Vec<Download>>);

impl Downloads {
    /// All of them; tracked.
    pub(crate) fn all(self) -> Vec<Download> {
        self.0.get()
    }

    /// One of them; tracked.
    pub(crate) fn row(self, id: DownloadId) -> Option<Download> {
        self.0.with(|all| all.iter().find(|one| one.id == id).cloned())
    }

    /// Of each of them, without tracking.
    pub(crate) fn peek<T>(self, look: impl Fn(&Download) -> Option<T>) -> Vec<T> {
        self.0.with_untracked(|all| all.iter().filter_map(look).collect())
    }

    pub(crate) fn add(self, download: Download) {
        self.0.update(|all| all.push(download));
    }

    /// Changes one of them, if it is there still.
    pub(crate) fn change(self, id: DownloadId, change: impl FnOnce(&mut Download)) {
        self.0.update(|all| {
            if let Some(one) = all.iter_mut().find(|one| one.id == id) {
                change(one);
            }
        });
    }

    pub(crate) fn remove(self, id: DownloadId) {
        self.0.update(|all| all.retain(|one| one.id != id));
    }

    pub(super) fn forget(self) {
        self.0.set(Vec::new());
    }
}
