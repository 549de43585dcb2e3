//! One file of a machine, to a place on the disk.

use std::{
    ffi::OsStr,
    io::{self, Write},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use beckon_shared::{
    entry::{Entry, EntryKind, SourceStamp},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    path::RootPath,
};
use cap_std::fs::Dir;
use futures_util::StreamExt;

use super::{
    growing::{Growing, Source},
    lane::{Lane, Machine, PIECE, Piece},
};
use crate::{
    cli::get::{
        download::Broken,
        local::{self, Clash, Fetched, part_name},
        part::{Finish, Sync, blocking, give_name, open_temporary},
    },
    output::Failure,
};

/// How often a file that changes is begun anew.
const TRIES: u32 = 4;
/// Whoever changes it may be done after this.
const PAUSE: Duration = Duration::from_millis(200);

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self::Remote(Failure::from(refusal))
    }
}

/// A file of a machine, as it was listed.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The machine.
    pub(super) device: DeviceId,
    /// The file.
    pub(super) path: RootPath,
    /// Its state.
    pub(super) stamp: SourceStamp,
    /// Its permission bits, 0 for the default.
    pub(super) mode: u32,
}

impl Wanted {
    fn finish(&self, (sync, clash): (Sync, Clash)) -> Finish {
        Finish {
            mode: self.mode,
            mtime: Some(local::system_time_of_nanos(self.stamp.mtime_ns)),
            sync,
            clash,
        }
    }
}

/// Fetches a file into a folder, unless the same is there already; anew each time that it changes meanwhile, a few times.
/// Says how many bytes it has.
pub(super) async fn fetch<M: Machine>(
    lane: &Lane<M>,
    wanted: &mut Wanted,
    folder: &Arc<Dir>,
    name: &OsStr,
    (sync, clash): (Sync, Clash),
) -> Result<Fetched, Broken> {
    for _ in 1..TRIES {
        match once(lane, wanted, folder, name, (sync, clash)).await {
            Err(Broken::Remote(failure)) if failure.is(ErrorCode::Changing) => {}
            done => return done,
        }
        wanted.stamp = still(lane, &wanted.path).await?.stamp;
    }
    once(lane, wanted, folder, name, (sync, clash)).await.map_err(at_rest)
}

/// A file that changed, as it is after a short rest.
pub(super) async fn still<M: Machine>(lane: &Lane<M>, path: &RootPath) -> Result<Entry, Refusal> {
    tokio::time::sleep(PAUSE).await;
    let entry = lane.stat(path).await?;
    match entry.kind {
        EntryKind::File => Ok(entry),
        _ => Err(Refusal::new(
            ErrorCode::NotAFile,
            "it is no file any more; list the folder above it again",
        )),
    }
}

/// What to say of a file that never stood still.
pub(super) fn at_rest(broken: Broken) -> Broken {
    match broken {
        Broken::Remote(failure) if failure.is(ErrorCode::Changing) => Refusal::new(
            ErrorCode::Changing,
            "it changes while it is read; fetch it again when it is at rest",
        )
        .into(),
        broken => broken,
    }
}

async fn once<M: Machine>(
    lane: &Lane<M>,
    wanted: &Wanted,
    folder: &Arc<Dir>,
    name: &OsStr,
    (sync, clash): (Sync, Clash),
) -> Result<Fetched, Broken> {
    if is_there(folder, name, wanted.stamp) {
        return Ok(Fetched::Same);
    }
    local::may_take(folder, name, clash)?;
    if wanted.stamp.size <= PIECE.into() {
        small(lane, wanted, folder, name, (sync, clash)).await?;
    } else {
        large(lane, wanted, folder, name, (sync, clash)).await?;
    }
    Ok(Fetched::New)
}

/// Size and time to the nanosecond tell that it is the same, as an earlier run left it: a file gets its time last, when all
/// of it was verified.
fn is_there(folder: &Dir, name: &OsStr, stamp: SourceStamp) -> bool {
    let Ok(meta) = folder.symlink_metadata(name) else {
        return false;
    };
    let mtime = meta.modified().map(cap_std::time::SystemTime::into_std);
    meta.is_file()
        && meta.len() == stamp.size
        && mtime.is_ok_and(|mtime| mtime == local::system_time_of_nanos(stamp.mtime_ns))
}

async fn small<M: Machine>(
    lane: &Lane<M>,
    wanted: &Wanted,
    folder: &Arc<Dir>,
    name: &OsStr,
    how: (Sync, Clash),
) -> Result<(), Broken> {
    let len = u32::try_from(wanted.stamp.size).unwrap_or(PIECE);
    let Piece { bytes, room: _room, .. } = lane.piece(wanted.path.clone(), wanted.stamp, 0, len).await?;
    let (folder, name, finish) = (Arc::clone(folder), name.to_owned(), wanted.finish(how));
    blocking(move || {
        let temporary = part_name(&name);
        let mut file = open_temporary(&folder, &temporary)?;
        file.set_len(0)?;
        file.write_all(&bytes)?;
        give_name(&file, &folder, (&temporary, &name), finish)
    })
    .await
    .map_err(Broken::Local)
}

async fn large<M: Machine>(
    lane: &Lane<M>,
    wanted: &Wanted,
    folder: &Arc<Dir>,
    name: &OsStr,
    how: (Sync, Clash),
) -> Result<(), Broken> {
    let source = Source {
        device: wanted.device,
        root: lane.root(),
        path: wanted.path.clone(),
        stamp: wanted.stamp,
    };
    let (at, name) = (Arc::clone(folder), name.to_owned());
    let mut growing = blocking(move || Growing::open(at, &name, &source)).await?;
    lane.keep(growing.len());
    let mut pieces = pin!(lane.pieces(&wanted.path, wanted.stamp, growing.len()..wanted.stamp.size));
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => growing = written(growing, piece).await?,
            Err(refusal) => {
                if refusal.code == ErrorCode::Changing {
                    growing.discard();
                }
                return Err(refusal.into());
            }
        }
    }
    let finish = wanted.finish(how);
    blocking(move || growing.finish(finish)).await.map_err(Broken::Local)
}

/// The window is free for another piece once this one is with the system.
async fn written(mut growing: Growing, piece: Piece<'_>) -> io::Result<Growing> {
    let Piece {
        bytes,
        hash,
        room: _room,
    } = piece;
    blocking(move || {
        growing.write(&bytes, hash)?;
        Ok(growing)
    })
    .await
}
