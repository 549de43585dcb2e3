//! What tests of the store share: a store in a folder of its own, and machines that upload to it.

mod blobs;

use std::sync::Arc;

use beckon_shared::{
    bulk::{ChunkHeader, CommitReply, CommitUpload, Encoding},
    chunk::{CHUNK_MAX, ChunkKey, ChunkRef, cut},
    commit::{ChainHead, Change, Commit},
    entry::SourceStamp,
    id::{AccountId, ChunkId, Hash, RootId, TransferId, VersionId},
    keys::DeviceKeys,
    manifest::{Content, FileContent, Manifest},
    path::{Label, RootPath},
    signature::{PublicKey, Signed},
    time::Timestamp,
    wire,
};
use bytes::Bytes;
use futures_util::TryStreamExt;

pub(crate) use self::blobs::TestBlobs;
use super::{
    Error, Store, UploadBegun, UploadStart,
    blob::disk::DiskBlobs,
    meta::{self, Meta},
    pack,
    writer::{Parts, VerifiedChunk},
};
use crate::{
    access::{Access, GrantedSpace, Opens, Right, TransferAccess},
    clock::{Clock, fake::FakeClock},
};

/// Bytes that the store leaves free.
pub(crate) const RESERVE: u64 = 1000;

/// A store in a folder of its own, on SQLite; or on PostgreSQL, see [`meta::check::new_postgres`].
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    /// URL of the database.
    pub(crate) database: String,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) blobs: Arc<TestBlobs>,
    pub(crate) store: Store,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new());
        let blobs = Arc::new(TestBlobs::new(DiskBlobs::open(folder.path()).unwrap()));
        let database = match meta::check::new_postgres().await.unwrap() {
            Some(url) => url,
            None => format!("sqlite:{}", folder.path().join("meta.db").display()),
        };
        let meta = Meta::open(&database).await.unwrap();
        let store = Store::over(Parts {
            blobs: blobs.clone(),
            meta,
            clock: clock.clone(),
            reserve: RESERVE,
            pack_len: pack::TARGET,
        })
        .unwrap();
        Self {
            folder,
            database,
            clock,
            blobs,
            store,
        }
    }

    /// A new account with a space.
    pub(crate) async fn account(&self, seed: u8) -> Access {
        let account = AccountId([seed; 32]);
        let txn = self.store.meta.write().await.unwrap();
        let space = meta::space::create(&txn, &*self.clock, account).await.unwrap();
        txn.commit().await.unwrap();
        Access {
            account,
            admin: false,
            spaces: vec![(space, Right::Write)],
        }
    }

    /// A machine of an account that has begun a transfer.
    pub(crate) async fn machine(&self, access: &Access, seed: u8) -> Machine {
        self.device(access, seed, RootId([seed; 16])).await
    }

    /// A machine of an account that has begun to watch.
    pub(crate) async fn watch(&self, access: &Access, seed: u8) -> Machine {
        let mut machine = self.machine(access, seed).await;
        machine.access.opens = Opens::Watch;
        machine
    }

    /// A browser of an account that has begun to put files into `Files`.
    pub(crate) async fn browser(&self, access: &Access, seed: u8) -> Machine {
        let keys = DeviceKeys::from_bytes(&[seed; DeviceKeys::LEN]);
        self.device(access, seed, RootId::of_files(&keys.id())).await
    }

    async fn device(&self, access: &Access, seed: u8, root: RootId) -> Machine {
        let keys = DeviceKeys::from_bytes(&[seed; DeviceKeys::LEN]);
        let space = access.own_space(Right::Write).unwrap();
        let transfer = TransferId::new(self.clock.now(), [seed; 10]);
        let access = TransferAccess {
            account: access.account,
            device: keys.id(),
            transfer,
            space: space.id(),
            root,
            opens: Opens::Upload,
        };
        let mut machine = Machine {
            store: self.store.clone(),
            keys,
            access,
            key: ChunkKey([0; 32]),
            head: ChainHead::EMPTY,
            epoch: 0,
        };
        machine.begin().await;
        machine
    }
}

/// A machine that uploads.
pub(crate) struct Machine {
    pub(crate) store: Store,
    pub(crate) keys: DeviceKeys,
    pub(crate) access: TransferAccess,
    pub(crate) key: ChunkKey,
    pub(crate) head: ChainHead,
    pub(crate) epoch: u64,
}

impl Machine {
    pub(crate) fn space(&self) -> GrantedSpace {
        self.access.granted()
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.keys.public().sign
    }

    /// Begins its transfer (again).
    pub(crate) async fn begin(&mut self) {
        self.try_begin().await.unwrap();
    }

    /// The same where it may fail.
    pub(crate) async fn try_begin(&mut self) -> Result<(), Error> {
        let start = UploadStart {
            space: self.access.granted(),
            device: self.access.device,
            machine: Label::new("laptop").unwrap(),
            root: self.access.root,
            root_name: Label::new("home").unwrap(),
        };
        let UploadBegun { chunk_key, head, epoch } = self.store.begin_upload(start).await?;
        (self.key, self.head, self.epoch) = (chunk_key, head, epoch);
        Ok(())
    }

    /// Sends chunks and waits until they are durable.
    pub(crate) async fn send(&self, contents: &[&[u8]]) -> Result<Vec<ChunkId>, Error> {
        let batch = self.store.batch(&self.access).await?;
        let mut ids = Vec::new();
        for content in contents {
            for piece in pieces(content) {
                let id = self.key.id(piece);
                batch.push(chunk(id, piece)).await?;
                ids.push(id);
            }
        }
        batch.durable().await?;
        Ok(ids)
    }

