//! A folder of a machine as one ZIP file. It cannot be taken up later: nobody keeps the state that it was of.

use std::{collections::VecDeque, io, path::Path, pin::pin, sync::Arc};

use beckon_shared::{
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    path::RootPath,
    zip::{Entry, Kind, PathTooLong, Stream as Zip},
};
use futures_util::{
    FutureExt, StreamExt,
    future::{LocalBoxFuture, try_join},
    stream::{FuturesOrdered, FuturesUnordered},
};
use tokio::sync::mpsc;

use super::{
    file,
    lane::{Lane, Machine, Piece},
    report::Report,
    walk::{self, FOLDERS, Row, Walk},
};
use crate::{
    cli::{
        Here,
        get::{
            download::{Broken, Sink},
            file::failure,
            local::{self, Clash, Fetched, Place},
            part::{Finish, Leftover, Part, Sync},
        },
    },
    output::{Exit, Failure},
};

/// Files of at most this many bytes are asked for while earlier ones are written. All that are ahead fit the lane's window
/// twice, so that a large file in between is never kept from its turn.
const SMALL: u64 = 64 << 10;
/// So many of them are ahead.
const AHEAD: usize = 64;
/// All are kept until the end. A machine that makes up more entries than these is not followed.
const ENTRIES_MAX: u64 = 4_000_000;
/// Entries that were found and are not written yet.
const FOUND: usize = 1024;
/// How often a file that changes is begun anew.
const TRIES: u32 = 4;
/// A second. Nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// Fetches the folder at `from` into the ZIP file at `path`.
pub(super) async fn get<M: Machine>(
    here: &Here,
    lane: &Lane<M>,
    (from, name): (&RootPath, &[u8]),
    path: &Path,
    clash: Clash,
) -> Result<Exit, Failure> {
    let at = |error: io::Error| Failure::file(path, &error);
    let target = Place::of(Some(path), None).map_err(at)?;
    local::may_take(&target.folder, &target.name, clash).map_err(at)?;
    let part = Part::open(Arc::new(target.folder), &target.name, Leftover::Forget)
        .await
        .map_err(at)?;
    let mut archive = Archive {
        here,
        lane,
        from,
        name,
        zip: Zip::default(),
        part,
        report: Report::new(path),
    };
    let (sender, found) = mpsc::channel(FOUND);
    let walk = Walk::new(lane, ENTRIES_MAX);
    let all = try_join(find(&walk, from, sender), archive.write(found)).await;
    if let Err(broken) = all {
        archive.part.discard();
        return Err(failure(broken, path));
    }
    let (zip, report) = (std::mem::take(&mut archive.zip), archive.report);
    let finished = finish(zip, archive.part, clash).await;
    finished.map_err(|broken| failure(broken, path))?;
    report.print(here, lane.counts())
}

async fn finish(zip: Zip, mut part: Part, clash: Clash) -> Result<(), Broken> {
    for piece in zip.end() {
        part.write(&piece).await?;
    }
    let finish = Finish {
        mode: 0,
        mtime: None,
        sync: Sync::Each,
        clash,
    };
    Ok(part.finish(finish).await?)
}

/// What the walk found.
enum Found {
    Row(Row),
    /// A folder that cannot be read.
    Closed(RootPath, Refusal),
}

/// Finds all that lies below a folder, each folder before what is in it.
async fn find<M: Machine>(walk: &Walk<'_, M>, from: &RootPath, found: mpsc::Sender<Found>) -> Result<(), Broken> {
    let mut pending = vec![from.clone()];
    let mut reading = FuturesUnordered::new();
    loop {
        while reading.len() < FOLDERS
            && let Some(path) = pending.pop()
        {
            let found = &found;
            reading.push(async move { folder(walk, path, found).await }.boxed_local());
        }
        match reading.next().await {
            Some(Ok(inner)) => pending.extend(inner),
            Some(Err((path, refusal))) if path == *from || refusal.code == ErrorCode::Away => {
                return Err(refusal.into());
            }
            Some(Err((path, refusal))) => {
                // Whoever writes has ended, and says why.
                let _ = found.send(Found::Closed(path, refusal)).await;
            }
            None => return Ok(()),
        }
        if walk.is_too_much() {
            return Err(walk::too_much().into());
        }
    }
}

