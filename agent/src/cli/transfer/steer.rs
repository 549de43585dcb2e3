//! `beckon transfers pause|resume|cancel|retry ID`, also without `transfers`.

use beckon_shared::{
    api::transfer::{Act, Steer},
    id::TransferId,
};
use reqwest::Method;

use super::{or_unknown, read, report};
use crate::{
    cli::Here,
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
    let api = here.api(&here.controller()?)?;
    api.tell(Method::POST, &format!("/api/transfers/{id}/steer"), &Steer { act })
        .await
        .map_err(or_unknown)?;
    report(here, &read(&api, id).await?)?;
    Ok(Exit::Done)
}
