//! What the server keeps: packs of chunks, and the database that says what they mean.
//!
//! Data before metadata, always: a chunk is durable once its pack is synced and then its index row is committed.

pub(crate) mod blob;
pub(crate) mod commit;
pub(crate) mod error;
pub(crate) mod meta;
pub(crate) mod pack;
pub(crate) mod read;
pub(crate) mod room;
pub(crate) mod sabotage;
pub(crate) mod writer;

use std::{collections::HashSet, io, path::PathBuf, sync::Arc};

use beckon_shared::{
    api::drive::Contents,
    bulk::{Bitmap, CommitReply, CommitUpload},
    chunk::ChunkKey,
    commit::ChainHead,
    id::{AccountId, ChunkId, DeviceId, RootId, SpaceId, TransferId, VersionId},
    path::{Label, Name},
    signature::PublicKey,
};
use tokio::{sync::broadcast, task::spawn_blocking};

pub(crate) use self::error::Error;
use self::{
    blob::{Blobs, disk::DiskBlobs},
    meta::{Meta, commit::Outcome, space::Fill},
    room::{Arriving, Limit},
    writer::{Batch, Parts, Writer},
};
use crate::{
    access::{GrantedSpace, TransferAccess},
    clock::Clock,
    fault,
};

/// Changes of drives that may wait for a slow listener before it has to read everything anew.
const CHANGES_KEPT: usize = 256;

/// Where the store is, and what it lives by.
#[derive(Clone)]
pub(crate) struct StoreOptions {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// URL of the database.
    pub(crate) database: String,
    /// Bytes of the disk that stay free.
    pub(crate) reserve: u64,
    /// Time and chance.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The store; clones share it.
#[derive(Clone)]
pub(crate) struct Store {
    /// The database.
    pub(crate) meta: Meta,
    /// Time and chance.
    pub(crate) clock: Arc<dyn Clock>,
    /// The packs.
    pub(crate) blobs: Arc<dyn Blobs>,
    /// Bytes of the disk that stay free.
    pub(crate) reserve: u64,
    writer: Writer,
    arriving: Arriving,
    changes: broadcast::Sender<DriveChange>,
}

/// Says that a space changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DriveChange {
    /// Who is to be told.
    pub(crate) account: AccountId,
    /// The space.
    pub(crate) space: SpaceId,
    /// Grows with every change.
    pub(crate) revision: u64,
}

/// An upload that begins.
#[derive(Debug, Clone)]
pub(crate) struct UploadStart {
    /// Where it goes.
    pub(crate) space: GrantedSpace,
    /// The machine.
    pub(crate) device: DeviceId,
    /// The machine's name, for its folder.
    pub(crate) machine: Label,
    /// The root.
    pub(crate) root: RootId,
    /// The root's name, for its folder.
    pub(crate) root_name: Label,
}

/// What a machine needs to know to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadBegun {
    /// For the chunk ids of the space.
    pub(crate) chunk_key: ChunkKey,
    /// The root's newest commit.
    pub(crate) head: ChainHead,
    /// Changes whenever the drive's side changed other than by the root's commits.
    pub(crate) epoch: u64,
}

impl Store {
    /// Opens the store, and makes it where there is none.
    pub(crate) async fn open(options: StoreOptions) -> Result<Self, Error> {
        let data = options.data.clone();
        let blobs = spawn_blocking(move || {
            let blobs = DiskBlobs::open(&data)?;
            blobs.sweep()?;
            Ok::<_, io::Error>(blobs)
        });
        let blobs = blobs.await.map_err(io::Error::other)??;
        let meta = Meta::open(&options.database).await?;
        Self::over(Parts {
            blobs: Arc::new(blobs),
            meta,
            clock: options.clock,
            reserve: options.reserve,
            pack_len: pack::TARGET,
        })
    }

    /// A store over parts that are open already.
    pub(crate) fn over(parts: Parts) -> Result<Self, Error> {
        let writer = Writer::start(parts.clone())?;
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        let Parts {
            blobs,
            meta,
            clock,
            reserve,
            ..
        } = parts;
        Ok(Self {
            meta,
            clock,
            blobs,
            reserve,
            writer,
            arriving: Arriving::default(),
            changes,
        })
    }

