//! Folders, or several things at once, as a ZIP that is made while its content comes.

use std::rc::Rc;

use beckon_shared::{
    entry::{EntryKind, SourceStamp},
    error::{ErrorCode, Refusal},
    zip::{Entry, Kind, PathTooLong, Stream as Zip},
};
use futures_util::{Stream, StreamExt, future, stream};

use super::{
    Stop,
    file::{ANEW, file},
    leftover::{LeftOut, is_of_entry},
    piece::{AT_ONCE, Part, Piece, fetch, parts, pieces},
    sink::Sink,
    source::{Machine, Source},
    walk::{Found, Step, walk},
    window::Window,
};
use crate::{
    download::message::{Leftovers, Top},
    format,
    text::download as words,
};

/// Bytes on their way of a file that is begun anew; those of the files after it are here already. Bytes.
const WINDOW_ANEW: usize = 2 << 20;
/// Where a file begins that has no bytes.
const NO_PART: Part = Part { offset: 0, len: 0 };

/// Hands on an archive of these and of all below them. What cannot be read is left out, and told in it.
pub(super) async fn download<M: Machine>(source: &Source<M>, tops: &[Top], sink: &mut Sink) -> Result<Leftovers, Stop> {
    let mut ready = std::pin::pin!(ready(source, tops));
    let mut writer = Writer {
        source,
        sink,
        zip: Zip::default(),
        left: LeftOut::default(),
        current: None,
    };
    let alone = (tops.len() == 1).then(|| tops[0].entry.name.as_bytes());
    while let Some(ready) = ready.next().await {
        match ready? {
            // All of it cannot be read: that is no archive of nothing.
            Ready::Left(path, refusal) if alone == Some(&path) => return Err(refusal.into()),
            Ready::Left(path, refusal) => writer.left.note(&path, refusal),
            Ready::Entry(found) => writer.entry(&found).await?,
            Ready::Piece(found, part, piece) => writer.piece(found, part, piece).await?,
        }
    }
    writer.end().await
}

/// What stands next in the archive.
enum Ready {
    /// An entry that needs no bytes of the machine.
    Entry(Rc<Found>),
    /// Some bytes of a file.
    Piece(Rc<Found>, Part, Result<Piece, Refusal>),
    /// What is left out, and why.
    Left(Vec<u8>, Refusal),
}

/// In the order of the walk; pieces of many files are asked for at once.
fn ready<'a, M: Machine>(source: &'a Source<M>, tops: &[Top]) -> impl Stream<Item = Result<Ready, Refusal>> + 'a {
    let counted = walk(source, tops).inspect(|step| {
        if let Ok(Step::Found(found)) = step
            && found.entry.kind == EntryKind::File
        {
            source.tally.count(|figures| figures.total += found.entry.stamp.size);
        }
    });
    let last = stream::once(async {
        source.tally.count(|figures| figures.is_all = true);
        None
    });
    counted
        .map(Some)
        .chain(last)
        .filter_map(future::ready)
        .flat_map(|step| stream::iter(asked(step)))
        .map(|asked| async {
            match asked? {
                Asked::Ready(ready) => Ok(ready),
                Asked::Part(found, part) => {
                    let piece = fetch(source, &source.window, &found.place, found.entry.stamp, part).await;
                    Ok(Ready::Piece(found, part, piece))
                }
                Asked::Empty(found) => Ok(match is_empty_still(source, &found).await {
                    Ok(()) => Ready::Entry(found),
                    Err(refusal) => Ready::Piece(found, NO_PART, Err(refusal)),
                }),
            }
        })
        .buffered(AT_ONCE)
}

enum Asked {
    Ready(Ready),
    Part(Rc<Found>, Part),
    /// A file that was empty when it was listed.
    Empty(Rc<Found>),
}

/// Of a file that is empty there is nothing to fetch, by which a change would be noticed.
async fn is_empty_still<M: Machine>(source: &Source<M>, found: &Found) -> Result<(), Refusal> {
    let now = file(source.stat(&found.place).await?)?;
    if now.stamp == found.entry.stamp {
        Ok(())
    } else {
        Err(super::changing())
    }
}

