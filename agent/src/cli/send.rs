//! `beckon send`: files of this very device come onto a machine, at a place that its owner opened for writing.
//!
//! A command that was broken off is taken up by the same command, as long as the files are the same: the transfer goes on,
//! and nothing that was durable is sent again.

mod cut;

use std::{collections::HashSet, ffi::OsString, path::PathBuf, pin::pin, time::Duration};

use beckon_shared::{
    chunk::ChunkKey,
    error::ErrorCode,
    id::{Hash, TransferId},
    order::{OrderBody, ReceiveOrder, SELECTION_MAX, what},
    path::{Name, RootPath},
    transfer::{Task, TransferView},
    wire::{self, Reply, Request},
};
use tokio::task::spawn_blocking;

use self::cut::{Cut, Group, cut};
use super::{
    Here,
    control::Control,
    order::{Draft, Spot},
    place::Live,
    put, transfer,
};
use crate::{
    connection::RequestError,
    http::Api,
    index::Index,
    output::{Bar, Exit, Failure, remark, size, visible},
    state::Controller,
    upload::{
        Tools,
        deliver::{Parcel, deliver},
    },
};

/// What was broken off can be taken up for so long; what came to the server so far is held meanwhile.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Ends the help.
const EXAMPLES: &str = "\
Examples:
  beckon send photo.jpg report/ desk:Inbox --wait
  beckon send plan.txt 'desk:Inbox/from me'

A command that was broken off goes on when it is given once more, for 7 days.";

/// What `send` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files and folders of this device; folders with all that is below them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder on the machine that they are to be in; made where it is not there
    #[arg(value_name = "MACHINE:ROOT/PATH")]
    place: OsString,
    /// Wait until the machine has written them
    #[arg(long)]
    wait: bool,
}

/// Reads the files, orders the machine to take them, and brings to the server what that misses.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let place = Live::parse(&args.place)?;
    if let Live::Machine(last) = &place {
        return Err(Failure::usage(format!(
            "the last word is where the files go, as in MACHINE:ROOT/FOLDER; {last} names no root"
        )));
    }
    let controller = here.controller()?;
    let groups = groups(here, &controller, &args.files)?;
    let api = here.api(&controller)?;
    let mut control = Control::open(here, &controller).await?;
    let to = Spot::find(&control, &place)?;
    to.must_be_writable()?;
    let key = chunk_key(&control, &controller).await?;
    let names: Vec<Name> = groups.iter().flat_map(|group| group.names.clone()).collect();
    let cut = tokio::select! {
        cut = read(groups, key.clone(), Bar::new(here.out)) => cut?,
        failure = control.listen() => return Err(failure),
    };
    let problems = cut.problems.len();
    for (path, refusal) in &cut.problems {
        let path = visible(path.as_bytes());
        remark(here.out, &format!("beckon: {path}: {}", refusal.message));
    }
    if cut.sent.is_empty() {
        return Err(nothing_read());
    }
    let sending = Sending {
        here,
        controller: &controller,
        to,
        names,
        list: list(&cut)?,
    };
    let placed = sending.place(&api, &mut control).await?;
    let latest = sending.bring(&api, &mut control, placed, key, cut.parcels).await?;
    let exit = transfer::tell(here, &mut control, latest, args.wait).await?;
    Ok(match exit {
        Exit::Done if problems > 0 => Exit::Partly,
        exit => exit,
    })
}

/// What was named, by the folder that it stands in. All of it comes into one folder, so no name is there twice.
fn groups(here: &Here, controller: &Controller, files: &[PathBuf]) -> Result<Vec<Group>, Failure> {
    let mut names = HashSet::new();
    let mut groups = Vec::new();
    for (folder, mut named) in put::grouped(files)? {
        named.sort_unstable();
        named.dedup();
        if let Some(twice) = named.iter().find(|name| !names.insert((*name).clone())) {
            return Err(Failure::usage(format!(
                "two of them are called {}; send one after the other, to different folders",
                visible(twice.as_bytes())
            )));
        }
        let root = put::root(here, controller, folder)?;
        put::check(&root, &named)?;
        groups.push(Group { root, names: named });
    }
    Ok(groups)
}

/// What ids of chunks are made with in this account's space.
async fn chunk_key(control: &Control<'_>, controller: &Controller) -> Result<ChunkKey, Failure> {
    let space = controller.space;
    match control.ask(Request::ChunkKey { space }).await {
        Ok(Reply::ChunkKey(key)) => Ok(key),
        Ok(_) => Err(Failure::internal("the server answered something else than was asked")),
        Err(RequestError::Refused(refusal)) => Err(refusal.into()),
        Err(RequestError::Lost) => Err(Failure::unreachable(controller.server.as_str(), "the connection broke")),
    }
}