    /// Stores what is queued, then ends the database.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.writer.close().await;
        self.meta.close().await
    }

    /// Whether the disk did what it was told the last time.
    pub(crate) fn is_healthy(&self) -> bool {
        self.writer.is_healthy()
    }

    /// Hears of every change of every drive from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<DriveChange> {
        self.changes.subscribe()
    }

    /// Tells those who listen that a space changed; call it after the change is committed.
    pub(crate) fn changed(&self, space: &GrantedSpace, revision: u64) {
        let change = DriveChange {
            account: space.account(),
            space: space.id(),
            revision,
        };
        // Nobody may be listening.
        let _ = self.changes.send(change);
    }

    /// Makes the folders of a machine's root and tells what the machine needs to know.
    pub(crate) async fn begin_upload(&self, start: UploadStart) -> Result<UploadBegun, Error> {
        start.space.writable()?;
        let txn = self.meta.write().await?;
        let place = meta::source::Place {
            space: &start.space,
            device: start.device,
            machine: folder_name(&start.machine)?,
            root: start.root,
            root_name: folder_name(&start.root_name)?,
        };
        let source = meta::source::ensure(&txn, &*self.clock, &place).await?;
        let chunk_key = meta::space::chunk_key(&txn, &start.space).await?;
        txn.commit().await?;
        Ok(UploadBegun {
            chunk_key,
            head: meta::source::head(&source)?,
            epoch: source.epoch.cast_unsigned(),
        })
    }

    /// Which of these chunks are missing; those that are not are pinned for the transfer. Where something is missing that
    /// there is no room for, that is told now, and nobody sends it in vain.
    pub(crate) async fn have(&self, access: &TransferAccess, chunks: &[ChunkId]) -> Result<Bitmap, Error> {
        let txn = self.meta.write().await?;
        let durable = meta::chunk::durable(&txn, access.space, chunks).await?;
        let is_missing = |id: &ChunkId| !durable.contains_key(id);
        if chunks.iter().any(is_missing) {
            let fill = meta::space::fill(&txn, access.space).await?;
            // What comes in a damaged chunk's place was counted before.
            let damaged = match fill.is_full() {
                true => meta::chunk::damaged(&txn, access.space, chunks).await?,
                false => HashSet::new(),
            };
            if fill.is_full() && chunks.iter().any(|id| is_missing(id) && !damaged.contains(id)) {
                return Err(room::quota_is_full(&fill));
            }
        }
        let missing = Bitmap::of(chunks.iter().map(is_missing));
        sabotage::sabotage!(NoPin => return Ok(missing));
        meta::chunk::pin(&txn, access.transfer, durable.into_values()).await?;
        txn.commit().await?;
        fault::point("chunks-pinned");
        Ok(missing)
    }

    /// Begins to take chunks; refuses at once where the disk has no room. The quota refuses what is pushed.
    pub(crate) async fn batch(&self, access: &TransferAccess) -> Result<Batch, Error> {
        self.check_room().await?;
        let share = self.arriving.share(access.space);
        let limit = Limit::of(&self.meta, &share).await?;
        Ok(self.writer.batch(access.transfer, share, limit))
    }

    /// Refuses where the disk is as full as it may be.
    pub(crate) async fn check_room(&self) -> Result<(), Error> {
        let blobs = self.blobs.clone();
        let room = spawn_blocking(move || blobs.room()).await.map_err(io::Error::other)??;
        if room.is_some_and(|free| free < self.reserve) {
            return Err(Error::no_room());
        }
        Ok(())
    }

    /// The key of a space's chunk ids.
    pub(crate) async fn chunk_key(&self, space: &GrantedSpace) -> Result<ChunkKey, Error> {
        meta::space::chunk_key(self.meta.read(), space).await
    }

    /// Takes a commit: all of it, or nothing. `key` is the device's.
    pub(crate) async fn commit(
        &self,
        access: &TransferAccess,
        key: &PublicKey,
        upload: CommitUpload,
    ) -> Result<CommitReply, Error> {
        let (of, key) = (*access, *key);
        let checked = spawn_blocking(move || commit::check(&of, &key, upload))
            .await
            .map_err(io::Error::other)??;
        if checked.shifts.is_empty() {
            // The manifests go into the database: what is kept free is for revocations, sign-ins and deleting.
            self.check_room().await?;
        }
        Ok(
            match meta::commit::apply(&self.meta, &*self.clock, access, &checked).await? {
                Outcome::Committed(head, revision) => {
                    if let Some(revision) = revision {
                        self.changed(&access.granted(), revision);
                    }
                    CommitReply::Committed(head)
                }
                Outcome::Behind(head) => CommitReply::Behind(head),
                Outcome::Missing(chunks) => CommitReply::Missing(chunks),
            },
        )
    }

    /// Lets go of the chunks that a transfer has pinned.
    pub(crate) async fn end_transfer(&self, transfer: TransferId) -> Result<(), Error> {
        meta::chunk::unpin(&self.meta, &*self.clock, transfer).await
    }

    /// How full a space is.
    pub(crate) async fn fill(&self, space: &GrantedSpace) -> Result<Fill, Error> {
        meta::space::fill(self.meta.read(), space.id()).await
    }

    /// A version with its manifest; one of another space is not there.
    pub(crate) async fn open_version(
        &self,
        space: &GrantedSpace,
        version: VersionId,
    ) -> Result<read::VersionContent, Error> {
        let mut opened = read::open(self.meta.read(), space, &[version], u64::MAX).await?;
        opened.pop().ok_or_else(|| Error::bad_row("version"))
    }

    /// Several small versions with their manifests, in this order, all of them or an error.
    pub(crate) async fn open_small(
        &self,
        space: &GrantedSpace,
        versions: &[VersionId],
    ) -> Result<Vec<read::VersionContent>, Error> {
        read::open(self.meta.read(), space, versions, Contents::SMALL).await
    }
}

/// A label holds neither `/` nor a control character, so it is a name.
fn folder_name(label: &Label) -> Result<Name, Error> {
    Name::new(label.as_str()).map_err(|_| Error::bad_row("label"))
}

#[cfg(test)]
mod sim;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
