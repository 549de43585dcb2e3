//! Machines that upload to the real store, and all that may get in their way. What they had and what they were told is
//! taken down.

use std::sync::{Mutex, MutexGuard};

use beckon_shared::{
    bulk::{CommitReply, CommitUpload},
    chunk::ChunkKey,
    commit::{ChainHead, commit_hash},
    id::{AccountId, ChunkId, Hash, RootId, TransferId, VersionId},
    keys::DeviceKeys,
    manifest::Manifest,
    path::RootPath,
    wire,
};
use bytes::Bytes;
use futures_util::{TryStreamExt, future::join_all};

use super::{
    chance::Chance,
    record::Surroundings,
    trace::{Files, Ledger, Told},
};
use crate::{
    access::{Access, Opens, Right, TransferAccess},
    store::{
        Error, Store,
        meta::{self, replay},
        testing::{Machine, chunk, file, gone, moved, noise, pieces},
        writer::VerifiedChunk,
    },
    worker::{self, collect::GRACE},
};

/// Different contents that there are: few, so that machines have the same, and have again what was collected.
const CONTENTS: usize = 60;

/// Different paths in a root.
const PATHS: usize = 12;

/// What all machines of a run share.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) at: Surroundings,
    pub(super) access: Access,
    ledger: Mutex<Ledger>,
    complaints: Mutex<Vec<String>>,
    /// Whether the disk fails now and then: then not all that is tried succeeds.
    pub(super) is_faulty: bool,
}

