//! `beckon-server check`: whether all that the database counts on is really there, and whole.

mod rebuild;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};

use beckon_shared::{
    chunk::ChunkKey,
    id::{ChunkId, SpaceId, VersionId},
};
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::{
    clock::{Clock, SystemClock},
    store::{
        Error,
        blob::{Blobs, disk::DiskBlobs},
        meta::{
            Meta,
            check::{self, Indexed},
            chunk,
            collect::{self, PackFill},
        },
        pack,
        read::{content, is_gone},
    },
};

/// What is to be checked.
#[derive(Debug, Clone)]
pub(crate) struct CheckOptions {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// URL of the database.
    pub(crate) database: String,
    /// Whether every stored byte is read.
    pub(crate) read_data: bool,
    /// Whether the index is made anew out of the packs first. No server may run on the data meanwhile.
    pub(crate) rebuild_index: bool,
}

/// Checks the store and tells what it finds, a line each; true if all is well.
pub(crate) async fn check(options: CheckOptions, out: &mut (dyn Write + Send)) -> Result<bool, Error> {
    let meta = Meta::open(&options.database).await?;
    let subject = Subject {
        meta: meta.clone(),
        blobs: Arc::new(DiskBlobs::open(&options.data)?),
        clock: Arc::new(SystemClock),
    };
    let sound = examine(subject, &options, out).await?;
    meta.close().await?;
    Ok(sound)
}

/// What is checked.
pub(crate) struct Subject {
    /// The database.
    pub(crate) meta: Meta,
    /// The packs.
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Time and chance.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Checks what is open already, wherever it lies.
pub(crate) async fn examine(
    subject: Subject,
    options: &CheckOptions,
    out: &mut (dyn Write + Send),
) -> Result<bool, Error> {
    let Subject { meta, blobs, clock } = subject;
    let mut check = Check {
        meta,
        blobs,
        clock,
        out,
        bad: BadThings::default(),
    };
    if options.rebuild_index {
        check.rebuild_index().await?;
    }
    check.look_at_packs(options.read_data).await?;
    check.look_at_versions().await?;
    check.sum_up()
}

/// A check that is going on.
struct Check<'a> {
    meta: Meta,
    blobs: Arc<dyn Blobs>,
    clock: Arc<dyn Clock>,
    out: &'a mut (dyn Write + Send),
    bad: BadThings,
}

/// What was found.
#[derive(Debug, Default)]
struct BadThings {
    packs: usize,
    chunks: usize,
    bytes: u64,
    bad_packs: usize,
    /// Packs that could not be read to their end, for a cause that says nothing about them.
    unreadable: usize,
    bad_chunks: usize,
    bad_versions: BTreeSet<VersionId>,
    /// Chunks that were told of already.
    told: HashSet<(SpaceId, ChunkId)>,
}

impl Check<'_> {
    fn say(&mut self, line: std::fmt::Arguments<'_>) -> Result<(), Error> {
        Ok(writeln!(self.out, "{line}")?)
    }

    async fn look_at_packs(&mut self, read_data: bool) -> Result<(), Error> {
        let keys = Arc::new(check::keys(self.meta.read()).await?);
        for pack in collect::packs(self.meta.read()).await? {
            self.bad.packs += 1;
            self.bad.chunks += usize::try_from(pack.chunks).unwrap_or(usize::MAX);
            let damaged = self.damaged_in(&pack, read_data, &keys).await?;
            if !damaged.is_empty() {
                self.bad.bad_packs += 1;
            }
            for chunk in damaged {
                self.tell_of(&chunk).await?;
            }
        }
        Ok(())
    }

    async fn damaged_in(
        &mut self,
        pack: &PackFill,
        read_data: bool,
        keys: &Arc<HashMap<SpaceId, ChunkKey>>,
    ) -> Result<Vec<Indexed>, Error> {
        let (blobs, id, len) = (self.blobs.clone(), pack.id, pack.len);
        let chunks = check::chunks_of(self.meta.read(), pack.no).await?;
        if !read_data {
            let found = spawn_blocking(move || blobs.len(id)).await.map_err(io::Error::other)?;
            return match found {
                Ok(found) => Ok(chunks.into_iter().filter(|chunk| found < end_of(chunk)).collect()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(chunks),
                Err(error) => self.tell_unreadable(id, &error).map(|()| Vec::new()),
            };
        }
        self.bad.bytes += len;
        let keys = keys.clone();
        let read = spawn_blocking(move || read_pack(&*blobs, id, &keys, chunks))
            .await
            .map_err(io::Error::other)?;
        if let Some(error) = read.error {
            self.tell_unreadable(id, &error)?;
        }
        self.tell_sound(read.sound_again).await?;
        Ok(read.damaged)
    }

    fn tell_unreadable(&mut self, pack: pack::PackId, error: &io::Error) -> Result<(), Error> {
        self.bad.unreadable += 1;
        self.say(format_args!(
            "pack {pack} cannot be read ({error}); mend the cause, or restore the pack from a back-up, and check again"
        ))
    }

    /// Takes the mark off chunks that were once called damaged.
    async fn tell_sound(&mut self, chunks: Vec<Indexed>) -> Result<(), Error> {
        for chunk in &chunks {
            self.say(format_args!(
                "sound again: chunk {} in pack {}",
                chunk.place.header.id, chunk.place.pack
            ))?;
        }
        check::mark_sound(
            &self.meta,
            &chunks.iter().map(|chunk| chunk.place.no).collect::<Vec<_>>(),
        )
        .await
    }

    async fn tell_of(&mut self, chunk: &Indexed) -> Result<(), Error> {
        let place = &chunk.place;
        self.bad.bad_chunks += 1;
        self.bad.told.insert((chunk.space, place.header.id));
        self.say(format_args!("damaged chunk {} in pack {}", place.header.id, place.pack))?;
        for needing in check::needing(self.meta.read(), place.no).await? {
            self.bad.bad_versions.insert(needing.version);
            self.say(format_args!(
                "  needed by {} (version {})",
                needing.path, needing.version
            ))?;
        }
        chunk::mark_damaged(&self.meta, &*self.clock, place).await
    }

    /// Whether every chunk that a manifest names is indexed and not known to be damaged.
    async fn look_at_versions(&mut self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let versions = check::versions_after(self.meta.read(), after).await?;
            let Some(last) = versions.last() else { return Ok(()) };
            after = last.no;
            for version in versions {
                let ids = version.ids();
                let durable = chunk::durable(self.meta.read(), version.space, &ids).await?;
                let lost = ids.iter().filter(|id| !durable.contains_key(id));
                let untold: Vec<ChunkId> = lost
                    .filter(|id| !self.bad.told.contains(&(version.space, **id)))
                    .copied()
                    .collect();
                if untold.is_empty() {
                    continue;
                }
                self.bad.bad_versions.insert(version.version);
                let path = check::path_of(self.meta.read(), version.node).await?;
                for id in untold {
                    self.bad.bad_chunks += 1;
                    self.say(format_args!(
                        "missing chunk {id}\n  needed by {path} (version {})",
                        version.version
                    ))?;
                }
            }
        }
    }

    fn sum_up(&mut self) -> Result<bool, Error> {
        let BadThings {
            packs,
            chunks,
            bytes,
            bad_packs,
            unreadable,
            bad_chunks,
            ..
        } = self.bad;
        let versions = self.bad.bad_versions.len();
        let read = if bytes > 0 {
            format!(", {bytes} bytes read")
        } else {
            String::new()
        };
        if bad_chunks == 0 && unreadable > 0 {
            self.say(format_args!("not all of {packs} packs could be read{read}"))?;
            return Ok(false);
        }
        if bad_chunks == 0 {
            self.say(format_args!("sound: {packs} packs with {chunks} chunks{read}"))?;
            return Ok(true);
        }
        self.say(format_args!(
            "damaged: {bad_chunks} chunks, {bad_packs} of {packs} packs; {versions} versions cannot be read whole{read}"
        ))?;
        self.say(format_args!(
            "upload these files again from their machines: what is damaged is then replaced"
        ))?;
        Ok(false)
    }
}

