//! `beckon join`: this device becomes a machine of the account that made the code.

use beckon_shared::{
    api::join::{Join, Joined, OfferView},
    certificate::Chain,
    device::DeviceKind,
    error::{ErrorCode, Refusal},
    id::RootId,
    join::{BadOffer, JoinCode, JoinOffer},
    keys::DeviceKeys,
    path::Label,
    statement::Standing,
};

use super::{
    Here, account,
    root_list::{self, RootArg},
};
use crate::{
    clock, hello,
    http::Api,
    identity,
    lan::{Around, Network},
    origin::Origin,
    output::{Exit, Failure},
    password_prompt::{self, Source},
    state::Machine,
};

/// What `join` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of the server
    url: Origin,
    /// The code that a controller made; - reads it from standard input
    code: String,
    /// Name of this machine [default: the host's name]
    #[arg(long)]
    name: Option<Label>,
    /// A folder to open, as NAME=PATH, or NAME=PATH:rw to allow writing; may be given several times
    #[arg(long = "root", value_name = "NAME=PATH[:rw]")]
    roots: Vec<RootArg>,
    /// Do not let this machine be reached directly in the networks that it is in now; see: beckon lan
    #[arg(long)]
    no_lan: bool,
}

/// Proves the account by the code, pins its key, and has this machine's own keys accepted.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let code = read_code(&args.code)?;
    if let Some(name) = RootArg::name_given_twice(&args.roots) {
        return Err(Failure::usage(format!(
            "--root {name} is given twice; give each root a name of its own"
        )));
    }
    let known = here.state.machine()?;
    known
        .as_ref()
        .zip(args.name.as_ref())
        .map_or(Ok(()), |(known, name)| same_name(known, name))?;
    let (mut roots, mut closed) = known
        .as_ref()
        .map(|known| (known.roots.clone(), known.closed.clone()))
        .unwrap_or_default();
    let has_journal = known.as_ref().is_some_and(|known| known.has_journal);
    let mut lan = known.as_ref().map(|known| known.lan.clone()).unwrap_or_default();
    for root in args.roots {
        root_list::open(&here.state, &mut roots, &mut closed, root)?;
    }
    let api = Api::anonymous(&here.server(args.url.clone())?)?;
    let path = format!("/api/join/{}", code.lookup());
    let view: OfferView = api.get(&path).await?;
    let name = args.name.unwrap_or_else(hello::default_name);
    let redeeming = Redeeming {
        code,
        offer: view.offer.0,
        mac: view.mac.0,
        api,
        path,
        name,
    };
    let known = known.map(|known| same_account(known, &redeeming.offer)).transpose()?;
    let (keys, standing) = usable_keys(known);
    let Arrived { keys, chain, joined } = match redeeming.redeem(keys).await {
        // Revoked while its agent did not run: it has not heard the statement yet.
        Err(failure) if failure.is(ErrorCode::Revoked) => redeeming.redeem(identity::new_keys()).await?,
        result => result?,
    };
    let name = Label::new(joined.name.clone()).unwrap_or(redeeming.name);
    let account_key = redeeming.offer.account_key;
    let space = joined.space;
    let allowed = match args.no_lan {
        true => Vec::new(),
        false => Around::look().await.allow(&mut lan, None),
    };
    let machine = Machine {
        server: args.url,
        account_key,
        space,
        name,
        keys,
        chain,
        standing,
        roots,
        closed,
        has_journal,
        lan,
    };
    here.state.save_machine(&machine)?;
    report(here, &joined, &machine, &allowed)
}

/// A code that is about to be used.
struct Redeeming {
    code: JoinCode,
    offer: JoinOffer,
    mac: [u8; 32],
    api: Api,
    path: String,
    name: Label,
}

/// What became of it.
struct Arrived {
    keys: DeviceKeys,
    chain: Chain,
    joined: Joined,
}

impl Redeeming {
    /// Certifies the keys with the code, and has the server take them.
    async fn redeem(&self, keys: DeviceKeys) -> Result<Arrived, Failure> {
        let now = clock::now();
        let enrolment = self.code.check(&self.offer, &self.mac, now).map_err(bad_offer)?;
        let chain = self
            .code
            .certify(&self.offer, keys.public(), enrolment.role, now)
            .map_err(|cause| bad_offer(cause.into()))?;
        let request = Join {
            device: account::new_device(chain.clone(), self.name.clone(), DeviceKind::Agent),
        };
        let joined = self.api.post(&self.path, &request).await?;
        Ok(Arrived { keys, chain, joined })
    }
}

fn read_code(argument: &str) -> Result<JoinCode, Failure> {
    let typed = match argument {
        "-" => password_prompt::read(&Source::Stdin, "", "CODE")?,
        code => code.to_owned().into(),
    };
    JoinCode::parse(&typed).map_err(|cause| Failure::usage(cause.to_string()))
}

fn bad_offer(bad: BadOffer) -> Failure {
    let code = match bad {
        BadOffer::Expired => ErrorCode::CodeSpent,
        BadOffer::Mac | BadOffer::Certificate(_) => ErrorCode::NotAllowed,
    };
    Refusal::new(code, bad.to_string()).into()
}

/// A machine that joins again keeps its name; only one that was revoked comes as a new row of the control list.
fn same_name(known: &Machine, name: &Label) -> Result<(), Failure> {
    if known.name == *name || known.standing.is_revoked(&known.keys.id()) {
        return Ok(());
    }
    let known = &known.name;
    let advice = format!(
        "this device is the machine {known} already; leave --name out, and rename it with: beckon device rename {known} NAME"
    );
    Err(Refusal::new(ErrorCode::Conflict, advice).into())
}

/// What this device is already may only be renewed by its own account: roots opened to one are not given to another unasked.
fn same_account(known: Machine, offer: &JoinOffer) -> Result<Machine, Failure> {
    if known.account_key == offer.account_key {
        return Ok(known);
    }
    let advice = format!(
        "this device is the machine {} of another account already; give --state another folder to join this one as well",
        known.name
    );
    Err(Refusal::new(ErrorCode::Conflict, advice).into())
}

/// The keys that this machine had, so that it stays the same row of the control list; new ones if those were revoked.
fn usable_keys(known: Option<Machine>) -> (DeviceKeys, Standing) {
    match known {
        Some(known) if !known.standing.is_revoked(&known.keys.id()) => (known.keys, known.standing),
        Some(known) => (identity::new_keys(), known.standing),
        None => (identity::new_keys(), Standing::default()),
    }
}

fn report(here: &Here, joined: &Joined, machine: &Machine, allowed: &[Network]) -> Result<Exit, Failure> {
    let names: Vec<(&RootId, &Label)> = machine.roots.iter().map(|root| (&root.id, &root.name)).collect();
    let networks: Vec<String> = allowed.iter().map(|network| network.prefix.to_string()).collect();
    let result = serde_json::json!({
        "id": joined.device, "name": joined.name, "account": joined.account,
        "roots": names.iter().map(|(id, name)| serde_json::json!({ "id": id, "name": name })).collect::<Vec<_>>(),
        "lan": networks,
    });
    let lan = match (networks.is_empty(), machine.lan.on) {
        (false, true) => format!(
            "your devices in {} reach it directly; if that is not wanted: beckon lan deny here\n",
            networks.join(" and ")
        ),
        _ => String::new(),
    };
    let next = match machine.roots.as_slice() {
        [] => "next: beckon roots add NAME=PATH, then: beckon run",
        _ => "next: beckon run",
    };
    here.out
        .one(&result, || format!("joined as {}\n{lan}{next}", joined.name))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
