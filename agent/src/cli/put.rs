//! `beckon put`: stores files of this very device below `Files`, without making it a machine.
//!
//! The command orders the upload of itself and carries it out. A command that was broken off is taken up by the same
//! command: the transfer goes on, and nothing that was durable is sent again.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{Hash, RootId, TransferId},
    order::Selection,
    path::{Label, Name, RootPath},
    transfer::{Hold, TransferView},
    wire::{self, Request},
};
use tokio_util::sync::CancellationToken;

use super::{
    Here,
    control::{Control, News},
    place::DrivePlace,
    transfer::{self, Shown, newest},
    upload::{Draft, report},
};
use crate::{
    connection::Link,
    http::Api,
    identity::copy_keys,
    index::Index,
    output::{Exit, Failure},
    root::{Root, key_folders},
    state::{self, Controller, RootConfig},
    upload::{self as uploading, IfMissing, Job, Outcome, Tools},
};

/// The folder of the drive for what people put in by hand.
const FILES: &str = "Files";

/// What was broken off can be taken up for so long; what it stored so far is held meanwhile.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What `put` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and folders of this device; folders with all that is below them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder of the drive to put them into; made where it is not there
    #[arg(long, value_name = "Files/FOLDER", default_value = FILES)]
    to: OsString,
}

/// Puts everything in, one folder of this device after the other.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let below = destination(&args.to)?;
    let groups = grouped(&args.files)?;
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let server = here.server(controller.server.clone())?;
    let mut control = Control::open(here, &controller).await?;
    let index = Index::in_memory(&here.state)?;
    let tools = Tools::new(control.link(), server.http()?, server.origin.clone(), index.clone());
    let mut transfers = Vec::new();
    for (folder, names) in groups {
        let put = Put {
            here,
            controller: &controller,
            tools: &tools,
            digest: digest(&folder, &names, &below),
            root: root(here, &controller, folder)?,
            names,
            below: &below,
        };
        check(&put.root, &put.names)?;
        let placed = put.place(&api, &mut control).await?;
        let ended = put.carry_out(&mut control, placed).await?;
        index.forget_transfer(ended.id);
        transfers.push(ended);
    }
    control.close().await;
    report(here, &control, &transfers, true)
}

/// The path below `Files`.
fn destination(to: &OsStr) -> Result<RootPath, Failure> {
    let usage = || Failure::usage("people put files into Files and the folders below it; write --to Files/FOLDER");
    let DrivePlace::Path(path) = DrivePlace::parse(to)? else {
        return Err(usage());
    };
    let rest = path.as_bytes().strip_prefix(FILES.as_bytes()).ok_or_else(usage)?;
    match rest {
        [] => Ok(RootPath::root()),
        [b'/', below @ ..] => RootPath::new(below).map_err(|_| usage()),
        _ => Err(usage()),
    }
}

/// What was named, by the folder that it stands in.
pub(super) fn grouped(files: &[PathBuf]) -> Result<BTreeMap<PathBuf, Vec<Name>>, Failure> {
    let mut groups: BTreeMap<PathBuf, Vec<Name>> = BTreeMap::new();
    for file in files {
        let (folder, name) = state::located(file)?;
        let name = Name::new(name.as_encoded_bytes()).map_err(|bad| Failure::usage(bad.to_string()))?;
        groups.entry(folder).or_default().push(name);
    }
    Ok(groups)
}

/// Tells apart which files of this device are put where.
fn digest(folder: &Path, names: &[Name], below: &RootPath) -> Hash {
    let mut names: Vec<&[u8]> = names.iter().map(Name::as_bytes).collect();
    names.sort_unstable();
    let said = (folder.as_os_str().as_encoded_bytes(), names, below.as_bytes());
    Hash::of(&wire::encode(&said))
}

/// That folder, as if it were a root of this device.
pub(super) fn root(here: &Here, controller: &Controller, folder: PathBuf) -> Result<Arc<Root>, Failure> {
    let config = RootConfig {
        id: RootId::of_files(&controller.keys.id()),
        name: files_label()?,
        path: folder,
        writable: false,
        ignore: String::new(),
    };
    Ok(Arc::new(Root::new(&config).without(key_folders(&here.state)?)))
}

fn files_label() -> Result<Label, Failure> {
    Label::new(FILES).map_err(|bad| Failure::internal(&bad.to_string()))
}

/// Whether everything is there, so that a typing error is told before anything is ordered.
pub(super) fn check(root: &Root, names: &[Name]) -> Result<(), Failure> {
    let folder = root.folder(&RootPath::root())?;
    for name in names {
        folder.stat(name).map_err(|refusal| {
            let name = crate::output::visible(name.as_bytes());
            let why = match refusal.code {
                ErrorCode::NotFound => "it is not there; check the path".to_owned(),
                _ => refusal.message,
            };
            Refusal::new(refusal.code, format!("{name}: {why}"))
        })?;
    }
    Ok(())
}

/// What is put in out of one folder.
struct Put<'a> {
    here: &'a Here,
    controller: &'a Controller,
    tools: &'a Tools,
    digest: Hash,
    root: Arc<Root>,
    names: Vec<Name>,
    below: &'a RootPath,
}

