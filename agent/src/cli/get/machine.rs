//! `beckon get MACHINE:ROOT/PATH`: what a live machine holds comes here, verified, and nothing of it is stored on the server.

mod file;
mod growing;
mod lane;
mod report;
mod tree;
mod walk;
mod zip;

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use beckon_shared::{
    entry::{Entry, EntryKind},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    path::{Name, RootPath},
};
use futures_util::StreamExt;

use self::{
    file::Wanted,
    lane::{Counts, Lane, Machine},
};
use super::{
    Args,
    download::{Broken, Sink},
    local::{self, Fetched, Place},
    part::{Finish, Part, Sync},
    range::ByteRange,
};
use crate::{
    cli::{
        Here,
        control::{self, Control},
        place::{Live, LiveRef},
        word::word,
    },
    output::{Exit, Failure, size, visible},
};

/// How often a bar is moved on.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Fetches from a live machine.
pub(super) async fn run(here: &Here, args: &Args) -> Result<Exit, Failure> {
    if args.version.is_some() {
        return Err(Failure::usage(
            "--version is for the drive (MACHINE/ROOT/PATH); a machine has the newest version only",
        ));
    }
    let place = Live::parse(&args.place)?;
    if let Live::Machine(machine) = &place {
        let typed = word(machine.as_str());
        let advice = format!("name something on it: {machine}:ROOT/PATH; see: beckon ls {typed}");
        return Err(Failure::usage(advice));
    }
    let mut control = Control::open_even_alone(here, &here.controller()?, &place).await?;
    let machine = control.meant(&place)?;
    let reach = control.reach(machine).await?;
    let (place, root_name) = match place {
        Live::Inside { root, path, .. } => (
            LiveRef {
                device: machine.id,
                root: control::root_of(machine, &root)?,
                path,
            },
            root,
        ),
        Live::Ref(token) => {
            let name = control::root_name(machine, token.root)?;
            (token, name)
        }
        Live::Machine(_) => return Err(Failure::internal("a machine has no content")),
    };
    let bulk = reach.bulk();
    let download = Download {
        here,
        args,
        device: place.device,
        // A root's name can be the name of a file.
        name: match place.path.split_last() {
            Some((_, name)) => Some(name),
            None => Name::new(root_name.as_str()).ok(),
        },
        path: place.path,
        lane: Lane::new(bulk.clone(), place.root),
    };
    let done = tokio::select! {
        done = download.run() => done,
        never = download.show() => match never {},
        failure = control.listen() => Err(failure),
    };
    bulk.close();
    reach.close();
    control.close().await;
    done
}

/// Whether the rest would fail in the same way.
fn ends_all(failure: &Failure) -> bool {
    const ALL: [ErrorCode; 6] = [
        ErrorCode::Away,
        ErrorCode::GoingAway,
        ErrorCode::NotSignedIn,
        ErrorCode::Revoked,
        ErrorCode::NotAllowed,
        ErrorCode::BadVersion,
    ];
    failure.code == "unreachable" || ALL.into_iter().any(|code| failure.is(code))
}

/// What is fetched.
struct Download<'a, M> {
    here: &'a Here,
    args: &'a Args,
    device: DeviceId,
    path: RootPath,
    name: Option<Name>,
    lane: Lane<M>,
}