impl World {
    /// Before anything happened.
    pub(super) async fn new(mut at: Surroundings, access: Access, key: ChunkKey) -> Self {
        let space = access.own_space(Right::Write).unwrap().id();
        Self {
            store: at.start().await,
            at,
            access,
            ledger: Mutex::new(Ledger {
                space: Some(space),
                key: key.0,
                ..Ledger::default()
            }),
            complaints: Mutex::default(),
            is_faulty: false,
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// Something went otherwise than was promised.
    pub(super) fn complain(&self, what: impl Into<String>) {
        self.complaints.lock().unwrap().push(what.into());
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    /// An error that only a disk that fails, or the end of the server, may cause.
    fn excuse(&self, what: &str, error: &Error) {
        let is_damage = matches!(error, Error::Damaged { .. });
        if is_damage || !self.is_faulty && self.at.disk.is_alive() {
            self.complain(format!("{what}: {error}"));
        }
    }

    /// Starts the server again after its end.
    pub(super) async fn start_again(&mut self) {
        let ended = std::mem::replace(&mut self.store, self.at.start().await);
        // It has ended: whatever it still does changes nothing.
        let _ = ended.close().await;
    }

    /// Reads a version, as a download does, and compares it with what the machine had; the inner result says how that went.
    pub(super) async fn read(&self, version: VersionId) -> Result<Result<(), String>, Error> {
        let space = self.access.own_space(Right::Read)?;
        let opened = self.store.open_version(&space, version).await?;
        let pieces: Vec<Bytes> = self.store.read_chunks(&opened, 0..opened.size()).try_collect().await?;
        let ledger = self.ledger();
        let manifest = Hash::of(&wire::encode(&*opened.manifest));
        let Some(chunks) = ledger.manifests.get(&manifest) else {
            return Ok(Err("a version is there that nobody committed".to_owned()));
        };
        let had: Vec<&[u8]> = chunks.iter().map(|id| ledger.chunks[id].as_slice()).collect();
        let is_same = pieces.concat() == had.concat();
        Ok(if is_same {
            Ok(())
        } else {
            Err("a file is not what the machine had".to_owned())
        })
    }

    /// One round of expiry and collection, as the server's worker does it.
    pub(super) async fn clean(&self) {
        if let Err(error) = worker::round(&self.store).await {
            self.excuse("cleaning failed", &error);
        }
    }

    /// Two days pass, with what is cleaned meanwhile: whatever can be collected, is.
    pub(super) async fn days_pass(&self) {
        for _ in 0..2 {
            self.clean().await;
            self.at.clock.advance(GRACE + std::time::Duration::from_secs(1));
        }
        self.clean().await;
    }
}

/// A machine that uploads a root; several may be the same machine, as terminals that resume the same.
pub(super) struct Uploader {
    machine: Machine,
    chance: Chance,
    /// What its root holds in the drive, as far as it knows.
    files: Files,
}

/// A file that is to be uploaded.
struct Upload {
    path: String,
    manifest: Manifest,
    content: Vec<u8>,
}

impl Uploader {
    /// The machine `seed`; those of the same seed are one.
    pub(super) fn new(world: &World, seed: u8, chance: Chance) -> Self {
        let keys = DeviceKeys::from_bytes(&[seed; DeviceKeys::LEN]);
        let access = TransferAccess {
            account: world.access.account,
            device: keys.id(),
            transfer: TransferId::new(beckon_shared::time::Timestamp(0), [0; 10]),
            space: world.access.own_space(Right::Write).unwrap().id(),
            root: RootId([seed; 16]),
            opens: Opens::Upload,
        };
        let machine = Machine {
            store: world.store.clone(),
            keys,
            access,
            key: world.ledger().chunk_key(),
            head: ChainHead::EMPTY,
            epoch: 0,
        };
        Self {
            machine,
            chance,
            files: Files::new(),
        }
    }

    /// Does one thing or another.
    pub(super) async fn step(&mut self, world: &World) {
        self.machine.store = world.store.clone();
        if self.chance.once_in(3) || self.machine.head == ChainHead::EMPTY {
            self.begin_anew(world).await;
        }
        match self.chance.below(12) {
            0 => self.fork(world).await,
            1 => self.lie(world).await,
            2 => self.end(world).await,
            3 => self.look(world).await,
            4 => self.shift(world).await,
            _ => self.upload(world).await,
        }
    }

    /// Another transfer of the same root.
    pub(super) async fn begin_anew(&mut self, world: &World) {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.chance.next().to_le_bytes());
        self.machine.access.transfer = TransferId::new(beckon_shared::time::Timestamp(1), random);
        replay::open_transfer(&world.at.harness, &self.machine.access).await;
        self.machine.store = world.store.clone();
        self.refresh(world).await;
    }

    /// Asks what the newest commit is; whether there was an answer.
    async fn refresh(&mut self, world: &World) -> bool {
        if let Err(error) = self.machine.try_begin().await {
            world.excuse("an upload could not begin", &error);
            return false;
        }
        let head = self.machine.head;
        if head == ChainHead::EMPTY {
            self.files.clear();
            return true;
        }
        match world.ledger().commits.get(&head.hash) {
            Some(files) => self.files = files.clone(),
            None => world.complain(format!("the head is a commit that nobody made: {head:?}")),
        }
        true
    }

    /// Uploads some files, with what may happen on the way.
    pub(super) async fn upload(&mut self, world: &World) {
        let files = self.choose(world);
        let wanted: Vec<&[u8]> = files.iter().flat_map(|file| pieces(&file.content)).collect();
        let ids: Vec<ChunkId> = wanted.iter().map(|piece| world.ledger().note(piece)).collect();
        let missing = match world.store.have(&self.machine.access, &ids).await {
            Ok(missing) => missing,
            Err(error) => return world.excuse("a have-query failed", &error),
        };
        let is_missing: Vec<bool> = (0..ids.len()).map(|at| missing.get(at)).collect();
        let present = ids.iter().zip(&is_missing).filter(|(_, missing)| !**missing);
        let present = present.map(|(id, _)| *id).collect();
        world.at.disk.tell(Told::Present(self.machine.access.transfer, present));
        if self.chance.once_in(5) {
            world.days_pass().await;
        }
        let missing: Vec<&[u8]> = wanted
            .into_iter()
            .zip(&is_missing)
            .filter(|(_, missing)| **missing)
            .map(|(piece, _)| piece)
            .collect();
        let all_sent = self.send(world, &missing).await;
        if self.chance.once_in(6) {
            world.days_pass().await;
        }
        if self.chance.once_in(6) {
            // Cut off before the commit.
            return;
        }
        self.commit(world, &files, all_sent).await;
    }

    fn choose(&mut self, world: &World) -> Vec<Upload> {
        let count = 1 + self.chance.below(4);
        let paths = (0..count)
            .map(|_| self.chance.below(PATHS))
            .collect::<std::collections::BTreeSet<_>>();
        let key = world.ledger().chunk_key();
        paths
            .into_iter()
            .map(|path| {
                let content = content(self.chance.below(CONTENTS) as u64);
                Upload {
                    path: format!("d{}/f{path}", path % 3),
                    manifest: file(&key, &content),
                    content,
                }
            })
            .collect()
    }

    /// Sends pieces in up to three batches at once; whether all are durable.
    async fn send(&mut self, world: &World, wanted: &[&[u8]]) -> bool {
        let batches = 1 + self.chance.below(3);
        let len = wanted.len().div_ceil(batches).max(1);
        let sent = join_all(wanted.chunks(len).map(|batch| self.send_batch(world, batch))).await;
        sent.into_iter().all(|sent| sent)
    }

    async fn send_batch(&self, world: &World, wanted: &[&[u8]]) -> bool {
        let sent = async {
            let batch = world.store.batch(&self.machine.access).await?;
            for piece in wanted {
                let VerifiedChunk { header, stored } = chunk(self.machine.key.id(piece), piece);
                match VerifiedChunk::verify(&self.machine.key, header, stored) {
                    Some(verified) => batch.push(verified).await?,
                    None => world.complain("a chunk that is what it says is refused"),
                }
            }
            batch.durable().await
        };
        match sent.await {
            Ok(()) => {
                let ids = wanted.iter().map(|piece| self.machine.key.id(piece)).collect();
                world.at.disk.tell(Told::Durable(self.machine.access.transfer, ids));
                true
            }
            Err(error) => {
                world.excuse("chunks were refused", &error);
                false
            }
        }
    }

    async fn commit(&mut self, world: &World, files: &[Upload], all_sent: bool) {
        let upload = self.sign(world, files);
        let source = (self.machine.access.device, self.machine.access.root);
        match self.machine.commit(upload).await {
            Ok(CommitReply::Committed(head)) => {
                world.at.disk.tell(Told::Committed(source, head));
                self.files = world.ledger().commits[&head.hash].clone();
            }
            Ok(CommitReply::Behind(_)) => _ = self.refresh(world).await,
            Ok(CommitReply::Missing(_)) if !all_sent => {}
            Ok(CommitReply::Missing(chunks)) => {
                world.complain(format!(
                    "{} chunks are missing that were said to be stored",
                    chunks.len()
                ));
            }
            Err(error) => world.excuse("a commit failed", &error),
        }
    }

    /// A commit on top of what it takes for the newest, taken down.
    fn sign(&mut self, world: &World, files: &[Upload]) -> CommitUpload {
        let changes: Vec<(&str, Option<Manifest>)> = files
            .iter()
            .map(|file| (file.path.as_str(), Some(file.manifest.clone())))
            .collect();
        let upload = self.machine.sign(&changes);
        let mut holds = self.files.clone();
        let mut ledger = world.ledger();
        for file in files {
            let hash = Hash::of(&wire::encode(&file.manifest));
            let chunks = pieces(&file.content)
                .into_iter()
                .map(|piece| self.machine.key.id(piece))
                .collect();
            ledger.manifests.insert(hash, chunks);
            holds.insert(file.path.clone(), hash);
        }
        ledger.commits.insert(commit_hash(&upload.commit), holds);
        upload
    }

    /// Removes a file and moves another one, as a machine does that is watched.
    async fn shift(&mut self, world: &World) {
        let paths: Vec<String> = self.files.keys().cloned().collect();
        if paths.is_empty() {
            return;
        }
        let (removed, from) = (self.chance.pick(&paths).clone(), self.chance.pick(&paths).clone());
        let to = format!("moved/f{}", self.chance.below(PATHS));
        if from == to {
            return;
        }
        let changes = [gone(&removed), moved(&from, &to)];
        let mut holds = self.files.clone();
        holds.remove(&removed);
        if let Some(manifest) = holds.remove(&from) {
            holds.insert(to, manifest);
        }
        let upload = self.machine.sign_all(&changes, Vec::new());
        world.ledger().commits.insert(commit_hash(&upload.commit), holds);
        let source = (self.machine.access.device, self.machine.access.root);
        self.machine.access.opens = Opens::Watch;
        let said = self.machine.commit(upload).await;
        self.machine.access.opens = Opens::Upload;
        match said {
            Ok(CommitReply::Committed(head)) => {
                world.at.disk.tell(Told::Committed(source, head));
                self.files = world.ledger().commits[&head.hash].clone();
            }
            Ok(CommitReply::Behind(_)) => _ = self.refresh(world).await,
            Ok(CommitReply::Missing(_)) => world.complain("chunks are missing where nothing is put"),
            Err(error) => world.excuse("what was moved was refused", &error),
        }
    }

    /// A commit on top of one that is not the newest, as of a machine that was put back to an older day: it must not be taken.
    async fn fork(&mut self, world: &World) {
        let files = self.choose(world);
        let wanted: Vec<&[u8]> = files.iter().flat_map(|file| pieces(&file.content)).collect();
        wanted.iter().for_each(|piece| _ = world.ledger().note(piece));
        let all_sent = self.send(world, &wanted).await;
        self.refresh(world).await;
        self.machine.head.hash = Hash([7; 32]);
        self.files.clear();
        self.commit(world, &files, all_sent).await;
        self.refresh(world).await;
    }

    /// Sends a chunk that is not what its id says.
    async fn lie(&mut self, world: &World) {
        let content = noise(self.chance.next(), 3000);
        let id = world.ledger().note(&content);
        let VerifiedChunk { header, stored } = chunk(id, &content);
        let mut stored = stored.to_vec();
        let at = self.chance.below(stored.len());
        stored[at] ^= 1;
        let Some(lie) = VerifiedChunk::verify(&self.machine.key, header, stored.into()) else {
            return;
        };
        let Ok(batch) = world.store.batch(&self.machine.access).await else {
            return;
        };
        if batch.push(lie).await.is_ok() {
            // What becomes of it, the disk will show.
            let _ = batch.durable().await;
        }
    }

    /// Reads a file of its root as it is in the drive.
    async fn look(&mut self, world: &World) {
        // A commit that failed may have been made: what it removed or moved is not there then.
        if !self.refresh(world).await {
            return;
        }
        let paths: Vec<&String> = self.files.keys().collect();
        if paths.is_empty() {
            return;
        }
        let path = RootPath::new(self.chance.pick(&paths).as_str()).unwrap();
        let (access, space) = (&self.machine.access, self.machine.access.granted());
        let head = meta::check::head_of(world.store.meta.read(), &space, (access.device, access.root), &path).await;
        let read = match head {
            Ok(Some((_, version))) => world.read(version).await,
            Ok(None) => return world.complain(format!("{path:?} is not in the drive")),
            Err(error) => Err(error),
        };
        match read {
            Ok(Ok(())) => {}
            Ok(Err(what)) => world.complain(what),
            Err(error) => world.excuse("a file could not be read", &error),
        }
    }

    /// Ends its transfer and begins another.
    async fn end(&mut self, world: &World) {
        let transfer = self.machine.access.transfer;
        // Ended it is, whether the server hears of it or not.
        world.at.disk.of_harness().tell(Told::Ended(transfer));
        let text = format!(
            "UPDATE transfer SET ended = 1 WHERE id = x'{}'",
            hex::encode(transfer.as_bytes())
        );
        world.at.harness.run(&text).await;
        if let Err(error) = world.store.end_transfer(transfer).await {
            world.excuse("a transfer could not be ended", &error);
        }
        self.begin_anew(world).await;
    }
}

/// The same content for the same number: noise of some kilobytes, or what compresses well, or several chunks.
pub(super) fn content(number: u64) -> Vec<u8> {
    let mut chance = Chance::new(number);
    match number % 20 {
        0 => noise(number, 150_000 + chance.below(100_000)),
        1..4 => noise(number, 1 + chance.below(100)).repeat(50),
        _ => noise(number, 1 + chance.below(12_000)),
    }
}

/// The account of all simulated machines.
pub(super) const ACCOUNT: AccountId = AccountId([1; 32]);
