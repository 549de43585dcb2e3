//! `beckon transfers pause|resume|cancel|retry ID`, also without `transfers`, and `beckon transfers priority ID`.

use beckon_shared::{
    api::transfer::{Act, Prioritise, Steer},
    id::TransferId,
    transfer::Priority,
};
use reqwest::Method;
use serde::Serialize;

use super::{
    report,
    show::{last_seen, or_unknown, read},
};
use crate::{
    cli::Here,
    http::Api,
    output::{Exit, Failure},
};

/// What a person does with a transfer.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Steering {
    /// Have a transfer stand still until it is resumed
    Pause {
        /// Id of the transfer
        id: TransferId,
    },
    /// Have a paused transfer go on
    Resume {
        /// Id of the transfer
        id: TransferId,
    },
    /// End a transfer; what it stored already stays
    Cancel {
        /// Id of the transfer
        id: TransferId,
    },
    /// Have a transfer that failed, at least in part, run again
    Retry {
        /// Id of the transfer
        id: TransferId,
    },
}

/// Where a transfer is to stand among the others of its machine.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Wanted {
    /// After all others
    Low,
    /// In the order in which they were given
    Normal,
    /// Before all others
    High,
}

impl From<Wanted> for Priority {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Low => Self::Low,
            Wanted::Normal => Self::Normal,
            Wanted::High => Self::High,
        }
    }
}

impl Steering {
    fn parts(self) -> (TransferId, Act) {
        match self {
            Self::Pause { id } => (id, Act::Pause),
            Self::Resume { id } => (id, Act::Resume),
            Self::Cancel { id } => (id, Act::Cancel),
            Self::Retry { id } => (id, Act::Retry),
        }
    }
}

/// Pauses, resumes, cancels or retries a transfer, and tells how it stands then.
pub(crate) async fn steer(here: &Here, steering: Steering) -> Result<Exit, Failure> {
    let (id, act) = steering.parts();
    change(here, id, "steer", &Steer { act }).await
}

/// Ends what goes on by itself, and tells how it stands then.
pub(crate) async fn stop(here: &Here, id: TransferId) -> Result<Exit, Failure> {
    change(here, id, "steer", &Steer { act: Act::Cancel }).await
}

/// Ends what can never be done, without a word of it.
pub(crate) async fn give_up(api: &Api, id: TransferId) -> Result<(), Failure> {
    let cancel = Steer { act: Act::Cancel };
    api.tell(Method::POST, &format!("/api/transfers/{id}/steer"), &cancel)
        .await
}

/// Gives a transfer its place among the others of its machine, and tells how it stands then.
pub(super) async fn prioritise(here: &Here, id: TransferId, priority: Priority) -> Result<Exit, Failure> {
    change(here, id, "priority", &Prioritise { priority }).await
}

async fn change(here: &Here, id: TransferId, what: &str, body: &impl Serialize) -> Result<Exit, Failure> {
    let api: Api = here.api(&here.controller()?)?;
    api.tell(Method::POST, &format!("/api/transfers/{id}/{what}"), body)
        .await
        .map_err(or_unknown)?;
    let transfer = read(&api, id).await?;
    report(here, &transfer, last_seen(&api, &transfer).await?)?;
    Ok(Exit::Done)
}
