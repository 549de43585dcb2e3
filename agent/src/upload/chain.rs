//! Commits what is durable, in the order of the root's chain.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use beckon_shared::{
    bulk::{CommitDraft, CommitReply, CommitUpload},
    commit::{CHANGES_MAX, ChainHead, Change},
    entry::EntryKind,
    error::{ErrorCode, Refusal},
    id::{ChunkId, DeviceId, RootId, SpaceId},
    keys::DeviceKeys,
    manifest::{Content, Manifest},
    signature::Signed,
    transfer::Problem,
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Shared, batch::Finished, broken, pause::Pause, read::Item, remote::Remote};
use crate::{clock, fault, index::Committed};

/// The manifests of one commit are at most so many bytes, unless it is only one.
const MANIFESTS_MAX: usize = 4 << 20;
/// A head that moves so often in a row belongs to somebody who runs the same root twice. An upload and a watch of one root
/// are in each other's way less often.
const BEHIND_MAX: u32 = 64;

/// The newest commit, and what the next ones are made with.
pub(super) struct Chain<R> {
    pub(super) shared: Arc<Shared<R>>,
    pub(super) space: SpaceId,
    pub(super) root: RootId,
    pub(super) device: DeviceId,
    pub(super) keys: Arc<DeviceKeys>,
    pub(super) head: ChainHead,
    /// Whether the root is watched: then it must be known of a torn file too that something is stored at its path.
    pub(super) keeps: bool,
    /// Takes what was committed, for the index.
    pub(super) rows: mpsc::Sender<Committed>,
    pub(super) problems: mpsc::Sender<Problem>,
    /// What must be written before the first commit.
    pub(super) before: Option<JoinHandle<Result<(), Refusal>>>,
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

    async fn commit(&mut self, group: Vec<Finished>) -> Result<Vec<Item>, Refusal> {
        if let Some(before) = self.before.take() {
            before.await.map_err(|_| broken())??;
        }
        let (silent, mut group) = group.into_iter().partition::<Vec<_>, _>(|one| one.silent);
        let mut again = Vec::new();
        let mut behind = 0;
        while !group.is_empty() {
            match self.ask(self.draft(&group)).await? {
                CommitReply::Committed(head) => {
                    self.head = head;
                    self.settle(std::mem::take(&mut group)).await;
                }
                CommitReply::Behind(head) => {
                    behind += 1;
                    self.fall_in(head, behind)?;
                }
                CommitReply::Missing(ids) => {
                    let ids: HashSet<_> = ids.into_iter().collect();
                    let (lost, rest) = group.into_iter().partition::<Vec<_>, _>(|one| one.needs(&ids));
                    if lost.is_empty() {
                        return Err(needless());
                    }
                    again.extend(lost.iter().map(Finished::to_item));
                    group = rest;
                }
            }
        }
        if !silent.is_empty() {
            self.settle(silent).await;
        }
        Ok(again)
    }

    /// Commits removals and moves.
    pub(super) async fn commit_structure(&mut self, changes: &[Change]) -> Result<(), Refusal> {
        let mut behind = 0;
        loop {
            match self.ask(CommitDraft::structural(changes)).await? {
                CommitReply::Committed(head) => {
                    self.head = head;
                    return Ok(());
                }
                CommitReply::Behind(head) => {
                    behind += 1;
                    self.fall_in(head, behind)?;
                }
                CommitReply::Missing(_) => return Err(needless()),
            }
        }
    }

    /// Another commit came first, for the `behind`-th time in a row.
    fn fall_in(&mut self, head: ChainHead, behind: u32) -> Result<(), Refusal> {
        if head.number < self.head.number {
            return Err(went_back());
        }
        if behind > BEHIND_MAX {
            return Err(Refusal::new(
                ErrorCode::Conflict,
                "another agent commits to the same root; stop one of them, then upload again",
            ));
        }
        self.head = head;
        Ok(())
    }

    /// The same bytes until there is an answer, so that a commit that went through unheard is answered as such.
    async fn ask(&self, draft: CommitDraft) -> Result<CommitReply, Refusal> {
        let commit = draft.commit(self.space, self.device, self.root, self.head, clock::now());
        let upload: CommitUpload = draft.signed(Signed::sign(&commit, self.keys.signing()));
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

    fn draft(&self, group: &[Finished]) -> CommitDraft {
        let told = |one: &Finished| self.shared.told(&one.path);
        let entries = group
            .iter()
            .filter_map(|one| Some((told(one)?, one.manifest.as_slice())));
        CommitDraft::of(entries)
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
                        path: one.path.clone(),
                        code: ErrorCode::Changing,
                        message: message.into(),
                    })
                    .await;
                if self.keeps {
                    // Something of it is stored, and is counted like that.
                    one.replaces.into_iter().for_each(|before| counters.undo_file(before));
                    counters.done_file(one.size);
                    rows.push((one.path, one.row.never_held()));
                }
                continue;
            }
            if let Some(before) = one.replaces {
                counters.undo_file(before);
            }
            match one.row.kind {
                EntryKind::File => {
                    counters.done_file(one.size);
                    files += u64::from(!one.silent);
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

/// What was committed last is not known to the server any more, so nobody knows what else it has lost. Who begins anew hears
/// that from the index, and asks about everything.
fn went_back() -> Refusal {
    let advice = "the server has lost commits of this root, as when it was set up again from an older copy; upload again: what it still holds is not sent";
    Refusal {
        retry: true,
        ..Refusal::new(ErrorCode::Conflict, advice)
    }
}

fn needless() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "the server misses chunks that nothing needs; update the older of the two programs",
    )
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