fn end_of(chunk: &Indexed) -> u64 {
    chunk.place.start + u64::from(chunk.place.header.stored_len)
}

/// How the chunks of a pack are.
#[derive(Default)]
struct Read {
    damaged: Vec<Indexed>,
    /// Marked as damaged, and not.
    sound_again: Vec<Indexed>,
    /// Why the others could not be read, which says nothing about them.
    error: Option<io::Error>,
}

/// Reads a pack; where the disk does not give it whole, each of its chunks alone.
fn read_pack(blobs: &dyn Blobs, id: pack::PackId, keys: &HashMap<SpaceId, ChunkKey>, chunks: Vec<Indexed>) -> Read {
    let whole = blobs.len(id).and_then(|len| blobs.read(id, 0..len)).map(Bytes::from);
    let mut read = Read::default();
    for chunk in chunks {
        let start = chunk.place.start.saturating_sub(pack::RECORD_LEN as u64);
        let record = match &whole {
            Ok(pack) => Ok(slice(pack, start, end_of(&chunk))),
            Err(_) => blobs.read(id, start..end_of(&chunk)).map(Bytes::from),
        };
        match record {
            Ok(record) if is_sound(&record, keys, &chunk) => read.sound_again.extend(chunk.is_damaged.then_some(chunk)),
            Ok(_) => read.damaged.push(chunk),
            Err(error) if is_gone(&error) || is_bad_sector(&error) => read.damaged.push(chunk),
            Err(error) => {
                read.error = Some(error);
                return read;
            }
        }
    }
    read
}

/// Whether the disk itself says that it cannot give the bytes any more.
fn is_bad_sector(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// A part of a pack; empty where the pack is too short.
fn slice(pack: &Bytes, start: u64, end: u64) -> Bytes {
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= pack.len() => pack.slice(start..end),
        _ => Bytes::new(),
    }
}

/// Whether the record is what it was, and its content what its id says.
fn is_sound(record: &Bytes, keys: &HashMap<SpaceId, ChunkKey>, chunk: &Indexed) -> bool {
    let header = &chunk.place.header;
    if record.len() != pack::RECORD_LEN + header.stored_len as usize {
        return false;
    }
    let (head, stored) = (&record[..pack::RECORD_LEN], record.slice(pack::RECORD_LEN..));
    if *head != pack::record(chunk.space, header, &stored) {
        return false;
    }
    let content = content(stored, header.encoding, header.len);
    content.is_ok_and(|content| keys.get(&chunk.space).is_some_and(|key| key.id(&content) == header.id))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, fs::File};

    use crate::{config::Cli, serve};

    #[tokio::test]
    async fn a_check_beside_a_running_server_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let running = File::create(folder.path().join("lock")).unwrap();
        running.lock().unwrap();
        let args = [
            OsStr::new("beckon-server"),
            OsStr::new("--data"),
            folder.path().as_os_str(),
        ];
        let config = Cli::load(args.map(OsStr::to_owned)).unwrap().config;
        let refused = serve::check(&config, false, false, &mut Vec::new()).await.unwrap_err();
        assert!(refused.to_string().contains("another beckon-server runs"), "{refused}");
        running.unlock().unwrap();
        assert!(serve::check(&config, false, false, &mut Vec::new()).await.unwrap());
    }
}