async fn folder<M: Machine>(
    walk: &Walk<'_, M>,
    path: RootPath,
    found: &mpsc::Sender<Found>,
) -> Result<Vec<RootPath>, (RootPath, Refusal)> {
    let mut inner = Vec::new();
    let mut listing = walk.listing(path.clone());
    while !walk.is_too_much()
        && let Some(rows) = listing.next().await
    {
        let rows = match rows {
            Ok(rows) => rows,
            Err(refusal) => return Err((path, refusal)),
        };
        for row in rows {
            if row.entry.kind == EntryKind::Folder {
                inner.push(row.path.clone());
            }
            if found.send(Found::Row(row)).await.is_err() {
                return Ok(inner);
            }
        }
    }
    Ok(inner)
}

/// An archive under way.
struct Archive<'a, M> {
    here: &'a Here,
    lane: &'a Lane<M>,
    from: &'a RootPath,
    name: &'a [u8],
    zip: Zip,
    part: Part,
    report: Report,
}

/// A row, with its content if that was asked for ahead.
struct Ready<'a> {
    row: Row,
    content: Option<Result<Piece<'a>, Refusal>>,
}

impl<'a, M: Machine> Archive<'a, M> {
    async fn write(&mut self, found: mpsc::Receiver<Found>) -> Result<(), Broken> {
        if !self.name.is_empty() {
            let top = self.zip.add(Entry {
                path: self.name.to_vec(),
                kind: Kind::Folder,
                mode: 0,
                mtime: 0,
            });
            self.part.write(&top.map_err(too_long)?).await?;
        }
        let mut queue = Queue {
            lane: self.lane,
            found: Some(found),
            asked: FuturesOrdered::new(),
            ready: VecDeque::new(),
        };
        while let Some(next) = queue.next().await {
            let (path, broken) = match next {
                Ok(ready) => {
                    let path = ready.row.path.clone();
                    match queue.meanwhile(self.row(ready)).await {
                        Ok(()) => continue,
                        Err(broken) => (path, broken),
                    }
                }
                Err((path, refusal)) => (path, refusal.into()),
            };
            self.problem(&path, broken)?;
        }
        Ok(())
    }

    async fn row(&mut self, Ready { row, content }: Ready<'a>) -> Result<(), Broken> {
        let entry = |path: Vec<u8>, kind: Kind| Entry {
            path,
            kind,
            mode: row.mode,
            mtime: row.entry.stamp.mtime_ns.div_euclid(SECOND),
        };
        let shown = self.shown(&row.path);
        let kind = match row.entry.kind {
            EntryKind::Other => {
                self.report.left_out += 1;
                return Ok(());
            }
            EntryKind::Folder => Kind::Folder,
            EntryKind::Symlink => Kind::Symlink(row.entry.target.clone().unwrap_or_default()),
            EntryKind::File => match content {
                Some(Ok(piece)) => {
                    let kind = Kind::File {
                        size: piece.bytes.len() as u64,
                        crc32: crc32fast::hash(&piece.bytes),
                        hash: piece.hash,
                    };
                    let header = self.zip.add(entry(shown, kind)).map_err(too_long)?;
                    self.part.write(&header).await?;
                    self.part.write(&piece.bytes).await?;
                    self.report.count(Fetched::New, piece.bytes.len() as u64);
                    return Ok(());
                }
                Some(Err(refusal)) if refusal.code != ErrorCode::Changing => return Err(refusal.into()),
                _ => return self.file(shown, row).await,
            },
        };
        let is_symlink = matches!(kind, Kind::Symlink(_));
        let header = self.zip.add(entry(shown, kind)).map_err(too_long)?;
        self.part.write(&header).await?;
        if is_symlink {
            self.report.count(Fetched::New, 0);
        }
        Ok(())
    }

