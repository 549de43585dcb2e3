//! `beckon admin ...`: accounts, invitations and the state of the server, for its administrators.

mod size;
mod stats;

use std::time::Duration;

use beckon_shared::{
    api::admin::{AccountRow, ChangeAccount, Invitation, InvitationView, NewInvitation},
    error::{ErrorCode, Refusal},
    id::InvitationId,
};
use reqwest::Method;
use serde::Serialize;

use super::{Here, span::span};
use crate::{
    http::Api,
    output::{Exit, Failure, Table, count, size as shown, time, visible},
};
use size::{Quota, quota};

/// What `admin` is told.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List all accounts
    Accounts,
    /// Make a link by which one person can sign up
    Invite(InviteArgs),
    /// List the invitations that can still be used
    Invitations,
    /// Withdraw an invitation
    Withdraw {
        /// Id of the invitation
        id: InvitationId,
    },
    /// Shut an account out at once; nothing of it is deleted
    Disable {
        /// Name of the account
        name: String,
    },
    /// Let an account in again
    Enable {
        /// Name of the account
        name: String,
    },
    /// Set how much an account may store
    Quota {
        /// Name of the account
        name: String,
        /// As 500MiB, 20GiB or none
        #[arg(value_parser = quota)]
        size: Quota,
    },
    /// Show how the server is
    Stats,
}

/// What `invite` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct InviteArgs {
    /// How long it counts, from 1h to 30d
    #[arg(long = "for", value_name = "TIME", default_value = "3d", value_parser = span)]
    lasts: Duration,
    /// Let the new account administer the server too
    #[arg(long)]
    admin: bool,
    /// How much the new account may store, as 500MiB, 20GiB or none
    #[arg(long, value_name = "SIZE", default_value = "none", value_parser = quota)]
    quota: Quota,
}

/// Does what an administrator asks.
pub(crate) async fn run(here: &Here, command: Command) -> Result<Exit, Failure> {
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    match command {
        Command::Accounts => accounts(here, &api).await?,
        Command::Invite(args) => invite(here, &api, &args, &controller.server.to_string()).await?,
        Command::Invitations => invitations(here, &api).await?,
        Command::Withdraw { id } => withdraw(here, &api, id).await?,
        Command::Disable { name } => change(here, &api, &name, &disabled(true)).await?,
        Command::Enable { name } => change(here, &api, &name, &disabled(false)).await?,
        Command::Quota { name, size } => change(here, &api, &name, &with_quota(size)).await?,
        Command::Stats => stats::show(here, &api).await?,
    }
    Ok(Exit::Done)
}

async fn accounts(here: &Here, api: &Api) -> Result<(), Failure> {
    let accounts: Vec<AccountRow> = api.get("/api/admin/accounts").await?;
    here.out.list(&accounts, || {
        let head = ["NAME", "STATE", "DEVICES", "ONLINE", "USED", "QUOTA", "LAST SEEN"];
        let mut table = Table::new(&head, &[2, 3, 4, 5]);
        for account in &accounts {
            table.row([
                visible(account.name.as_bytes()),
                state(account).to_owned(),
                account.devices.to_string(),
                account.online.to_string(),
                shown(account.used),
                limit(account.quota),
                account.last_seen.map_or_else(|| "never".to_owned(), time),
            ]);
        }
        table
    })
}

fn state(account: &AccountRow) -> &'static str {
    match (account.disabled, account.admin) {
        (true, _) => "disabled",
        (false, true) => "administrator",
        (false, false) => "user",
    }
}

fn limit(quota: Option<u64>) -> String {
    quota.map_or_else(|| "none".to_owned(), shown)
}

/// An invitation for programs.
#[derive(Debug, Serialize)]
struct Invited<'a> {
    #[serde(flatten)]
    invitation: &'a Invitation,
    link: String,
}

