//! `beckon sessions`: who is signed in over HTTP, and ending one of them.

use beckon_shared::{api::account::SignInView, id::SignInId};

use super::Here;
use crate::output::{Exit, Failure, Table, time, visible, visible_text};

/// What `sessions` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// End a session, and the connections of its device
    Revoke {
        /// Id of the session
        id: SignInId,
    },
}

/// Lists the sessions, or ends one.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let api = here.api(&here.controller()?)?;
    if let Some(Command::Revoke { id }) = args.command {
        api.delete(&format!("/api/sessions/{id}")).await?;
        here.out.one(&serde_json::json!({ "id": id, "ended": true }), || {
            "the session has ended".to_owned()
        })?;
        return Ok(Exit::Done);
    }
    let sessions: Vec<SignInView> = api.get("/api/sessions").await?;
    here.out.list(&sessions, || table(&sessions))?;
    Ok(Exit::Done)
}

fn table(sessions: &[SignInView]) -> Table {
    let mut table = Table::new(&["ID", "DEVICE", "ADDRESS", "USED", "ENDS", ""], &[]);
    for session in sessions {
        let this = if session.current { "this one" } else { "" };
        table.row([
            session.id.to_string(),
            visible(session.device_name.as_bytes()),
            visible_text(&session.address),
            time(session.used),
            time(session.expires),
            this.to_owned(),
        ]);
    }
    table
}
