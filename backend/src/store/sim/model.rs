//! Random steps against a naive reference: what the database decides, one step at a time, with the whole of it compared
//! after each. `BECKON_SIM_SEED` repeats a game: nothing here is left to the order in which threads run.

mod reference;

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use beckon_shared::{
    bulk::{CommitReply, CommitUpload},
    commit::{ChainHead, Change},
    id::{ChunkId, Hash, TransferId},
    time::Timestamp,
    wire,
};

use futures_util::FutureExt;

use self::reference::{Answer, Reference};
use super::{
    chance::Chance,
    disk::{Ending, SimDisk},
    luck::Luck,
    platter::Platter,
    record::{Surroundings, fast_folder, prepare, said},
    workload::content,
};
use crate::{
    access::{Access, Opens, Right, TransferAccess},
    clock::{Clock, fake::FakeClock},
    store::{
        Store,
        meta::{check::keys, collect, replay},
        pack::{PackId, salvage::salvage},
        read,
        testing::{Machine, file, gone, moved, pieces},
    },
    worker,
};

/// Steps of each game.
const STEPS: usize = 500;

/// Games, each with a seed of its own.
const GAMES: u64 = 6;

/// Different contents that there are.
const CONTENTS: usize = 30;

/// The store, its reference, and who uploads: the first two are terminals of one machine.
struct Game {
    _folder: tempfile::TempDir,
    at: Surroundings,
    store: Store,
    players: Vec<Machine>,
    reference: Reference,
    chance: Chance,
    transfers: u64,
}

/// A commit that somebody sends.
#[derive(Clone)]
struct Sent {
    access: TransferAccess,
    upload: CommitUpload,
    what: What,
}

/// What it changes.
#[derive(Clone)]
enum What {
    /// One file.
    Put { path: String, manifest: Hash },
    /// What is removed and moved.
    Shift(Vec<Change>),
}

/// Plays one game; the step that went wrong, if one did.
pub(super) async fn play(seed: u64) -> Result<(), String> {
    let mut did = (0, "");
    let played = AssertUnwindSafe(play_on(seed, &mut did)).catch_unwind().await;
    let played = played.unwrap_or_else(|panic| Err(format!("it panicked: {}", said(&*panic))));
    let (step, what) = did;
    played.map_err(|wrong| format!("game {seed}, step {step}, {what}: {wrong}\nBECKON_SIM_SEED={seed} plays it first"))
}

