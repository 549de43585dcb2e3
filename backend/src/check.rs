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
        read::content,
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
    let blobs = DiskBlobs::open(&options.data)?;
    let meta = Meta::open(&options.database).await?;
    let mut check = Check { meta: meta.clone(), blobs: Arc::new(blobs), clock: Arc::new(SystemClock), out, bad: BadThings::default() };
    if options.rebuild_index {
        check.rebuild_index().await?;
    }
    check.look_at_packs(options.read_data).await?;
    check.look_at_versions().await?;
    let sound = check.sum_up()?;
    meta.close().await?;
    Ok(sound)
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

    async fn damaged_in(&mut self, pack: &PackFill, read_data: bool, keys: &Arc<HashMap<SpaceId, ChunkKey>>) -> Result<Vec<Indexed>, Error> {
        let (blobs, id, len) = (self.blobs.clone(), pack.id, pack.len);
        let chunks = check::chunks_of(self.meta.read(), pack.no).await?;
        if !read_data {
            let found = spawn_blocking(move || blobs.len(id)).await.map_err(io::Error::other)?;
            return Ok(match found {
                Ok(found) => chunks.into_iter().filter(|chunk| found < end_of(chunk)).collect(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => chunks,
                Err(error) => return Err(error.into()),
            });
        }
        self.bad.bytes += len;
        let keys = keys.clone();
        spawn_blocking(move || read_pack(&*blobs, id, &keys, chunks)).await.map_err(io::Error::other)?
    }

    async fn tell_of(&mut self, chunk: &Indexed) -> Result<(), Error> {
        let place = &chunk.place;
        self.bad.bad_chunks += 1;
        self.bad.told.insert((chunk.space, place.header.id));
        self.say(format_args!("damaged chunk {} in pack {}", place.header.id, place.pack))?;
        for needing in check::needing(self.meta.read(), place.no).await? {
            self.bad.bad_versions.insert(needing.version);
            self.say(format_args!("  needed by {} (version {})", needing.path, needing.version))?;
        }
        chunk::mark_damaged(&self.meta, &*self.clock, place.no).await
    }

    /// Whether every chunk that a manifest names is indexed and not known to be damaged.
    async fn look_at_versions(&mut self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let versions = check::versions_after(self.meta.read(), after).await?;
            let Some(last) = versions.last() else { return Ok(()) };
            after = last.no;
            for version in versions {
                let durable = chunk::durable(self.meta.read(), version.space, &version.chunks).await?;
                let lost = version.chunks.iter().filter(|id| !durable.contains_key(id));
                let untold: Vec<ChunkId> = lost.filter(|id| !self.bad.told.contains(&(version.space, **id))).copied().collect();
                if untold.is_empty() {
                    continue;
                }
                self.bad.bad_versions.insert(version.version);
                let path = check::path_of(self.meta.read(), version.node).await?;
                for id in untold {
                    self.bad.bad_chunks += 1;
                    self.say(format_args!("missing chunk {id}\n  needed by {path} (version {})", version.version))?;
                }
            }
        }
    }

    fn sum_up(&mut self) -> Result<bool, Error> {
        let BadThings { packs, chunks, bytes, bad_packs, bad_chunks, .. } = self.bad;
        let versions = self.bad.bad_versions.len();
        let read = if bytes > 0 { format!(", {bytes} bytes read") } else { String::new() };
        if bad_chunks == 0 {
            self.say(format_args!("sound: {packs} packs with {chunks} chunks{read}"))?;
            return Ok(true);
        }
        self.say(format_args!("damaged: {bad_chunks} chunks, {bad_packs} of {packs} packs; {versions} versions cannot be read whole{read}"))?;
        self.say(format_args!("upload these files again from their machines: what is damaged is then replaced"))?;
        Ok(false)
    }
}

fn end_of(chunk: &Indexed) -> u64 {
    chunk.place.start + u64::from(chunk.place.header.stored_len)
}

/// Reads a pack and returns what of it is damaged.
fn read_pack(blobs: &dyn Blobs, id: pack::PackId, keys: &HashMap<SpaceId, ChunkKey>, chunks: Vec<Indexed>) -> Result<Vec<Indexed>, Error> {
    let read = blobs.len(id).and_then(|len| blobs.read(id, 0..len));
    let bytes = match read {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => Bytes::new(),
        Err(error) => {
            // A sector that cannot be read is damage as well, and must not keep the other packs from being checked.
            tracing::warn!(%error, pack = %id, "a pack could not be read");
            Bytes::new()
        }
    };
    Ok(chunks.into_iter().filter(|chunk| !is_sound(&bytes, keys, chunk)).collect())
}

/// Whether the record is what it was, and its content what its id says.
fn is_sound(pack: &Bytes, keys: &HashMap<SpaceId, ChunkKey>, chunk: &Indexed) -> bool {
    let header = &chunk.place.header;
    let (Ok(start), Ok(end)) = (usize::try_from(chunk.place.start), usize::try_from(end_of(chunk))) else { return false };
    let Some(head) = start.checked_sub(pack::RECORD_LEN).and_then(|at| pack.get(at..start)) else { return false };
    if end > pack.len() || *head != pack::record(chunk.space, header, &pack[start..end]) {
        return false;
    }
    let content = content(pack.slice(start..end), header.encoding, header.len);
    content.is_ok_and(|content| keys.get(&chunk.space).is_some_and(|key| key.id(&content) == header.id))
}
