//! Commits what is durable, in the order of the root's chain.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use beckon_shared::{
    bulk::{CommitDraft, CommitReply, CommitUpload},
    commit::{CHANGES_MAX, ChainHead},
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    id::{ChunkId, DeviceId, RootId, SpaceId},
    keys::DeviceKeys,
    manifest::{Content, Manifest},
    signature::Signed,
    transfer::Problem,
};
use tokio::sync::mpsc;

use super::{Shared, batch::Finished, pause::Pause, read::Item, remote::Remote};
use crate::{clock, fault, index::Committed};

/// The manifests of one commit are at most so many bytes, unless it is only one.
const MANIFESTS_MAX: usize = 4 << 20;
/// A head that moves so often in a row belongs to somebody who runs the same root twice.
const BEHIND_MAX: u32 = 16;

/// The newest commit, and what the next ones are made with.
pub(super) struct Chain<R> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) space: SpaceId,
    pub(super) root: RootId,
    pub(super) device: DeviceId,
    pub(super) keys: Arc<DeviceKeys>,
    pub(super) head: ChainHead,
    /// Takes what was committed, for the index.
    pub(super) rows: mpsc::Sender<Committed>,
    pub(super) problems: mpsc::Sender<Problem>,
}

impl<R: Remote> Chain<R> {
    /// Commits all that comes. What the server lost meanwhile comes back, to be read again.
    pub(super) async fn commit_all(
        &mut self,
        mut durable: mpsc::Receiver<Vec<Finished>>,
    ) -> Result<Vec<Item>, Refusal> {
        let mut waiting = VecDeque::new();
        let mut again = Vec::new();
        while let Some(finished) = durable.recv().await {
            waiting.extend(finished);
            while !waiting.is_empty() {
                // What became durable during the commit before goes along with the next one.
                while waiting.len() < CHANGES_MAX
                    && let Ok(finished) = durable.try_recv()
                {
                    waiting.extend(finished);
                }
                let group = self.short_enough(take_group(&mut waiting)).await;
                again.append(&mut self.commit(group).await?);
            }
        }
        Ok(again)
    }

    /// Those whose paths the server can be told. The others are problems.
    async fn short_enough(&self, group: Vec<Finished>) -> Vec<Finished> {
        let (short, long): (Vec<_>, Vec<_>) = group.into_iter().partition(|one| self.shared.told(&one.path).is_some());
        for one in long {
            self.shared.counters.failed.fetch_add(1, Relaxed);
            let advice = "its path in the drive would have over 4,096 bytes; put it into a folder further up";
            let problem = Problem {
                path: one.path,
                code: ErrorCode::TooLarge,
                message: advice.into(),
            };
            // Nobody takes problems any more only when the upload ends.
            let _ = self.problems.send(problem).await;
        }
        short
    }

    async fn commit(&mut self, mut group: Vec<Finished>) -> Result<Vec<Item>, Refusal> {
        let mut again = Vec::new();
        let mut behind = 0;
        while !group.is_empty() {
            match self.ask(&group).await? {
                CommitReply::Committed(head) => {
                    self.head = head;
                    self.settle(std::mem::take(&mut group)).await;
                }
                CommitReply::Behind(head) => {
                    behind += 1;
                    if behind > BEHIND_MAX {
                        return Err(Refusal::new(
                            ErrorCode::Conflict,
                            "another agent commits to the same root; stop one of them, then upload again",
                        ));
                    }
                    self.head = head;
                }
                CommitReply::Missing(ids) => {
                    let ids: HashSet<_> = ids.into_iter().collect();
                    let (lost, rest) = group.into_iter().partition::<Vec<_>, _>(|one| one.needs(&ids));
                    if lost.is_empty() {
                        return Err(Refusal::new(
                            ErrorCode::Internal,
                            "the server misses chunks that nothing needs; update the older of the two programs",
                        ));
                    }
                    again.extend(lost.iter().map(Finished::to_item));
                    group = rest;
                }
            }
        }
        Ok(again)
    }

    /// The same bytes until there is an answer, so that a commit that went through unheard is answered as such.
    async fn ask(&self, group: &[Finished]) -> Result<CommitReply, Refusal> {
        let upload = self.sign(group);
        fault::point("commit-signed");
        let mut pause = Pause::new(&self.shared.remote, &self.shared.counters, self.shared.pace);
        loop {
            match self.shared.remote.commit(&upload).await {
                Ok(reply) => {
                    fault::point("commit-answered");
                    return Ok(reply);
                }
                Err(failure) => pause.after(failure).await?,
            }
        }
    }

    fn sign(&self, group: &[Finished]) -> CommitUpload {
        let told = |one: &Finished| self.shared.told(&one.path);
        let entries = group
            .iter()
            .filter_map(|one| Some((told(one)?, one.manifest.as_slice())));
        let draft = CommitDraft::of(entries);
        let commit = draft.commit(self.space, self.device, self.root, self.head, clock::now());
        draft.signed(Signed::sign(&commit, self.keys.signing()))
    }

    async fn settle(&self, group: Vec<Finished>) {
        let counters = &self.shared.counters;
        let (mut rows, mut files) = (Vec::new(), 0);
        for one in group {
            counters.settled(one.size);
            if one.torn {
                counters.torn.fetch_add(1, Relaxed);
                let message = "it changed whenever it was read, so what is stored may be a mixture; close what writes to it and upload it again";
                // Nobody takes problems any more only when the upload ends.
                let _ = self
                    .problems
                    .send(Problem {
                        path: one.path,
                        code: ErrorCode::Changing,
                        message: message.into(),
                    })
                    .await;
                continue;
            }
            match one.row.kind {
                EntryKind::File => {
                    counters.done_file(one.size);
                    files += 1;
                }
                _ => _ = counters.held.fetch_add(1, Relaxed),
            }
            rows.push((one.path, one.row));
        }
        counters.sent.committed(files);
        let _ = self.rows.send(Committed { head: self.head, rows }).await;
    }
}

impl Finished {
    fn needs(&self, ids: &HashSet<ChunkId>) -> bool {
        match Manifest::parse(&self.manifest).map(|manifest| manifest.content) {
            Ok(Content::File(file)) => file.chunks.iter().any(|chunk| ids.contains(&chunk.id)),
            _ => false,
        }
    }

    fn to_item(&self) -> Item {
        Item::file(self.path.clone(), self.size)
    }
}

fn take_group(waiting: &mut VecDeque<Finished>) -> Vec<Finished> {
    let mut bytes = 0;
    let fits = |one: &&Finished| {
        bytes += one.manifest.len();
        bytes <= MANIFESTS_MAX
    };
    let count = waiting.iter().take(CHANGES_MAX).take_while(fits).count();
    waiting.drain(..count.max(1)).collect()
}