async fn play_on(seed: u64, did: &mut (usize, &'static str)) -> Result<(), String> {
    let mut game = Game::new(seed).await;
    for step in 0..STEPS {
        did.0 = step;
        did.1 = game.step().await?;
        let now = replay::present(&game.store.meta).await;
        game.reference.compare(&now)?;
    }
    game.read_all().await
}

impl Game {
    async fn new(seed: u64) -> Self {
        let folder = fast_folder();
        let database = folder.path().join("meta.db");
        let clock = Arc::new(FakeClock::new());
        let (access, key) = prepare(&database, &clock).await;
        let mut at = Surroundings::new(&database, SimDisk::new(Platter::default()), clock).await;
        let store = at.start().await;
        let mut game = Self {
            _folder: folder,
            at,
            store,
            players: Vec::new(),
            reference: Reference::new(key),
            chance: Chance::new(seed),
            transfers: 0,
        };
        for machine in [1, 1, 2] {
            let player = game.player(&access, machine);
            game.players.push(player);
            game.begin(game.players.len() - 1).await.unwrap();
        }
        game
    }

    fn player(&self, access: &Access, machine: u8) -> Machine {
        let keys = beckon_shared::keys::DeviceKeys::from_bytes(&[machine; beckon_shared::keys::DeviceKeys::LEN]);
        let transfer = TransferAccess {
            account: access.account,
            device: keys.id(),
            transfer: TransferId::new(Timestamp(0), [0; 10]),
            space: access.own_space(Right::Write).unwrap().id(),
            root: beckon_shared::id::RootId([machine; 16]),
            // The first machine watches, the other one uploads.
            opens: if machine == 1 { Opens::Watch } else { Opens::Upload },
        };
        Machine {
            store: self.store.clone(),
            keys,
            access: transfer,
            key: self.reference.key.clone(),
            head: ChainHead::EMPTY,
            epoch: 0,
        }
    }

    /// Does one thing, and says what.
    async fn step(&mut self) -> Result<&'static str, String> {
        let player = self.chance.below(self.players.len());
        match self.chance.below(20) {
            0 => self.begin(player).await.map(|()| "a new transfer"),
            1 | 2 => self.end(player).await.map(|()| "the end of a transfer"),
            3..6 => self.clean().await.map(|()| "cleaning"),
            6 => {
                self.at
                    .clock
                    .advance(Duration::from_secs(3600 * (1 + self.chance.below(30) as u64)));
                Ok("time")
            }
            7..10 => self.have(player).await.map(|()| "a have-query"),
            10..13 => self.send(player).await.map(|()| "chunks"),
            13..15 => self.commit(player).await.map(|()| "a commit"),
            15 => self.shift().await.map(|()| "a commit that removes and moves"),
            16 => self.fork(player).await.map(|()| "a fork"),
            17 => self.race().await.map(|()| "a race of two commits"),
            18 => self.same_twice().await.map(|()| "one commit sent twice at once"),
            _ if self.chance.once_in(2) => self.crash().await.map(|()| "a crash"),
            _ => self.clean().await.map(|()| "cleaning"),
        }
    }

    /// Another transfer, and the newest commit.
    async fn begin(&mut self, player: usize) -> Result<(), String> {
        self.transfers += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.transfers.to_be_bytes());
        self.players[player].access.transfer = TransferId::new(Timestamp(0), random);
        replay::open_transfer(&self.at.harness, &self.players[player].access).await;
        self.refresh(player).await
    }

    async fn refresh(&mut self, player: usize) -> Result<(), String> {
        let machine = &mut self.players[player];
        machine.begin().await;
        let wanted = self.reference.head(&machine.access);
        match machine.head == wanted {
            true => Ok(()),
            false => Err(format!("the head is {:?} and should be {wanted:?}", machine.head)),
        }
    }

    async fn end(&mut self, player: usize) -> Result<(), String> {
        let transfer = self.players[player].access.transfer;
        let id = hex::encode(transfer.as_bytes());
        self.store
            .meta
            .run(&format!("UPDATE transfer SET ended = 1 WHERE id = x'{id}'"))
            .await;
        self.store.end_transfer(transfer).await.map_err(text)?;
        self.reference.end(transfer, self.at.clock.now());
        self.begin(player).await
    }

    async fn clean(&mut self) -> Result<(), String> {
        worker::round(&self.store).await.map_err(text)?;
        self.reference.clean(self.at.clock.now());
        Ok(())
    }

    fn contents(&mut self, most: usize) -> Vec<Vec<u8>> {
        let count = 1 + self.chance.below(most);
        (0..count)
            .map(|_| content(1 + self.chance.below(CONTENTS) as u64))
            .collect()
    }

    async fn have(&mut self, player: usize) -> Result<(), String> {
        let contents = self.contents(4);
        let ids: Vec<ChunkId> = contents
            .iter()
            .flat_map(|content| self.reference.note(content))
            .collect();
        let access = self.players[player].access;
        let missing = self.store.have(&access, &ids).await.map_err(text)?;
        let said: Vec<bool> = (0..ids.len()).map(|at| missing.get(at)).collect();
        let wanted = self.reference.have(access.transfer, &ids);
        match said == wanted {
            true => Ok(()),
            false => Err(format!("missing are {said:?} and should be {wanted:?}")),
        }
    }

    async fn send(&mut self, player: usize) -> Result<(), String> {
        let contents = self.contents(3);
        let machine = &self.players[player];
        let sent: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let ids = machine.send(&sent).await.map_err(text)?;
        contents.iter().for_each(|content| _ = self.reference.note(content));
        self.reference.store(machine.access.transfer, &ids);
        Ok(())
    }

    /// A commit of one file; mostly its chunks are there.
    fn sign_any(&mut self, player: usize) -> Sent {
        let content = match self.chance.once_in(4) {
            true => content(1 + self.chance.below(CONTENTS) as u64),
            false => self.reference.any_stored(&mut self.chance),
        };
        let path = self.any_path();
        self.sign(player, &content, path)
    }

    fn any_path(&mut self) -> String {
        format!("{}/f{}", ["d", "e"][self.chance.below(2)], self.chance.below(4))
    }

    /// Something is removed or moved: files, or folders with all below.
    fn any_shift(&mut self) -> Change {
        let (one, other) = (self.any_path(), self.any_path());
        match self.chance.below(6) {
            0 => moved("d", "e"),
            1 => moved("e", "d"),
            2 => gone("e"),
            3 | 4 if one != other => moved(&one, &other),
            _ => gone(&one),
        }
    }

    async fn shift(&mut self) -> Result<(), String> {
        self.refresh(0).await?;
        let count = 1 + self.chance.below(3);
        let changes: Vec<Change> = (0..count).map(|_| self.any_shift()).collect();
        let machine = &self.players[0];
        let sent = Sent {
            access: machine.access,
            upload: machine.sign_all(&changes, Vec::new()),
            what: What::Shift(changes),
        };
        let said = self.players[0].commit(sent.upload.clone()).await.map_err(text)?;
        self.agree(&said, &sent)?;
        self.refresh(0).await
    }

    fn sign(&mut self, player: usize, content: &[u8], path: String) -> Sent {
        let manifest = file(&self.reference.key, content);
        let hash = Hash::of(&wire::encode(&manifest));
        self.reference.note_manifest(hash, content);
        let machine = &self.players[player];
        Sent {
            access: machine.access,
            upload: machine.sign(&[(&path, Some(manifest))]),
            what: What::Put { path, manifest: hash },
        }
    }

    async fn commit(&mut self, player: usize) -> Result<(), String> {
        let sent = self.sign_any(player);
        let said = self.players[player].commit(sent.upload.clone()).await.map_err(text)?;
        self.agree(&said, &sent)?;
        self.refresh(player).await
    }

    /// The reference is told of a commit, and must answer as the store did.
    fn agree(&mut self, said: &CommitReply, sent: &Sent) -> Result<(), String> {
        let wanted = self.reference.commit(sent, self.at.clock.now());
        let fits = match (said, &wanted) {
            (CommitReply::Committed(head), Answer::Committed(wanted)) => head == wanted,
            (CommitReply::Behind(head), Answer::Behind(wanted)) => head == wanted,
            (CommitReply::Missing(chunks), Answer::Missing(wanted)) => chunks == wanted,
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => Err(format!("the answer is {said:?} and should be {wanted:?}")),
        }
    }

    /// A commit on top of one that never was.
    async fn fork(&mut self, player: usize) -> Result<(), String> {
        self.refresh(player).await?;
        self.players[player].head.hash = Hash([9; 32]);
        self.commit(player).await
    }

    /// Two terminals of one machine commit different things on top of the same: one is in, one is behind.
    async fn race(&mut self) -> Result<(), String> {
        let content = self.send_one().await?;
        self.refresh(1).await?;
        // Of the same content, so that the game goes on in the same way whoever wins.
        let sent = [0, 1].map(|player| self.sign(player, &content, format!("d/f{player}")));
        let said = self.commit_both(&sent).await?;
        // Who came first is not ours to say.
        let order = if matches!(said[0], CommitReply::Committed(_)) {
            [0, 1]
        } else {
            [1, 0]
        };
        for at in order {
            self.agree(&said[at], &sent[at])?;
        }
        self.refresh(0).await?;
        self.refresh(1).await
    }

    /// Two terminals resume at once, and send the very same commit: it is in once, and both are told so.
    async fn same_twice(&mut self) -> Result<(), String> {
        let content = self.send_one().await?;
        let sent = self.sign(0, &content, "d/f0".to_owned());
        let both = [sent.clone(), sent.clone()];
        for said in self.commit_both(&both).await? {
            self.agree(&said, &sent)?;
        }
        self.refresh(0).await
    }

    /// The first machine stores a content.
    async fn send_one(&mut self) -> Result<Vec<u8>, String> {
        self.refresh(0).await?;
        let content = content(1 + self.chance.below(CONTENTS) as u64);
        let machine = &self.players[0];
        let (ids, transfer) = (machine.send(&[&content]).await.map_err(text)?, machine.access.transfer);
        self.reference.note(&content);
        self.reference.store(transfer, &ids);
        Ok(content)
    }

    async fn commit_both(&self, sent: &[Sent; 2]) -> Result<[CommitReply; 2], String> {
        let key = self.players[0].public();
        let commit = |sent: &Sent| {
            let (access, upload) = (sent.access, sent.upload.clone());
            async move { self.store.commit(&access, &key, upload).await }
        };
        let (one, two) = tokio::join!(commit(&sent[0]), commit(&sent[1]));
        Ok([one.map_err(text)?, two.map_err(text)?])
    }

    /// The power goes while the server runs, and it starts again on what is left.
    async fn crash(&mut self) -> Result<(), String> {
        self.at.disk.end(match self.chance.below(3) {
            0 => Ending::Killed,
            1 => Ending::PowerCut(Luck::None),
            _ => Ending::PowerCut(Luck::Some(self.chance.next())),
        });
        self.store = self.at.start().await;
        for player in &mut self.players {
            player.store = self.store.clone();
        }
        self.find_undone().await?;
        self.read_all().await
    }

    /// Takes down what is in packs whose deletion the crash has undone: once they are found, it may be named again.
    async fn find_undone(&mut self) -> Result<(), String> {
        let meta = self.store.meta.read();
        let (packs, keys) = (
            collect::packs(meta).await.map_err(text)?,
            keys(meta).await.map_err(text)?,
        );
        let named: BTreeSet<PackId> = packs.iter().map(|pack| pack.id).collect();
        let listed = self.store.blobs.list().map_err(text)?;
        let mut undone = BTreeSet::new();
        for pack in listed.into_iter().filter(|pack| !named.contains(pack)) {
            let found = salvage(&*self.store.blobs, pack, &keys).map_err(text)?;
            undone.extend(found.chunks.iter().map(|chunk| chunk.header.id));
        }
        self.reference.undone(undone);
        Ok(())
    }

    /// Each chunk that is named is what the machines had.
    async fn read_all(&self) -> Result<(), String> {
        for chunk in replay::present(&self.store.meta).await.chunks {
            let (place, header) = (chunk.place, chunk.place.header);
            let end = place.start + u64::from(header.stored_len);
            let stored = self.store.blobs.read(place.pack, place.start..end).map_err(text)?;
            let content = read::content(stored.into(), header.encoding, header.len);
            if !content.is_ok_and(|content| self.reference.is_content(&header.id, &content)) {
                return Err(format!("chunk {} is not what was sent", header.id));
            }
        }
        Ok(())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The pieces that a content is cut into, as ids.
fn ids_of(key: &beckon_shared::chunk::ChunkKey, content: &[u8]) -> Vec<ChunkId> {
    pieces(content).into_iter().map(|piece| key.id(piece)).collect()
}

/// All games, two at a time.
pub(super) fn play_all(first: u64) -> Result<(), String> {
    let play_some = |offset: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        (first + offset..first + GAMES)
            .step_by(2)
            .try_for_each(|seed| runtime.block_on(play(seed)))
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| play_some(1));
        play_some(0)?;
        other.join().unwrap()
    })
}

#[test]
fn the_store_decides_as_the_reference_does() {
    play_all(super::seeds()).unwrap_or_else(|failure| panic!("{failure}"));
}