fn asked(step: Result<Step, Refusal>) -> Box<dyn Iterator<Item = Result<Asked, Refusal>>> {
    let found = match step {
        Ok(Step::Found(found)) => Rc::new(found),
        Ok(Step::Left(path, refusal)) => {
            return Box::new(std::iter::once(Ok(Asked::Ready(Ready::Left(path, refusal)))));
        }
        Err(refusal) => return Box::new(std::iter::once(Err(refusal))),
    };
    match found.entry.kind {
        EntryKind::File if found.entry.stamp.size > 0 => {
            let parts = parts(found.entry.stamp.size);
            Box::new(parts.map(move |part| Ok(Asked::Part(Rc::clone(&found), part))))
        }
        EntryKind::File => Box::new(std::iter::once(Ok(Asked::Empty(found)))),
        EntryKind::Other => {
            let refusal = Refusal::new(ErrorCode::NotAFile, words::no_file());
            Box::new(std::iter::once(Ok(Asked::Ready(Ready::Left(
                found.path.clone(),
                refusal,
            )))))
        }
        _ => Box::new(std::iter::once(Ok(Asked::Ready(Ready::Entry(found))))),
    }
}

struct Writer<'a, M> {
    source: &'a Source<M>,
    sink: &'a mut Sink,
    zip: Zip,
    left: LeftOut,
    /// The file whose pieces come now.
    current: Option<(Rc<Found>, Fate)>,
}

/// What becomes of a file's further pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    /// They are of no use: the file was left out, or begun anew.
    Passed,
}

