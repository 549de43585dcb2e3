//! `beckon login` and `beckon logout`: this device becomes a controller of an account, and stops being one.

use std::path::PathBuf;

use beckon_shared::{
    api::account::{SignInFinish, SignInView, SignedIn},
    certificate::Chain,
    device::DeviceKind,
    error::ErrorCode,
    keys::DeviceKeys,
    path::Label,
    signature::PublicKey,
    statement::Standing,
};
use serde::Serialize;

use super::{Here, account};
use crate::{
    hello,
    http::{Api, WithCookie},
    identity,
    origin::Origin,
    output::{Exit, Failure, remark, visible},
    password_prompt::{self, Source},
    state::{Controller, SignIn},
};

/// What `login` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of the server, as it printed it
    url: Origin,
    /// Name of the account
    #[arg(long)]
    name: String,
    /// File with the password; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What this device is to be called.
#[derive(Debug, clap::Args)]
pub(crate) struct DeviceArgs {
    /// Name of this device in the control list [default: made of the host's name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<Label>,
}

impl DeviceArgs {
    /// The name that was given, or one made of the host's.
    pub(crate) fn name(&self) -> Label {
        let host = hello::default_name();
        let default = || Label::new(format!("{host} (command line)")).unwrap_or_else(|_| host.clone());
        self.device_name.clone().unwrap_or_else(default)
    }
}

/// Signs in with the password.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let password = password_prompt::read(
        &Source::from(args.password_file.as_ref()),
        "Password: ",
        "--password-file",
    )?;
    let server = here.server(args.url.clone())?;
    let api = Api::anonymous(&server)?;
    let known = here
        .state
        .controller()?
        .filter(|known| known.server == args.url && is_same_name(&known.account_name, &args.name));
    let pinned = known.as_ref().map(|known| (&known.account_key, &known.standing));
    let opened = account::open(&api, &args.name, password, pinned).await?;
    let keys = usable_keys(known, &opened.standing);
    let chain = account::certify(&opened.key, &keys, opened.standing.lowest_epoch());
    let request = SignInFinish {
        ticket: opened.proved.ticket.clone(),
        device: account::new_device(chain.clone(), args.device.name(), DeviceKind::Cli),
    };
    let answer = api.post_for_cookie("/api/sign-in/finish", &request).await?;
    let signed_in = keep(
        here,
        args.url,
        opened.key.public(),
        keys,
        chain,
        opened.standing,
        answer,
    )?;
    here.out.one(&Report::new(&signed_in, None), || line(&signed_in))?;
    Ok(Exit::Done)
}

fn is_same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The keys of the last time, so that the device stays the same row of the control list; new ones if those were revoked.
fn usable_keys(known: Option<Controller>, standing: &Standing) -> DeviceKeys {
    match known {
        Some(known) if !standing.is_revoked(&known.keys.id()) => known.keys,
        _ => identity::new_keys(),
    }
}

/// Keeps what a sign-in yielded.
pub(crate) fn keep(
    here: &Here,
    server: Origin,
    account_key: PublicKey,
    keys: DeviceKeys,
    chain: Chain,
    standing: Standing,
    answer: WithCookie<SignedIn>,
) -> Result<SignedIn, Failure> {
    let signed_in = answer.body;
    here.state.save_controller(&Controller {
        server,
        account_name: signed_in.account_name.clone(),
        account_key,
        space: signed_in.space,
        device_name: signed_in.device_name.clone(),
        keys,
        standing,
        sign_in: Some(SignIn {
            chain,
            cookie: answer.cookie,
        }),
    })?;
    Ok(signed_in)
}

/// The result for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    account: String,
    name: &'a str,
    admin: bool,
    space: String,
    device: String,
    device_name: &'a str,
    expires: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_words: Option<&'a str>,
}

impl<'a> Report<'a> {
    /// Of a sign-in; the words only where they are not in a file.
    pub(crate) fn new(signed_in: &'a SignedIn, words: Option<&'a String>) -> Self {
        Self {
            account: signed_in.account.to_string(),
            name: &signed_in.account_name,
            admin: signed_in.admin,
            space: signed_in.space.to_string(),
            device: signed_in.device.to_string(),
            device_name: &signed_in.device_name,
            expires: signed_in.expires.to_string(),
            recovery_words: words.map(String::as_str),
        }
    }
}

/// The result for people.
pub(crate) fn line(signed_in: &SignedIn) -> String {
    let (name, device) = (
        visible(signed_in.account_name.as_bytes()),
        visible(signed_in.device_name.as_bytes()),
    );
    format!("signed in as {name}, on the device {device}")
}

/// Ends the session here and on the server. The device's keys stay, the certificate goes.
pub(crate) async fn log_out(here: &Here) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let ended = match end_session(&here.api(&controller)?).await {
        // Somebody else ended it before.
        Err(failure) if failure.is(ErrorCode::NotSignedIn) || failure.is(ErrorCode::Revoked) => Ok(()),
        ended => ended,
    };
    here.state.update_controller(|controller| controller.sign_in = None)?;
    here.state.forget_devices()?;
    if ended.is_err() {
        remark(
            here.out,
            "the server could not be told; end the session from another device with: beckon sessions revoke ID",
        );
    }
    here.out.one(
        &serde_json::json!({ "signed_out": true, "server_told": ended.is_ok() }),
        || "signed out".to_owned(),
    )?;
    Ok(Exit::Done)
}

async fn end_session(api: &Api) -> Result<(), Failure> {
    let sessions: Vec<SignInView> = api.get("/api/sessions").await?;
    match sessions.iter().find(|session| session.current) {
        Some(session) => api.delete(&format!("/api/sessions/{}", session.id)).await,
        None => Ok(()),
    }
}
