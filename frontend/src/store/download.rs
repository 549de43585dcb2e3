//! Downloads straight from a machine: they go on whichever page is shown.

use beckon_shared::error::Refusal;
use leptos::prelude::*;

/// A download under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Download {
    /// The file's name as it is shown.
    pub(crate) name: String,
    /// Bytes that are here.
    pub(crate) done: u64,
    /// Bytes of all of it.
    pub(crate) size: u64,
}

impl Download {
    /// How much of it is here.
    pub(crate) fn percent(&self) -> u64 {
        (self.done * 100).checked_div(self.size).unwrap_or(100).min(100)
    }
}

/// What is known of downloads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Downloads {
    /// The one under way.
    pub(crate) now: RwSignal<Option<Download>>,
    /// The name of one that was not done after its folder had been left, and why.
    pub(crate) failed: RwSignal<Option<(String, Refusal)>>,
}

impl Downloads {
    pub(super) fn forget(self) {
        self.now.set(None);
        self.failed.set(None);
    }
}