impl<M: Machine> Download<'_, M> {
    async fn run(&self) -> Result<Exit, Failure> {
        if self.path.is_root() {
            return self.folder().await;
        }
        let entry = self
            .lane
            .stat(&self.path)
            .await
            .map_err(|refusal| self.explain(refusal))?;
        match entry.kind {
            EntryKind::Folder => self.folder().await,
            _ if self.args.zip.is_some() => {
                let name = visible(entry.name.as_bytes());
                Err(Failure::usage(format!("{name} is no folder; fetch it without --zip")))
            }
            EntryKind::File => self.file(entry).await,
            EntryKind::Symlink => self.symlink(&entry),
            EntryKind::Other => Err(Refusal::new(
                ErrorCode::NotAFile,
                "it is a pipe, socket or device, which is never read; choose a file or folder",
            )
            .into()),
        }
    }

    /// Shows how much came.
    async fn show(&self) -> Infallible {
        let to_stdout = self
            .args
            .output
            .as_ref()
            .map_or(self.args.range.is_some(), |output| output.as_os_str() == "-");
        let bar = super::file::bar(self.here, to_stdout);
        loop {
            let Counts { verified, kept, .. } = self.lane.counts();
            bar.done(verified + kept);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What was typed may be wrong; a listing that goes out of date is the rarer cause.
    fn explain(&self, refusal: Refusal) -> Failure {
        match refusal.code {
            ErrorCode::NotFound => control::not_found(format!(
                "{} is not there; check the path, or list the folder above it: beckon ls",
                visible(self.path.as_bytes())
            )),
            _ => refusal.into(),
        }
    }

    async fn folder(&self) -> Result<Exit, Failure> {
        if self.args.range.is_some() {
            return Err(Failure::usage("--range is for files, this is a folder"));
        }
        if let Some(path) = &self.args.zip {
            let name = self.name.as_ref().map(Name::as_bytes).unwrap_or_default();
            return zip::get(self.here, &self.lane, (&self.path, name), path, self.args.clash()).await;
        }
        let output = self.args.output.as_deref();
        if output.is_some_and(|output| output.as_os_str() == "-") {
            return Err(Failure::usage(
                "a folder cannot go to standard output; give -o DIR, or --zip FILE",
            ));
        }
        let name = self.name.as_ref().and_then(local::os_name);
        let target = local::tree_target(output, name).ok_or_else(|| Failure::usage("name a folder with -o DIR"))?;
        tree::get(
            self.here,
            &self.lane,
            (self.device, &self.path),
            &target,
            self.args.clash(),
        )
        .await
    }

    fn place(&self) -> Result<Place, Failure> {
        let output = self.args.output.as_deref();
        let name = self.name.as_ref().and_then(local::os_name);
        Place::of(output, name).map_err(|error| Failure::file(output.unwrap_or(".".as_ref()), &error))
    }

    fn symlink(&self, entry: &Entry) -> Result<Exit, Failure> {
        let (place, target) = (self.place()?, entry.target.as_deref().unwrap_or_default());
        local::make_symlink(&place.folder, &place.name, target, self.args.clash())
            .map_err(|error| Failure::file(&place.path, &error))?;
        let result =
            serde_json::json!({ "path": place.path.to_string_lossy(), "target": String::from_utf8_lossy(target) });
        let shown = visible(place.path.as_os_str().as_encoded_bytes());
        self.here
            .out
            .one(&result, || format!("{shown} -> {}", visible(target)))?;
        Ok(Exit::Done)
    }

    async fn file(&self, entry: Entry) -> Result<Exit, Failure> {
        let (output, range) = (self.args.output.as_deref(), self.args.range);
        let to_stdout = output.map_or(range.is_some(), |output| output.as_os_str() == "-");
        let mode = walk::mode(&self.lane, &self.path, &entry).await?;
        let mut wanted = Wanted {
            device: self.device,
            path: self.path.clone(),
            stamp: entry.stamp,
            mode,
        };
        if to_stdout {
            let mut out = super::file::Stdout::default();
            self.copy(&wanted, range, &mut out)
                .await
                .map_err(super::file::written)?;
            return Ok(Exit::Done);
        }
        let place = self.place()?;
        let path = place.path.clone();
        let fetched = match range {
            Some(range) => self.range_to_place(&wanted, range, place).await,
            None => {
                let how = (Sync::Each, self.args.clash());
                file::fetch(&self.lane, &mut wanted, &Arc::new(place.folder), &place.name, how).await
            }
        };
        let fetched = fetched.map_err(|broken| super::file::failure(broken, &path))?;
        self.report(
            &path,
            range.map_or(Some(wanted.stamp.size), |range| range.len_of(wanted.stamp.size)),
            fetched,
        )
    }

    fn report(&self, path: &std::path::Path, bytes: Option<u64>, fetched: Fetched) -> Result<Exit, Failure> {
        let bytes = bytes.unwrap_or_default();
        let result = serde_json::json!({
            "path": path.to_string_lossy(), "size": bytes, "skipped": fetched == Fetched::Same,
            "came": self.lane.counts(),
        });
        self.here.out.one(&result, || {
            let path = visible(path.as_os_str().as_encoded_bytes());
            match fetched {
                Fetched::New => format!("{path}: {}", size(bytes)),
                Fetched::Same => format!("{path}: was there already, the same"),
            }
        })?;
        Ok(Exit::Done)
    }

    /// A range is too short a thing to go on with: it comes in one piece or not at all.
    async fn range_to_place(&self, wanted: &Wanted, range: ByteRange, place: Place) -> Result<Fetched, Broken> {
        local::may_take(&place.folder, &place.name, self.args.clash())?;
        let mut part = Part::open_range(Arc::new(place.folder), &place.name).await?;
        if let Err(broken) = self.copy(wanted, Some(range), &mut part).await {
            part.discard();
            return Err(broken);
        }
        let finish = Finish {
            mode: wanted.mode,
            mtime: None,
            sync: Sync::Each,
            clash: self.args.clash(),
        };
        part.finish(finish).await?;
        Ok(Fetched::New)
    }

    /// What went out cannot be taken back, so a file that changes meanwhile ends this.
    async fn copy(&self, wanted: &Wanted, range: Option<ByteRange>, sink: &mut impl Sink) -> Result<(), Broken> {
        let size = wanted.stamp.size;
        let bytes = match range {
            Some(range) => range.within(size).ok_or_else(|| {
                let advice = format!("the file has {size} bytes; choose a range inside it");
                Refusal::new(ErrorCode::BadRequest, advice)
            })?,
            None => 0..size,
        };
        let mut pieces = pin!(self.lane.pieces(&wanted.path, wanted.stamp, bytes));
        while let Some(piece) = pieces.next().await {
            sink.write(&piece.map_err(|refusal| file::at_rest(refusal.into()))?.bytes)
                .await?;
        }
        Ok(sink.pause().await?)
    }
}

#[cfg(test)]
mod tests;