    pub(crate) fn file(&self, content: &[u8]) -> Manifest {
        file(&self.key, content)
    }

    /// A commit on top of the newest one that it knows.
    pub(crate) fn sign(&self, changes: &[(&str, Option<Manifest>)]) -> CommitUpload {
        let mut manifests = Vec::new();
        let mut encoded = Vec::new();
        for (path, manifest) in changes {
            let path = RootPath::new(*path).unwrap();
            encoded.push(match manifest {
                Some(manifest) => {
                    let bytes = wire::encode(manifest);
                    let hash = Hash::of(&bytes);
                    manifests.push(bytes);
                    Change::Put { path, manifest: hash }
                }
                None => Change::Remove { path },
            });
        }
        self.sign_all(&encoded, manifests)
    }

    /// A commit of any changes on top of the newest one that it knows.
    pub(crate) fn sign_all(&self, changes: &[Change], manifests: Vec<Vec<u8>>) -> CommitUpload {
        let changes = wire::encode(&changes);
        let commit = Commit {
            suite: 0,
            space: self.access.space,
            device: self.access.device,
            root: self.access.root,
            number: self.head.number + 1,
            parent: self.head.hash,
            changes: Hash::of(&changes),
            at: Timestamp(1),
        };
        CommitUpload {
            commit: Signed::sign(&commit, self.keys.signing()),
            changes,
            manifests,
        }
    }

    /// Commits what it removed and moved.
    pub(crate) async fn shift(&mut self, changes: &[Change]) -> Result<CommitReply, Error> {
        self.commit(self.sign_all(changes, Vec::new())).await
    }

    pub(crate) async fn commit(&mut self, upload: CommitUpload) -> Result<CommitReply, Error> {
        let reply = self.store.commit(&self.access, &self.public(), upload).await?;
        if let CommitReply::Committed(head) = &reply {
            self.head = *head;
        }
        Ok(reply)
    }

    /// Uploads files, all of it.
    pub(crate) async fn upload(&mut self, files: &[(&str, &[u8])]) -> CommitReply {
        let contents: Vec<&[u8]> = files.iter().map(|(_, content)| *content).collect();
        self.send(&contents).await.unwrap();
        let changes: Vec<_> = files
            .iter()
            .map(|(path, content)| (*path, Some(self.file(content))))
            .collect();
        self.commit(self.sign(&changes)).await.unwrap()
    }

    /// The node and newest version of a path.
    pub(crate) async fn head_of(&self, path: &str) -> Option<(meta::entity::node::Model, super::read::VersionContent)> {
        let (node, version) = self.version_of(path).await?;
        let content = self.store.open_version(&self.space(), version).await.unwrap();
        Some((node, content))
    }

    /// The node and the id of the newest version of a path.
    pub(crate) async fn version_of(&self, path: &str) -> Option<(meta::entity::node::Model, VersionId)> {
        let (source, path) = ((self.access.device, self.access.root), RootPath::new(path).unwrap());
        meta::check::head_of(self.store.meta.read(), &self.space(), source, &path)
            .await
            .unwrap()
    }

    /// What a path holds.
    pub(crate) async fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        let (_, content) = self.head_of(path).await.unwrap();
        let size = content.size();
        let pieces: Vec<Bytes> = self.store.read_chunks(&content, 0..size).try_collect().await?;
        Ok(pieces.concat())
    }

    /// The names of the live nodes in a folder of the space, from the top.
    pub(crate) async fn names(&self, folder: &[&str]) -> Vec<String> {
        meta::check::live_names(self.store.meta.read(), &self.space(), folder)
            .await
            .unwrap()
    }
}

pub(crate) fn gone(path: &str) -> Change {
    Change::Remove {
        path: RootPath::new(path).unwrap(),
    }
}

pub(crate) fn moved(from: &str, to: &str) -> Change {
    let [from, to] = [from, to].map(|path| RootPath::new(path).unwrap());
    Change::Move { from, to }
}

pub(crate) fn pieces(mut content: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !content.is_empty() {
        let (piece, rest) = content.split_at(cut(&content[..content.len().min(CHUNK_MAX)]));
        pieces.push(piece);
        content = rest;
    }
    pieces
}

pub(crate) fn chunk(id: ChunkId, content: &[u8]) -> VerifiedChunk {
    let len = content.len() as u32;
    let packed = zstd::bulk::compress(content, 1).unwrap();
    let (encoding, stored) = if packed.len() < content.len() {
        (Encoding::Zstd, packed)
    } else {
        (Encoding::Plain, content.to_vec())
    };
    VerifiedChunk {
        header: ChunkHeader {
            id,
            encoding,
            len,
            stored_len: stored.len() as u32,
        },
        stored: stored.into(),
    }
}

pub(crate) fn file(key: &ChunkKey, content: &[u8]) -> Manifest {
    let chunks = pieces(content)
        .into_iter()
        .map(|piece| ChunkRef {
            id: key.id(piece),
            len: piece.len() as u32,
        })
        .collect();
    let stamp = SourceStamp {
        size: content.len() as u64,
        mtime_ns: 1_000_000_000,
        ctime_ns: 1_000_000_000,
        file_id: 7,
    };
    let content = FileContent {
        stamp,
        read_ns: 9_000_000_000,
        hash: Hash::of(content),
        crc32: 0,
        torn: false,
        sparse: false,
        chunks,
    };
    Manifest {
        suite: 0,
        mode: 0o644,
        mtime_ns: 1_000_000_000,
        content: Content::File(content),
    }
}

pub(crate) fn folder() -> Manifest {
    Manifest {
        suite: 0,
        mode: 0o755,
        mtime_ns: 5,
        content: Content::Folder,
    }
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}
