//! How a file stands in the drive: an icon and a word. Only what is committed is drawn with the cloud and the tick.

use beckon_shared::entry::InDrive;
use leptos::prelude::*;

use super::icon::Icon;
use crate::text::{machine as words, sync};

/// How an entry stands, with what is under way for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As compared.
    Settled(InDrive),
    /// On its way; so many percent of its transfer are done.
    Uploading(Option<u8>),
    /// Its transfer stands still.
    Waiting(Option<u8>),
}

impl Standing {
    fn class(self) -> &'static str {
        match self {
            Self::Settled(InDrive::Safe) => "stored safe",
            Self::Settled(InDrive::Changed) => "stored changed",
            Self::Settled(InDrive::No) => "stored absent",
            Self::Settled(InDrive::Uploading) | Self::Uploading(_) => "stored moving",
            Self::Waiting(_) => "stored waits",
            Self::Settled(InDrive::Unknown | InDrive::Never | InDrive::Ignored) => "stored",
        }
    }

    fn icon(self) -> Option<&'static str> {
        match self {
            Self::Settled(InDrive::Safe) => Some("safe"),
            Self::Settled(InDrive::Changed) => Some("changed"),
            Self::Settled(InDrive::No) => Some("absent"),
            Self::Settled(InDrive::Uploading) | Self::Uploading(_) => Some("upload"),
            Self::Waiting(_) => Some("clock"),
            Self::Settled(InDrive::Unknown) => Some("info"),
            Self::Settled(InDrive::Ignored) => Some("filter"),
            Self::Settled(InDrive::Never) => None,
        }
    }

    /// In words.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Settled(InDrive::Safe) => words::safe().to_owned(),
            Self::Settled(InDrive::Changed) => words::changed().to_owned(),
            Self::Settled(InDrive::No) => words::absent().to_owned(),
            Self::Settled(InDrive::Uploading) | Self::Uploading(None) => words::uploading().to_owned(),
            Self::Uploading(Some(percent)) => words::uploading_at(&percent),
            Self::Waiting(None) => words::waits().to_owned(),
            Self::Waiting(Some(percent)) => words::waits_at(&percent),
            Self::Settled(InDrive::Unknown) => words::not_known().to_owned(),
            Self::Settled(InDrive::Never) => words::never().to_owned(),
            Self::Settled(InDrive::Ignored) => sync::ignored().to_owned(),
        }
    }
}

/// How an entry stands; nothing while that is awaited.
#[component]
pub(crate) fn Stored(
    /// How it stands.
    #[prop(into)]
    standing: Signal<Option<Standing>>,
) -> impl IntoView {
    let icon = move || {
        standing
            .get()
            .and_then(Standing::icon)
            .map(|name| view! { <Icon name=name/> })
    };
    let word = move || standing.get().map(Standing::word).unwrap_or_default();
    let class = move || standing.get().map_or("stored", Standing::class);
    view! { <span class=class title=word>{icon}<span class="word cut">{word}</span></span> }
}