impl<M: Machine> Writer<'_, M> {
    async fn put(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        // Opened with its first bytes, so that what cannot be begun at all leaves nothing behind.
        self.sink.open(None).await?;
        Ok(self.sink.write(bytes).await?)
    }

    async fn entry(&mut self, found: &Found) -> Result<(), Stop> {
        let kind = match found.entry.kind {
            EntryKind::Folder => Kind::Folder,
            EntryKind::Symlink => Kind::Symlink(found.entry.target.clone().unwrap_or_default()),
            EntryKind::File | EntryKind::Other => return self.whole(found, found.entry.stamp, &[]).await,
        };
        let entry = Entry {
            path: found.path.clone(),
            kind,
            mode: 0,
            mtime: seconds(found.entry.stamp),
        };
        let header = self.zip.add(entry).map_err(too_long)?;
        self.put(&header).await
    }

    async fn piece(&mut self, found: Rc<Found>, part: Part, piece: Result<Piece, Refusal>) -> Result<(), Stop> {
        let fate = match &self.current {
            Some((current, fate)) if Rc::ptr_eq(current, &found) => *fate,
            _ => {
                let fate = self.begin(&found, part, &piece).await?;
                self.current = Some((Rc::clone(&found), fate));
                fate
            }
        };
        if fate == Fate::Passed {
            return Ok(());
        }
        let piece = piece.map_err(|refusal| cut_short(&found, refusal))?;
        self.content(&found, found.entry.stamp, part, &piece).await
    }

    /// Looks at the first piece of a file.
    async fn begin(&mut self, found: &Found, part: Part, piece: &Result<Piece, Refusal>) -> Result<Fate, Stop> {
        match piece {
            Ok(_) => Ok(Fate::Written),
            Err(refusal) if refusal.code == ErrorCode::Changing && part.offset == 0 => {
                self.anew(found).await?;
                Ok(Fate::Passed)
            }
            Err(refusal) if is_of_entry(refusal) => {
                self.leave_out(found, found.entry.stamp, refusal.clone());
                Ok(Fate::Passed)
            }
            Err(refusal) => Err(refusal.clone().into()),
        }
    }

    /// Reads a file that is not as it was listed, in the state that it has now.
    async fn anew(&mut self, found: &Found) -> Result<(), Stop> {
        let (source, window) = (self.source, Window::of(WINDOW_ANEW));
        let mut stamp = found.entry.stamp;
        let mut refused = super::changing();
        for _ in 0..ANEW {
            let now = match source.stat(&found.place).await.and_then(file) {
                Ok(entry) => entry.stamp,
                Err(refusal) if is_of_entry(&refusal) => {
                    refused = refusal;
                    break;
                }
                Err(refusal) => return Err(refusal.into()),
            };
            source
                .tally
                .count(|figures| figures.total = figures.total - stamp.size + now.size);
            stamp = now;
            let mut pieces = std::pin::pin!(pieces(source, &window, &found.place, stamp));
            let mut parts = parts(stamp.size);
            match pieces.next().await {
                None => return self.whole(found, stamp, &[]).await,
                Some(Err(refusal)) if refusal.code == ErrorCode::Changing => continue,
                Some(Err(refusal)) if is_of_entry(&refusal) => {
                    refused = refusal;
                    break;
                }
                Some(first) => {
                    let mut next = Some(first);
                    while let (Some(piece), Some(part)) = (next, parts.next()) {
                        let piece = piece.map_err(|refusal| cut_short(found, refusal))?;
                        self.content(found, stamp, part, &piece).await?;
                        next = pieces.next().await;
                    }
                    return Ok(());
                }
            }
        }
        self.leave_out(found, stamp, refused);
        Ok(())
    }

    fn leave_out(&mut self, found: &Found, stamp: SourceStamp, refusal: Refusal) {
        self.source.tally.count(|figures| figures.total -= stamp.size);
        self.left.note(&found.path, refusal);
    }

    /// Writes a piece, with what stands before the first and behind the last.
    async fn content(&mut self, found: &Found, stamp: SourceStamp, part: Part, piece: &Piece) -> Result<(), Stop> {
        let bytes = &piece.bytes;
        if bytes.len() as u64 == stamp.size {
            return self.whole(found, stamp, bytes).await;
        }
        if part.offset == 0 {
            let header = self.zip.open(found.path.clone(), 0, seconds(stamp), stamp.size);
            self.put(&header.map_err(too_long)?).await?;
        }
        self.zip.content(bytes);
        self.put(bytes).await?;
        self.count(bytes);
        if part.offset + bytes.len() as u64 == stamp.size {
            let behind = self.zip.close();
            self.put(&behind).await?;
        }
        Ok(())
    }

    async fn whole(&mut self, found: &Found, stamp: SourceStamp, bytes: &[u8]) -> Result<(), Stop> {
        let header = self.zip.whole(found.path.clone(), 0, seconds(stamp), bytes);
        self.put(&header.map_err(too_long)?).await?;
        self.put(bytes).await?;
        self.count(bytes);
        Ok(())
    }

    fn count(&self, bytes: &[u8]) {
        self.source.tally.count(|figures| figures.done += bytes.len() as u64);
    }

    async fn end(mut self) -> Result<Leftovers, Stop> {
        if let Some(text) = self.left.text() {
            let name = words::left_out_file().as_bytes().to_vec();
            let header = self
                .zip
                .whole(name, 0, crate::dom::now().0.div_euclid(1000), text.as_bytes());
            self.put(&header.map_err(too_long)?).await?;
            self.put(text.as_bytes()).await?;
        }
        for piece in std::mem::take(&mut self.zip).end() {
            self.put(&piece).await?;
        }
        Ok(self.left.leftovers())
    }
}

fn seconds(stamp: SourceStamp) -> i64 {
    stamp.mtime_ns.div_euclid(1_000_000_000)
}

/// A part of the file stands in the archive already, and cannot be taken back.
fn cut_short(found: &Found, refusal: Refusal) -> Refusal {
    match refusal.code {
        ErrorCode::Changing => {
            let name = format::name(&String::from_utf8_lossy(&found.path));
            Refusal::new(ErrorCode::Changing, words::changed_inside(&name))
        }
        _ => refusal,
    }
}

fn too_long(error: PathTooLong) -> Stop {
    Refusal::new(ErrorCode::TooLarge, error.to_string()).into()
}
