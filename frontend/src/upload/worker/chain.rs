//! Commits what is durable, in the order of the root's chain. The page signs.

use std::collections::{HashSet, VecDeque};

use beckon_shared::{
    bulk::{CommitDraft, CommitReply, CommitUpload},
    commit::{CHANGES_MAX, ChainHead},
    error::{ErrorCode, Refusal},
    id::{ChunkId, DeviceId, RootId, SpaceId},
    manifest::{Content, Manifest},
};
use futures_channel::mpsc;
use futures_util::StreamExt;

use super::{batch::Finished, page::misunderstood, pause::until_answered, remote::Remote};
use crate::{
    dom,
    upload::message::{Answer, Ask},
};

/// The manifests of one commit are at most so many bytes, unless it is only one.
const MANIFESTS_MAX: usize = 4 << 20;
/// A head that moves so often in a row never comes to rest.
const BEHIND_MAX: u32 = 64;

/// The newest commit, and what the next ones are made with.
pub(super) struct Chain<'a> {
    pub(super) remote: &'a Remote,
    pub(super) space: SpaceId,
    pub(super) root: RootId,
    pub(super) device: DeviceId,
    pub(super) head: ChainHead,
}

impl Chain<'_> {
    /// Commits all that comes. The entries of which the server lost something meanwhile come back, to be read again.
    pub(super) async fn commit_all(
        &mut self,
        mut durable: mpsc::Receiver<Vec<Finished>>,
    ) -> Result<Vec<usize>, Refusal> {
        let mut waiting = VecDeque::new();
        let mut again = Vec::new();
        while let Some(finished) = durable.next().await {
            waiting.extend(finished);
            while !waiting.is_empty() {
                // What became durable during the commit before goes along with the next one.
                while waiting.len() < CHANGES_MAX
                    && let Ok(finished) = durable.try_recv()
                {
                    waiting.extend(finished);
                }
                again.append(&mut self.commit(take_group(&mut waiting)).await?);
            }
        }
        Ok(again)
    }

    async fn commit(&mut self, mut group: Vec<Finished>) -> Result<Vec<usize>, Refusal> {
        let mut again = Vec::new();
        let mut behind = 0;
        while !group.is_empty() {
            let upload = self.sign(&group).await?;
            // The same bytes until there is an answer, so that a commit that went through unheard is answered as such.
            match until_answered(self.remote, async || self.remote.commit(&upload).await).await? {
                CommitReply::Committed(head) => {
                    self.head = head;
                    self.settle(&std::mem::take(&mut group));
                }
                CommitReply::Behind(head) => {
                    behind += 1;
                    if behind > BEHIND_MAX {
                        return Err(busy());
                    }
                    self.head = head;
                }
                CommitReply::Missing(ids) => {
                    let ids: HashSet<_> = ids.into_iter().collect();
                    let (lost, rest) = group.into_iter().partition::<Vec<_>, _>(|one| one.needs(&ids));
                    if lost.is_empty() {
                        return Err(misunderstood());
                    }
                    self.remote.counters.settled(lost.iter().map(|one| one.size).sum());
                    again.extend(lost.iter().map(|one| one.entry));
                    group = rest;
                }
            }
        }
        Ok(again)
    }

    async fn sign(&self, group: &[Finished]) -> Result<CommitUpload, Refusal> {
        let entries = group.iter().map(|one| (one.path.clone(), one.manifest.as_slice()));
        let draft = CommitDraft::of(entries);
        let commit = draft.commit(self.space, self.device, self.root, self.head, dom::now());
        match self.remote.page.ask(Ask::Sign(commit)).await? {
            Answer::Signed(commit) => Ok(draft.signed(*commit)),
            _ => Err(misunderstood()),
        }
    }

    fn settle(&self, group: &[Finished]) {
        let counters = &self.remote.counters;
        for one in group {
            counters.settled(one.size);
            match one.is_file {
                true => counters.done_file(one.size),
                false => counters.held(),
            }
        }
    }
}

impl Finished {
    fn needs(&self, ids: &HashSet<ChunkId>) -> bool {
        match Manifest::parse(&self.manifest).map(|manifest| manifest.content) {
            Ok(Content::File(file)) => file.chunks.iter().any(|chunk| ids.contains(&chunk.id)),
            _ => false,
        }
    }
}

fn busy() -> Refusal {
    Refusal::new(
        ErrorCode::Conflict,
        "other tabs put files in all the time; wait for them, then try again",
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