    /// A file whose checksum is known only when it was read. One that changes meanwhile is taken out again.
    async fn file(&mut self, shown: Vec<u8>, mut row: Row) -> Result<(), Broken> {
        let start = self.part.len();
        for tries in 1.. {
            let broken = match self.content(shown.clone(), &row).await {
                Ok(()) => break,
                Err(broken) => broken,
            };
            self.zip.take_back();
            self.part.cut(start).await?;
            match broken {
                Broken::Remote(failure) if failure.is(ErrorCode::Changing) && tries < TRIES => {}
                broken => return Err(file::at_rest(broken)),
            }
            row.entry = file::still(self.lane, &row.path).await?;
        }
        self.report.count(Fetched::New, row.entry.stamp.size);
        Ok(())
    }

    async fn content(&mut self, shown: Vec<u8>, row: &Row) -> Result<(), Broken> {
        let stamp = row.entry.stamp;
        let header = self
            .zip
            .open(shown, row.mode, stamp.mtime_ns.div_euclid(SECOND), stamp.size)
            .map_err(too_long)?;
        self.part.write(&header).await?;
        let mut pieces = pin!(self.lane.pieces(&row.path, stamp, 0..stamp.size));
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            self.zip.content(&piece.bytes);
            self.part.write(&piece.bytes).await?;
        }
        let descriptor = self.zip.close();
        Ok(self.part.write(&descriptor).await?)
    }

    /// Below the folder's own name.
    fn shown(&self, path: &RootPath) -> Vec<u8> {
        let rest = path.as_bytes().get(self.from.as_bytes().len()..).unwrap_or_default();
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        match self.name {
            b"" => rest.to_vec(),
            name => [name, b"/", rest].concat(),
        }
    }

    /// Names what is left out; ends everything where the rest would fail in the same way.
    fn problem(&mut self, path: &RootPath, broken: Broken) -> Result<(), Broken> {
        match broken {
            Broken::Remote(failure) if !super::ends_all(&failure) => {
                self.report.problem(self.here, path, failure);
                Ok(())
            }
            broken => Err(broken),
        }
    }
}

/// A folder that cannot be read has nothing to write.
type Next<'a> = Result<Ready<'a>, (RootPath, Refusal)>;

/// What was found, in order, with the content of small files asked for ahead.
struct Queue<'a, M> {
    lane: &'a Lane<M>,
    /// Until its end.
    found: Option<mpsc::Receiver<Found>>,
    asked: FuturesOrdered<LocalBoxFuture<'a, Next<'a>>>,
    ready: VecDeque<Next<'a>>,
}

impl<'a, M: Machine> Queue<'a, M> {
    async fn next(&mut self) -> Option<Next<'a>> {
        loop {
            self.fill();
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            let Some(found) = &mut self.found else {
                return self.asked.next().await;
            };
            tokio::select! {
                Some(next) = self.asked.next() => return Some(next),
                found = found.recv(), if self.asked.len() < AHEAD => match found {
                    Some(found) => self.asked.push_back(ahead(self.lane, found).boxed_local()),
                    None => self.found = None,
                },
            }
        }
    }

    /// Asks for what was found by now, as far as there is room.
    fn fill(&mut self) {
        while self.asked.len() + self.ready.len() < AHEAD
            && let Some(found) = self.found.as_mut().and_then(|found| found.try_recv().ok())
        {
            self.asked.push_back(ahead(self.lane, found).boxed_local());
        }
    }

    /// Goes on with what is asked for while other work is done: an ask that stood still would keep its turn on the line from
    /// the asks of that work.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(next) = self.asked.next() => self.ready.push_back(next),
            }
        }
    }
}

async fn ahead<M: Machine>(lane: &Lane<M>, found: Found) -> Next<'_> {
    match found {
        Found::Row(row) => Ok(with_content(lane, row).await),
        Found::Closed(path, refusal) => Err((path, refusal)),
    }
}

async fn with_content<M: Machine>(lane: &Lane<M>, row: Row) -> Ready<'_> {
    let content = match (row.entry.kind, u32::try_from(row.entry.stamp.size)) {
        (EntryKind::File, Ok(size)) if u64::from(size) <= SMALL => {
            Some(lane.piece(row.path.clone(), row.entry.stamp, 0, size).await)
        }
        _ => None,
    };
    Ready { row, content }
}

fn too_long(bad: PathTooLong) -> Broken {
    Refusal::new(ErrorCode::TooLarge, bad.to_string()).into()
}
