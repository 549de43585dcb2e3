//! `beckon ui`: the web app of this program, on this computer.

use std::env;

use beckon_shared::api::server::Status;
use serde_json::json;

use super::Here;
use crate::{
    http::Api,
    origin::Origin,
    output::{Exit, Failure, visible},
    server::Server,
    ui::{self, Ui},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Serve at another port of this computer; a browser keeps what it knows by the port
    #[arg(long, value_name = "N", default_value_t = ui::PORT)]
    port: u16,
    /// Open no browser
    #[arg(long)]
    no_open: bool,
    /// The server to use [default: the one that this device is signed in at or joined]
    #[arg(long, value_name = "URL")]
    server: Option<Origin>,
}

/// Serves the app until the program is ended.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let server = here.server(origin(here, args.server)?)?;
    expect_common_words(&server).await?;
    let ui = Ui::bind(&server, args.port).await?;
    let result = json!({ "event": "open", "url": ui.url(), "server": server.origin.as_str() });
    here.out.one(&result, || {
        format!(
            "open {}\nthe app of this program, for {}; Ctrl-C ends it",
            ui.url(),
            server.origin
        )
    })?;
    if !args.no_open && has_a_screen() {
        // Whoever sees no browser reads the line above.
        let _ = open::that_detached(ui.url());
    }
    match ui.serve().await {}
}

fn origin(here: &Here, given: Option<Origin>) -> Result<Origin, Failure> {
    if let Some(origin) = given {
        return Ok(origin);
    }
    if let Some(controller) = here.state.controller()? {
        return Ok(controller.server);
    }
    let machine = here.state.machine()?;
    machine
        .map(|machine| machine.server)
        .ok_or_else(|| Failure::usage("no server is known here; name it: beckon ui --server URL"))
}

/// A server that this program's app cannot talk to would look like one that does not answer. One that does not answer now may
/// do so later.
async fn expect_common_words(server: &Server) -> Result<(), Failure> {
    let status = match Api::anonymous(server)?.get::<Status>("/api/status").await {
        Ok(status) => status,
        Err(failure) if failure.retry => {
            tracing::warn!("{failure}");
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    speaks(&status, &server.origin)
}

fn speaks(status: &Status, server: &Origin) -> Result<(), Failure> {
    if beckon_shared::wire::negotiate(&status.protocols.join(",")).is_some() {
        return Ok(());
    }
    let message = format!(
        "the server at {server} (version {}) and the app in this program (version {}) have no language in common; \
         update the older of both",
        visible(status.version.as_bytes()),
        env!("CARGO_PKG_VERSION")
    );
    Err(Failure::local("bad-version", message))
}

/// Whether a browser could show anything.
fn has_a_screen() -> bool {
    let has = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || has("DISPLAY") || has("WAYLAND_DISPLAY")
}

#[cfg(test)]
mod tests {
    use beckon_shared::time::Timestamp;

    use super::*;

    #[test]
    fn a_server_of_another_time_is_told_from_one_that_is_away() {
        let server = Origin::parse("https://drive.example").unwrap();
        let mut status = Status {
            name: "beckon".to_owned(),
            version: "9.0.0".to_owned(),
            set_up: true,
            protocols: vec!["beckon.control.9".to_owned()],
            now: Timestamp(0),
        };
        let words = speaks(&status, &server).unwrap_err().message;
        assert!(words.contains("9.0.0") && words.contains("update"), "{words}");
        let own = beckon_shared::wire::CONTROL_PROTOCOLS.map(|(name, _)| name.to_owned());
        status.protocols.extend(own);
        assert_eq!(speaks(&status, &server), Ok(()));
    }
}
