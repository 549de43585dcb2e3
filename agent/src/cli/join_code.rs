//! `beckon join-code`: a code by which machines join the account.

use std::{path::PathBuf, time::Duration};

use beckon_shared::{
    api::{Bytes, Packed, join::NewJoinCode},
    certificate::Role,
    join::{JoinCode, Terms},
};
use reqwest::Method;

use super::{Here, account, span};
use crate::{
    clock,
    output::{Exit, Failure, time},
    password_prompt::{self, Source},
};

/// What a joining machine may become.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum JoinRole {
    /// Serves and stores what its owner opened, and holds copies where its owner lets orders write
    Source,
    /// The same; says that it is there for copies
    Copy,
}

impl From<JoinRole> for Role {
    fn from(role: JoinRole) -> Self {
        match role {
            JoinRole::Source => Self::Source,
            JoinRole::Copy => Self::Copy,
        }
    }
}

/// What `join-code` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many machines may join by it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    uses: u32,
    /// How long it counts: 90s, 15m, 24h, 7d
    #[arg(long = "for", value_name = "SPAN", default_value = "15m", value_parser = span::span)]
    life: Duration,
    /// What they may become
    #[arg(long, value_enum, default_value = "source")]
    role: JoinRole,
    /// File with the password; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Makes a code; the server learns what it proves, and not the code.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let password = password_prompt::read(
        &Source::from(args.password_file.as_ref()),
        "Password: ",
        "--password-file",
    )?;
    let pinned = Some((&controller.account_key, &controller.standing));
    let opened = account::open(&api, &controller.account_name, password, pinned).await?;
    let code = JoinCode::new(clock::random());
    let issued = clock::now();
    let epoch = opened.standing.lowest_epoch();
    let terms = Terms {
        role: args.role.into(),
        issued,
        not_after: issued + args.life,
        uses: args.uses,
        epoch,
    };
    let (offer, mac) = code
        .offer(&opened.key, &terms)
        .map_err(|cause| Failure::usage(cause.to_string()))?;
    let request = NewJoinCode {
        lookup: code.lookup(),
        offer: Packed(offer),
        mac: Bytes(mac),
    };
    api.tell(Method::POST, "/api/join-codes", &request).await?;
    let (text, url) = (code.text(), controller.server);
    let result = serde_json::json!({
        "code": text.as_str(), "url": url.as_str(), "role": terms.role, "uses": terms.uses, "expires": terms.not_after,
    });
    here.out.one(&result, || {
        let until = time(terms.not_after);
        format!(
            "{}\nuntil {until}, on the machine that is to join:\n  beckon join {url} {} --root NAME=PATH",
            text.as_str(),
            text.as_str()
        )
    })?;
    Ok(Exit::Done)
}
