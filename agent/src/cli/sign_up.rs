//! `beckon sign-up`: an account, the first one of a server by its set-up code, later ones by an invitation.

use std::path::PathBuf;

use beckon_shared::{
    api::{
        Bytes, Packed,
        account::{SignUp, SignedIn},
    },
    device::DeviceKind,
    join::SetupCode,
    keys::AccountKey,
    path::Label,
    recovery::RecoveryKey,
    statement::Standing,
};
use zeroize::Zeroizing;

use super::{Here, account, login};
use crate::{
    clock, identity,
    origin::Origin,
    output::{Exit, Failure},
    password_prompt::{self, Source},
    state,
};

/// What `sign-up` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of the server, as it printed it
    url: Origin,
    /// The set-up code that the server printed, or that of an invitation; or the whole address that ends with it
    #[arg(long, value_name = "CODE")]
    setup: Option<String>,
    /// Name of the new account
    #[arg(long)]
    name: Label,
    /// File with the new password; - for standard input; a terminal is asked otherwise
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// New file for the 24 recovery words; without it they are printed once
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
    #[command(flatten)]
    device: login::DeviceArgs,
}

/// Makes the account key, the recovery words and this device's keys, and signs up with them.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    if here
        .state
        .controller()?
        .is_some_and(|controller| controller.sign_in.is_some())
    {
        return Err(Failure::usage(
            "somebody is signed in here already; run beckon logout first, or choose another --state folder",
        ));
    }
    let setup = args.setup.as_deref().ok_or_else(|| {
        Failure::usage(
            "give --setup CODE: as the server printed it for the first account, or from the invitation that an administrator made",
        )
    })?;
    let setup = SetupCode::parse(code_of(setup)).map_err(|cause| Failure::usage(cause.to_string()))?;
    let password = password_prompt::read_new(
        &Source::from(args.password_file.as_ref()),
        "New password: ",
        "--password-file",
    )?;
    account::check_new(&password)?;
    let server = here.server(args.url.clone())?;
    let api = crate::http::Api::anonymous(&server)?;

    let key = AccountKey::from_bytes(&Zeroizing::new(clock::random()));
    let words = RecoveryKey::from_entropy(clock::random());
    let keys = identity::new_keys();
    let chain = account::certify(&key, &keys, 0);
    let request = SignUp {
        setup_code: setup.text().to_string(),
        name: args.name,
        account_key: Packed(key.public()),
        password: account::choose(password, &key).await?.password,
        recovery_auth: Bytes(*words.auth().as_bytes()),
        recovery_wrapped: account::wrap_by_words(&words, &key)?,
        device: account::new_device(chain.clone(), args.device.name(), DeviceKind::Cli),
    };
    // Before the account exists: an account without its words could not be recovered.
    let printed = keep_words(&words, args.recovery_file.as_ref())?;
    let answer = match api.post_for_cookie::<SignedIn>("/api/sign-up", &request).await {
        Ok(answer) => answer,
        Err(failure) => return Err(forget_words(args.recovery_file.as_ref(), failure)),
    };
    let signed_in = login::keep(here, args.url, key.public(), keys, chain, Standing::default(), answer)?;
    here.out.one(&login::Report::new(&signed_in, printed.as_deref()), || {
        text(&signed_in, printed.as_deref())
    })?;
    Ok(Exit::Done)
}

/// The code in what the server printed or an administrator sent: `http://.../setup#CODE`, or the code alone.
fn code_of(typed: &str) -> &str {
    typed.rsplit_once('#').map_or(typed, |(_, code)| code)
}

/// Writes the words down, or gives them back to be printed.
fn keep_words(words: &RecoveryKey, file: Option<&PathBuf>) -> Result<Option<Zeroizing<String>>, Failure> {
    let text = Zeroizing::new(words.words().join(" "));
    let Some(path) = file else { return Ok(Some(text)) };
    let line = Zeroizing::new(format!("{}\n", text.as_str()));
    state::create_private_file(path, line.as_bytes())?;
    Ok(None)
}

/// The words of an account that was not made open nothing; their file would be in the way of the next try.
fn forget_words(file: Option<&PathBuf>, failure: Failure) -> Failure {
    // After a broken connection the account may exist after all.
    let refused = !failure.retry && failure.code != "not-beckon";
    if let (Some(path), true) = (file, refused) {
        super::local_file::remove(path);
    }
    failure
}

fn text(signed_in: &SignedIn, words: Option<&String>) -> String {
    let next = "next: beckon join-code, then on each machine: beckon join URL CODE --root NAME=PATH";
    let Some(words) = words else {
        return format!("{}\n{next}", login::line(signed_in));
    };
    format!(
        "{}\nThese 24 words open the account if the password is lost. They are shown only now: write them down.\n\n{words}\n\n{next}",
        login::line(signed_in)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_address_is_taken_for_its_code() {
        assert_eq!(code_of("http://127.0.0.1:8440/setup#abcd-efgh"), "abcd-efgh");
        assert_eq!(code_of("https://b.example/invite#abcd-efgh"), "abcd-efgh");
        assert_eq!(code_of("abcd-efgh"), "abcd-efgh");
    }
}
