//! `beckon passwd` and `beckon recover`: a new password, by the old one or by the recovery words.

use std::path::PathBuf;

use beckon_shared::{
    api::{Packed, account::ChangePassword},
    recovery::RecoveryKey,
};
use reqwest::Method;
use zeroize::Zeroizing;

use super::{Here, account};
use crate::{
    http::Api,
    origin::Origin,
    output::{Exit, Failure},
    password_prompt::{self, Source},
};

/// What `passwd` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File with the old password; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File with the new password; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

/// Puts a new password in place of the old one. All other sessions end.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let old = password_prompt::read(
        &Source::from(args.password_file.as_ref()),
        "Old password: ",
        "--password-file",
    )?;
    let new = new_password(args.new_password_file.as_ref())?;
    let pinned = Some((&controller.account_key, &controller.standing));
    let opened = account::open(&api, &controller.account_name, old, pinned).await?;
    change(&api, "/api/password", &opened, new).await?;
    done(here, "the password is changed; all other sessions have ended")
}

fn new_password(file: Option<&PathBuf>) -> Result<Zeroizing<String>, Failure> {
    let new = password_prompt::read_new(&Source::from(file), "New password: ", "--new-password-file")?;
    account::check_new(&new)?;
    Ok(new)
}

async fn change(api: &Api, path: &str, opened: &account::Opened, new: Zeroizing<String>) -> Result<(), Failure> {
    let chosen = account::choose(new, &opened.key).await?;
    let statement = Packed(chosen.statement(&opened.key));
    let request = ChangePassword {
        ticket: opened.proved.ticket.clone(),
        password: chosen.password,
        statement,
    };
    api.tell(Method::POST, path, &request).await
}

fn done(here: &Here, text: &str) -> Result<Exit, Failure> {
    here.out
        .one(&serde_json::json!({ "password_changed": true }), || text.to_owned())?;
    Ok(Exit::Done)
}

/// What `recover` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct RecoverArgs {
    /// Address of the server [default: where this device was signed in]
    url: Option<Origin>,
    /// Name of the account [default: the one that was signed in here]
    #[arg(long)]
    name: Option<String>,
    /// File with the 24 recovery words; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE")]
    words_file: Option<PathBuf>,
    /// File with the new password; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE", alias = "password-file")]
    new_password_file: Option<PathBuf>,
}

/// Puts a new password in place of a lost one. All sessions end.
pub(crate) async fn recover(here: &Here, args: RecoverArgs) -> Result<Exit, Failure> {
    let known = here.state.controller()?;
    let missing = |what: &str| Failure::usage(format!("nobody was signed in here before; give {what}"));
    let url = args
        .url
        .or_else(|| known.as_ref().map(|known| known.server.clone()))
        .ok_or_else(|| missing("the server's URL"))?;
    let name = args
        .name
        .or_else(|| known.as_ref().map(|known| known.account_name.clone()))
        .ok_or_else(|| missing("--name NAME"))?;
    let words = password_prompt::read_text(
        &Source::from(args.words_file.as_ref()),
        "The 24 words: ",
        "--words-file",
    )?;
    let words = RecoveryKey::parse(&words).map_err(|cause| Failure::usage(cause.to_string()))?;
    let new = new_password(args.new_password_file.as_ref())?;
    let api = Api::anonymous(&here.server(url.clone())?)?;
    let known = known.filter(|known| known.server == url && known.account_name == name);
    let pinned = known.as_ref().map(|known| (&known.account_key, &known.standing));
    let opened = account::open_by_words(&api, &name, &words, pinned).await?;
    change(&api, "/api/recover/finish", &opened, new).await?;
    done(
        here,
        "the password is changed and all sessions have ended; sign in with: beckon login URL --name NAME",
    )
}