async fn read(groups: Vec<Group>, key: ChunkKey, bar: Bar) -> Result<Cut, Failure> {
    spawn_blocking(move || cut(&groups, &key, &bar))
        .await
        .map_err(|_| Failure::internal("reading the files ended abnormally"))
}

/// The list that stands beside the order.
fn list(cut: &Cut) -> Result<Vec<u8>, Failure> {
    let list = wire::encode(&cut.sent);
    match list.len() > SELECTION_MAX {
        true => Err(Failure::usage(format!(
            "this is too much for one order, whose list of files has at most {}; send it in parts",
            size(SELECTION_MAX as u64)
        ))),
        false => Ok(list),
    }
}

fn nothing_read() -> Failure {
    Failure::local(
        "file",
        "nothing of this could be read, so nothing is sent; see the reasons above",
    )
}

/// What is sent, and where to.
struct Sending<'a> {
    here: &'a Here,
    controller: &'a Controller,
    to: Spot,
    /// The names that it has in that folder.
    names: Vec<Name>,
    list: Vec<u8>,
}

impl Sending<'_> {
    /// Places the order, or takes up the transfer that the same command left behind.
    async fn place(&self, api: &Api, control: &mut Control<'_>) -> Result<TransferView, Failure> {
        let digest = self.digest();
        let begun = self.here.state.puts()?;
        let is_left = |left: &&TransferView| {
            left.task == Task::Send && !left.state.is_over() && begun.0.get(&left.id) == Some(&digest)
        };
        if let Some(left) = control.transfers().into_iter().find(is_left) {
            return Ok(left.clone());
        }
        let draft = Draft {
            controller: self.controller,
            device: self.to.at.device,
            life: LIFE,
        };
        let body = OrderBody::Receive(ReceiveOrder {
            root: self.to.at.root,
            root_name: self.to.root_name.clone(),
            path: self.to.at.path.clone(),
            space: self.controller.space,
            files: Hash::of(&self.list),
        });
        let (what, beside) = (self.what(), Some(self.list.clone()));
        let placed = draft.place(api, control, body, what, beside).await?;
        self.here.state.update_puts(|begun| {
            let is_open = |id: &TransferId| control.transfer(*id).is_some_and(|known| !known.state.is_over());
            begun.0.retain(|id, _| is_open(id));
            begun.0.insert(placed.id, digest);
        })?;
        Ok(placed)
    }

    /// Tells apart what is sent where.
    fn digest(&self) -> Hash {
        let at = &self.to.at;
        Hash::of(&wire::encode(&(
            "send",
            at.device,
            at.root,
            &at.path,
            Hash::of(&self.list),
        )))
    }

    fn what(&self) -> String {
        let to = &self.to.at.path;
        let paths: Vec<RootPath> = self.names.iter().filter_map(|name| to.join(name).ok()).collect();
        what(&paths, self.names.len() as u64)
    }

    /// Brings to the server what that misses, unless the transfer is over before.
    async fn bring(
        &self,
        api: &Api,
        control: &mut Control<'_>,
        placed: TransferView,
        key: ChunkKey,
        parcels: Vec<Parcel>,
    ) -> Result<TransferView, Failure> {
        let server = self.here.server(self.controller.server.clone())?;
        let index = Index::in_memory(&self.here.state)?;
        let tools = Tools::new(control.link(), server.http()?, server.origin.clone(), index.clone());
        let (id, mut latest) = (placed.id, placed);
        let bar = Bar::new(self.here.out);
        bar.total(Some(content_of(&parcels)));
        bar.note(&format!("sending to {}", self.to.text()));
        let mut delivering = pin!(deliver(id, &tools, key, parcels, |bytes| bar.add(bytes)));
        while !latest.state.is_over() {
            tokio::select! {
                delivered = &mut delivering => {
                    let Err(refusal) = delivered else { break };
                    // Its end may be why nothing more is taken.
                    latest = transfer::read(api, id).await?;
                    if !latest.state.is_over() {
                        // The order names what the files held, and that is gone.
                        if refusal.code == ErrorCode::Changing {
                            transfer::give_up(api, id).await?;
                        }
                        return Err(refusal.into());
                    }
                }
                next = transfer::next(control, latest.clone()) => latest = next?,
            }
        }
        index.forget_transfer(id);
        Ok(latest)
    }
}

/// Bytes of the chunks, each counted once.
fn content_of(parcels: &[Parcel]) -> u64 {
    let chunks = parcels.iter().flat_map(|parcel| &parcel.chunks);
    let each: HashSet<_> = chunks.map(|chunk| (chunk.id, chunk.len)).collect();
    each.iter().map(|(_, len)| u64::from(*len)).sum()
}
