//! What the server hands over: commits, which count only by their signatures, and manifests, which count only by their hashes.

use std::collections::HashMap;

use beckon_shared::{
    bulk::{COMMITS_BODY_MAX, CommitRecord},
    commit::{CHANGES_MAX, ChainHead, Change},
    error::{ErrorCode, Refusal},
    id::Hash,
    manifest::Manifest,
    order::Extent,
};
use bytes::Bytes;

use super::{Follow, blocking};
use crate::copy::{
    chain::{BadCommit, History},
    diff::Dirty,
    server::{Remote, asked},
    source::Lines,
    want::Kind,
};

/// Manifests that were needed to understand commits, and are mostly needed again to write, are kept up to so many bytes.
const KEPT: usize = 8 << 20;

/// A body of commits that is far from its largest size was not cut. Bytes.
const SHORT: usize = COMMITS_BODY_MAX / 4;

/// Manifests that came lately.
#[derive(Debug, Default)]
pub(super) struct Learned {
    kept: HashMap<Hash, Bytes>,
    bytes: usize,
}

impl Learned {
    pub(super) fn take(&mut self, hash: &Hash) -> Option<Bytes> {
        let bytes = self.kept.remove(hash)?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    fn keep(&mut self, hash: Hash, bytes: Bytes) {
        if self.bytes + bytes.len() <= KEPT && !self.kept.contains_key(&hash) {
            self.bytes += bytes.len();
            self.kept.insert(hash, bytes);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Changes that are taken together, and the last commit that they are of.
struct Run {
    head: ChainHead,
    changes: Vec<Change>,
    is_structural: bool,
}

impl<R: Remote, L: Lines> Follow<R, L> {
    /// Takes all commits that there are, up to the one that the order ends with.
    pub(super) async fn learn(&mut self) -> Result<(), Refusal> {
        loop {
            let head = self.history.head();
            if let Some(end) = self.end_reached(head) {
                return check_end(head, end);
            }
            let after = head.number;
            let remote = &self.remote;
            let records = asked(&**remote, self.pace, || remote.commits(after)).await?;
            if records.is_empty() {
                return match self.job.order.extent {
                    Extent::At(end) => Err(too_few(after, end.number)),
                    Extent::Kept | Extent::Once => Ok(()),
                };
            }
            self.take(&records).await?;
            // A short answer holds all there are. What is copied once looks once more, and so does who waits for news.
            let bytes: usize = records.iter().map(|record| record.changes.len()).sum();
            if self.job.order.extent == Extent::Kept && bytes < SHORT {
                return Ok(());
            }
        }
    }

    /// The commit that the order ends with, if that was taken.
    fn end_reached(&self, head: ChainHead) -> Option<ChainHead> {
        match self.job.order.extent {
            Extent::At(end) if head.number >= end.number => Some(end),
            _ => None,
        }
    }

    /// All of them are verified before any of them counts.
    async fn take(&mut self, records: &[CommitRecord]) -> Result<(), Refusal> {
        let mut history = self.history.clone();
        let mut runs: Vec<Run> = Vec::new();
        for record in records {
            if self.end_reached(history.head()).is_some() {
                break;
            }
            let changes = history.take(record).map_err(BadCommit::refusal)?;
            let is_structural = changes.first().is_some_and(Change::is_structural);
            match runs.last_mut() {
                Some(run) if !run.is_structural && !is_structural => {
                    run.changes.extend(changes);
                    run.head = history.head();
                }
                _ => runs.push(Run {
                    head: history.head(),
                    changes,
                    is_structural,
                }),
            }
        }
        let mut before = self.history.head();
        for run in runs {
            let head = run.head;
            if !self.advance(before, run).await? {
                // An earlier run of this order was stopped while it wrote this down.
                let (desired, transfer) = (self.desired.clone(), self.job.transfer);
                let head = blocking(move || desired.head(transfer)).await?;
                self.history = history.at(head);
                self.dirty = Dirty::whole();
                return Ok(());
            }
            before = head;
        }
        self.history = history;
        Ok(())
    }

    async fn advance(&mut self, before: ChainHead, run: Run) -> Result<bool, Refusal> {
        let Run { head, changes, .. } = run;
        let (desired, transfer) = (self.desired.clone(), self.job.transfer);
        let (changes, unclear) = blocking(move || {
            let unclear = desired.unclear(transfer, &changes)?;
            Ok((changes, unclear))
        })
        .await?;
        let kinds = self.kinds(unclear).await?;
        let desired = self.desired.clone();
        let (is_taken, changes, kinds) = blocking(move || {
            let is_taken = desired.advance(transfer, (before, head), &changes, &kinds)?;
            Ok((is_taken, changes, kinds))
        })
        .await?;
        for change in &changes {
            self.dirty.change(change, &kinds);
        }
        Ok(is_taken)
    }

    async fn kinds(&mut self, unclear: Vec<Hash>) -> Result<HashMap<Hash, Kind>, Refusal> {
        let known = self.understood(unclear).await?;
        Ok(known
            .iter()
            .map(|(hash, manifest)| (*hash, Kind::of(manifest)))
            .collect())
    }

    /// These manifests, without those that are kept no more or not understood.
    pub(super) async fn understood(&mut self, wanted: Vec<Hash>) -> Result<HashMap<Hash, Manifest>, Refusal> {
        let mut known = HashMap::new();
        let mut open = wanted;
        while !open.is_empty() {
            let some = open[..open.len().min(CHANGES_MAX)].to_vec();
            let answered = manifests(&*self.remote, self.pace, &some).await?;
            open.drain(..answered.len());
            for (hash, bytes) in answered {
                let Some(bytes) = bytes else { continue };
                if let Ok(manifest) = Manifest::parse(&bytes) {
                    known.insert(hash, manifest);
                    self.learned.keep(hash, bytes);
                }
            }
        }
        Ok(known)
    }
}

/// The first of these manifests, at least one.
pub(super) async fn manifests<R: Remote>(
    remote: &R,
    pace: crate::upload::pause::Pace,
    wanted: &[Hash],
) -> Result<Vec<(Hash, Option<Bytes>)>, Refusal> {
    let answered = asked(remote, pace, || remote.manifests(wanted.to_vec())).await?;
    if answered.is_empty() {
        let advice = "the server does not hand over what commits name; see its log, then resume";
        return Err(Refusal::new(ErrorCode::Internal, advice));
    }
    let answered = wanted.iter().zip(answered).map(|(hash, bytes)| {
        if bytes.as_ref().is_some_and(|bytes| Hash::of(bytes) != *hash) {
            let advice = "what a commit names was swapped for something else; nothing of it was written: do not trust this server";
            return Err(Refusal::new(ErrorCode::NotAllowed, advice));
        }
        Ok((*hash, bytes))
    });
    answered.collect()
}

/// The commits behind those that were taken, for whoever looks for what came later.
pub(super) async fn later<R: Remote>(
    remote: &R,
    pace: crate::upload::pause::Pace,
    history: &mut History,
) -> Result<Vec<Vec<Change>>, Refusal> {
    let after = history.head().number;
    let records = asked(remote, pace, || remote.commits(after)).await?;
    records
        .iter()
        .map(|record| history.take(record).map_err(BadCommit::refusal))
        .collect()
}

/// Nothing was written before this.
fn check_end(head: ChainHead, end: ChainHead) -> Result<(), Refusal> {
    match head == end {
        true => Ok(()),
        false => Err(BadCommit::End.refusal()),
    }
}

fn too_few(there: u64, wanted: u64) -> Refusal {
    let advice = format!("the state after commit {wanted} is wanted, but only {there} are there; choose another date");
    Refusal::new(ErrorCode::NotFound, advice)
}