impl Put<'_> {
    /// Places the order, or takes up the transfer that the same command left behind.
    async fn place(&self, api: &Api, control: &mut Control<'_>) -> Result<TransferView, Failure> {
        let paths = self.names.iter().map(|name| self.below.join(name));
        let paths: Vec<RootPath> = paths
            .collect::<Result<_, _>>()
            .map_err(|bad| Failure::usage(bad.to_string()))?;
        let device = self.controller.keys.id();
        let puts = self.here.state.puts()?;
        let is_left = |left: &&TransferView| {
            left.device == device
                && !left.state.is_over()
                && left.hold == Hold::Question
                && puts.0.get(&left.id) == Some(&self.digest)
        };
        if let Some(left) = control.transfers().into_iter().find(is_left) {
            return Ok(left.clone());
        }
        let draft = Draft {
            controller: self.controller,
            device,
            root: self.root.id,
            root_name: self.root.name.clone(),
            life: LIFE,
        };
        let placed = draft.place(api, control, paths).await?;
        self.here.state.update_puts(|puts| {
            let is_open = |id: &TransferId| control.transfer(*id).is_some_and(|known| !known.state.is_over());
            puts.0.retain(|id, _| is_open(id));
            puts.0.insert(placed.id, self.digest);
        })?;
        Ok(placed)
    }

    /// Uploads until the transfer is over, whoever pauses and resumes it meanwhile.
    async fn carry_out(&self, control: &mut Control<'_>, placed: TransferView) -> Result<TransferView, Failure> {
        let shown = Shown::new(self.here.out);
        let mut latest = placed;
        while !latest.state.is_over() {
            if latest.hold == Hold::User {
                shown.show(&latest);
                latest = news(control, latest).await?;
                continue;
            }
            let job = self.job(latest.id)?;
            let (cancel, pause) = (job.cancel.clone(), job.pause.clone());
            let mut working = pin!(work(job, self.tools, control.link()));
            let is_told = loop {
                tokio::select! {
                    is_told = &mut working => break is_told?,
                    next = news(control, latest.clone()) => latest = next?,
                }
                shown.show(&latest);
                if latest.state.is_over() {
                    cancel.cancel();
                } else if latest.hold == Hold::User {
                    pause.cancel();
                }
            };
            while is_told && !latest.state.is_over() {
                latest = news(control, latest).await?;
            }
        }
        Ok(latest)
    }

    fn job(&self, transfer: TransferId) -> Result<Job, Failure> {
        let top = RootPath::root();
        let names = self.names.iter().map(|name| top.join(name));
        let names = names.collect::<Result<_, _>>();
        Ok(Job {
            transfer,
            root: Arc::clone(&self.root),
            space: self.controller.space,
            selection: Selection::Inline(names.map_err(|bad| Failure::usage(bad.to_string()))?),
            beside: None,
            below: self.below.clone(),
            device: self.controller.keys.id(),
            keys: Arc::new(copy_keys(&self.controller.keys)),
            cancel: CancellationToken::new(),
            pause: CancellationToken::new(),
            if_missing: IfMissing::GoOn,
        })
    }
}

/// Uploads, and tells the server how it ended; false if it was stopped.
async fn work(job: Job, tools: &Tools, link: Link) -> Result<bool, Refusal> {
    let transfer = job.transfer;
    let Outcome::Ended { state, progress, error } = uploading::run(job, tools).await else {
        return Ok(false);
    };
    let ended = Request::EndTransfer {
        transfer,
        state,
        progress,
        error,
    };
    link.request(ended).await.map(|_| true)
}

/// How the transfer stands after the next change of anything.
async fn news(control: &mut Control<'_>, latest: TransferView) -> Result<TransferView, Failure> {
    let news = control.next().await?;
    let known = control.transfer(latest.id);
    if news != News::Again {
        return Ok(newest(known, latest));
    }
    let known = known.ok_or_else(transfer::unknown)?.clone();
    if known.hold == Hold::Question {
        // The server saw this terminal go, and is to know that it is here again. If this breaks too, the next time tells.
        let transfer = known.id;
        let _ = control.ask(Request::BeginTransfer { transfer }).await;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_into_files_and_nowhere_else() {
        let below = |text: &str| destination(OsStr::new(text)).map(|path| path.display()).ok();
        assert_eq!(below("Files").as_deref(), Some(""));
        assert_eq!(below("Files/").as_deref(), Some(""));
        assert_eq!(below("/Files/a/b c/").as_deref(), Some("a/b c"));
        for elsewhere in ["", "desk/Documents", "Filesystem", "Files:a", "node:1234"] {
            assert_eq!(below(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn only_the_same_files_of_the_same_folder_to_the_same_place_are_taken_up() {
        let names = |texts: &[&str]| -> Vec<Name> { texts.iter().map(|text| Name::new(*text).unwrap()).collect() };
        let of = |folder: &str, texts: &[&str], below: &str| {
            digest(Path::new(folder), &names(texts), &RootPath::new(below).unwrap())
        };
        let one = of("/a", &["x", "y"], "");
        assert_eq!(of("/a", &["y", "x"], ""), one);
        for other in [
            of("/b", &["x", "y"], ""),
            of("/a", &["x", "z"], ""),
            of("/a", &["xy"], ""),
            of("/a", &["x", "y"], "x"),
        ] {
            assert_ne!(other, one);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test prepares its files")]
    fn what_stands_in_one_folder_is_one_upload() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().canonicalize().unwrap();
        std::fs::create_dir(full.join("sub")).unwrap();
        let named = [
            full.join("a"),
            full.join("sub"),
            full.join("sub/b"),
            full.join("sub/.."),
        ];
        let groups = grouped(&named).unwrap();
        let names = |folder: PathBuf| -> Vec<String> { groups[&folder].iter().map(Name::display).collect() };
        assert_eq!(names(full.clone()), ["a", "sub"]);
        assert_eq!(names(full.join("sub")), ["b"]);
        assert_eq!(names(full.parent().unwrap().to_owned()).len(), 1);
        assert!(grouped(&[full.join("absent/x")]).is_err());
    }
}