async fn invite(here: &Here, api: &Api, args: &InviteArgs, server: &str) -> Result<(), Failure> {
    let body = NewInvitation {
        hours: hours(args.lasts)?,
        admin: args.admin,
        quota: args.quota.0,
    };
    let invitation: Invitation = api.post("/api/admin/invitations", &body).await?;
    let invited = Invited {
        link: format!("{server}/invite#{}", invitation.code),
        invitation: &invitation,
    };
    here.out.one(&invited, || {
        format!(
            "{}\nOne person can sign up by it until {}. It is shown only now: send it over a channel that you trust.\n\
             On a command line: beckon sign-up {server} --setup {} --name NAME",
            invited.link,
            time(invitation.expires),
            invitation.code
        )
    })
}

/// Whole hours, rounded up.
fn hours(lasts: Duration) -> Result<u32, Failure> {
    let hours = u32::try_from(lasts.as_secs().div_ceil(3600)).ok();
    hours
        .filter(|hours| *hours <= 720)
        .ok_or_else(|| Failure::usage("an invitation counts at most 30 days; give --for 30d or less"))
}

async fn invitations(here: &Here, api: &Api) -> Result<(), Failure> {
    let open: Vec<InvitationView> = api.get("/api/admin/invitations").await?;
    here.out.list(&open, || {
        let mut table = Table::new(&["ID", "MADE", "LAPSES", "FOR", "QUOTA"], &[4]);
        for invitation in &open {
            let whom = if invitation.admin { "administrator" } else { "user" };
            table.row([
                invitation.id.to_string(),
                time(invitation.created),
                time(invitation.expires),
                whom.to_owned(),
                limit(invitation.quota),
            ]);
        }
        table
    })
}

async fn withdraw(here: &Here, api: &Api, id: InvitationId) -> Result<(), Failure> {
    api.delete(&format!("/api/admin/invitations/{id}")).await?;
    here.out.one(&serde_json::json!({ "id": id, "withdrawn": true }), || {
        "the invitation opens nothing any more".to_owned()
    })
}

fn disabled(disabled: bool) -> ChangeAccount {
    ChangeAccount {
        disabled: Some(disabled),
        ..ChangeAccount::default()
    }
}

fn with_quota(size: Quota) -> ChangeAccount {
    ChangeAccount {
        quota: Some(size.0),
        ..ChangeAccount::default()
    }
}

/// Changes an account, and shows how it stands then.
async fn change(here: &Here, api: &Api, name: &str, body: &ChangeAccount) -> Result<(), Failure> {
    let id = find(api, name).await?.id;
    api.tell(Method::PUT, &format!("/api/admin/accounts/{id}"), body)
        .await?;
    let account = find(api, name).await?;
    here.out.one(&account, || describe(&account))
}

async fn find(api: &Api, name: &str) -> Result<AccountRow, Failure> {
    let accounts: Vec<AccountRow> = api.get("/api/admin/accounts").await?;
    let wanted = name.to_lowercase();
    let found = accounts
        .into_iter()
        .find(|account| account.name.to_lowercase() == wanted);
    found.ok_or_else(|| {
        let name = visible(name.as_bytes());
        let advice = format!("there is no account {name}; see beckon admin accounts");
        Refusal::new(ErrorCode::NotFound, advice).into()
    })
}

fn describe(account: &AccountRow) -> String {
    let name = visible(account.name.as_bytes());
    if account.disabled {
        return format!("{name} is disabled: its connections are closed, and nobody signs in; nothing was deleted");
    }
    let devices = count(account.devices.into(), "device");
    match account.quota {
        Some(quota) => format!(
            "{name} may sign in ({devices}) and store {}; {} are used",
            shown(quota),
            shown(account.used)
        ),
        None => format!("{name} may sign in ({devices}) and store as much as there is room for"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_lasts_whole_hours_up_to_30_days() {
        let of = |text: &str| hours(span(text).unwrap()).ok();
        assert_eq!(
            [of("1s"), of("90m"), of("30d"), of("31d")],
            [Some(1), Some(2), Some(720), None]
        );
    }
}
