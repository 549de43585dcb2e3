//! The commits of a followed root, believed only as far as the device that the order names has signed them. Whoever hands
//! them over can hold them back from some number on, and nothing else.

use std::collections::HashSet;

use beckon_shared::{
    bulk::CommitRecord,
    certificate::{BadCertificate, Chain},
    commit::{ChainHead, Change, Commit, commit_hash, decode_changes},
    error::{ErrorCode, Refusal},
    id::{DeviceId, Hash, RootId, SpaceId},
    order::FollowOrder,
    signature::PublicKey,
    statement::Standing,
};

/// The chain of one root's commits, verified up to its head.
#[derive(Debug, Clone)]
pub(crate) struct History {
    key: PublicKey,
    device: DeviceId,
    root: RootId,
    space: SpaceId,
    head: ChainHead,
}

/// Why commits are not believed. Nothing of them is used then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCommit {
    /// No certificate of the device came, or one that does not stand.
    #[error("the device that is followed cannot be verified ({0}); if it was revoked, end this and follow another one")]
    Origin(#[from] BadCertificate),
    /// The server gave no certificate.
    #[error(
        "the server does not prove who it is that is followed; update it, and if that does not help do not trust it"
    )]
    Unproven,
    /// Another device signed it, or its bytes were changed.
    #[error(
        "a commit was not signed by the device that is followed; nothing of it was written: do not trust this server"
    )]
    Signature,
    /// It is about something else.
    #[error("a commit of another root was shown; nothing of it was written: do not trust this server")]
    Place,
    /// Commits are missing before it, or it was taken already.
    #[error(
        "commit {got} was shown where commit {expected} must come; nothing of it was written: do not trust this server"
    )]
    Order {
        /// The number that must come.
        expected: u64,
        /// The one that came.
        got: u64,
    },
    /// It continues another history.
    #[error(
        "the history of what is followed is not the one that was copied so far: it began anew, or the server tells a false one; look at both, then end this and follow again"
    )]
    Parent,
    /// It is not the one that the order names, or does not lead there.
    #[error(
        "what is to be restored is not what was there when that was ordered; nothing of it was written: order it again, and if that does not help do not trust this server"
    )]
    End,
    /// What it names is not what came with it.
    #[error("what a commit changed was altered on its way; nothing of it was written: do not trust this server")]
    Changes,
    /// It says what no commit says.
    #[error("a commit is malformed; update the agent of the older machine")]
    Malformed,
}

impl BadCommit {
    /// In the words of the protocol.
    pub(crate) fn refusal(self) -> Refusal {
        let code = match self {
            Self::Origin(BadCertificate::Revoked) => ErrorCode::Revoked,
            Self::Parent => ErrorCode::Conflict,
            _ => ErrorCode::NotAllowed,
        };
        Refusal::new(code, self.to_string())
    }
}

impl History {
    /// Of what an order follows, as far as it was verified before.
    ///
    /// An id is the hash of the keys, so any certificate of the device that the account made shows them, one that has ended
    /// too: what it signed while it counted stays signed.
    pub(crate) fn of(
        order: &FollowOrder,
        origin: Option<&Chain>,
        account_key: &PublicKey,
        standing: &Standing,
        head: ChainHead,
    ) -> Result<Self, BadCommit> {
        let chain = origin.ok_or(BadCommit::Unproven)?;
        let issued = chain.device.peek().map_err(BadCertificate::from)?.issued;
        let certificate = chain.verify_at(account_key, Some(&order.from.device), issued, standing)?;
        Ok(Self {
            key: certificate.keys.sign,
            device: order.from.device,
            root: order.from.root,
            space: order.space,
            head,
        })
    }

    /// The same, verified up to another commit.
    pub(crate) fn at(self, head: ChainHead) -> Self {
        Self { head, ..self }
    }

    /// The last commit that was taken.
    pub(crate) fn head(&self) -> ChainHead {
        self.head
    }

    /// What the next commit changed. If it is not believed, the head stays where it is.
    pub(crate) fn take(&mut self, record: &CommitRecord) -> Result<Vec<Change>, BadCommit> {
        let commit = record.commit.verify(&self.key).map_err(|_| BadCommit::Signature)?;
        self.check(&commit)?;
        if Hash::of(&record.changes) != commit.changes {
            return Err(BadCommit::Changes);
        }
        let changes = decode_changes(&record.changes).map_err(|_| BadCommit::Malformed)?;
        check_changes(&changes)?;
        self.head = ChainHead {
            number: commit.number,
            hash: commit_hash(&record.commit),
        };
        Ok(changes)
    }

    fn check(&self, commit: &Commit) -> Result<(), BadCommit> {
        let is_here = (commit.device, commit.root, commit.space) == (self.device, self.root, self.space);
        let expected = self.head.number.saturating_add(1);
        match commit {
            Commit { suite, .. } if *suite != 0 => Err(BadCommit::Malformed),
            _ if !is_here => Err(BadCommit::Place),
            Commit { number, .. } if *number != expected => Err(BadCommit::Order { expected, got: *number }),
            Commit { parent, .. } if *parent != self.head.hash => Err(BadCommit::Parent),
            _ => Ok(()),
        }
    }
}

/// Whether these can stand in one commit.
fn check_changes(changes: &[Change]) -> Result<(), BadCommit> {
    let structural = changes.iter().filter(|change| change.is_structural()).count();
    if structural != 0 && structural != changes.len() {
        return Err(BadCommit::Malformed);
    }
    let mut puts = HashSet::new();
    let is_sound = |change: &Change| match change {
        Change::Put { path, .. } => puts.insert(path.clone()),
        Change::Remove { path } => !path.is_root(),
        Change::Move { from, to } => !from.is_root() && !to.is_root() && !from.holds(to),
    };
    match changes.iter().all(is_sound) {
        true => Ok(()),
        false => Err(BadCommit::Malformed),
    }
}

#[cfg(test)]
pub(crate) mod tests;
