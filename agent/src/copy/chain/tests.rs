//! Commits as they should be, and each way in which a server could bend them.

use beckon_shared::{
    certificate::Role,
    id::TransferId,
    keys::{AccountKey, DeviceKeys},
    order::{Extent, Followed},
    path::{Label, RootPath},
    signature::Signed,
    statement::Statement,
    wire,
};
use proptest::prelude::*;

use super::*;
use crate::{clock, orders::tests::certify};

/// The root that is followed.
pub(crate) const ROOT: RootId = RootId([7; 16]);

/// A device that commits, and its account.
pub(crate) struct Author {
    pub(crate) account: AccountKey,
    pub(crate) keys: DeviceKeys,
    pub(crate) space: SpaceId,
    pub(crate) head: ChainHead,
}

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            account: AccountKey::from_bytes(&[seed; 32]),
            keys: DeviceKeys::from_bytes(&[seed.wrapping_add(90); 64]),
            space: SpaceId::new(clock::now(), [seed; 10]),
            head: ChainHead::EMPTY,
        }
    }

    pub(crate) fn certificate(&self) -> Chain {
        certify(&self.account, &self.keys, Role::Source, None)
    }

    /// An order to follow what it commits, below this path.
    pub(crate) fn follow(&self, path: &str) -> FollowOrder {
        FollowOrder {
            root: RootId([1; 16]),
            root_name: Label::new("Copies").unwrap(),
            path: RootPath::new("copy").unwrap(),
            space: self.space,
            from: Followed {
                device: self.keys.id(),
                root: ROOT,
                path: RootPath::new(path).unwrap(),
            },
            extent: Extent::Kept,
        }
    }

    pub(crate) fn history(&self) -> History {
        let (follow, chain) = (self.follow(""), self.certificate());
        History::of(
            &follow,
            Some(&chain),
            &self.account.public(),
            &Standing::default(),
            ChainHead::EMPTY,
        )
        .unwrap()
    }

    /// The commit that would come next.
    pub(crate) fn draft(&self, changes: &[Change]) -> (Commit, Vec<u8>) {
        let encoded = wire::encode(&changes.to_vec());
        let commit = Commit {
            suite: 0,
            space: self.space,
            device: self.keys.id(),
            root: ROOT,
            number: self.head.number + 1,
            parent: self.head.hash,
            changes: Hash::of(&encoded),
            at: clock::now(),
        };
        (commit, encoded)
    }

    pub(crate) fn sign(&self, commit: &Commit, changes: Vec<u8>) -> CommitRecord {
        CommitRecord {
            commit: Signed::sign(commit, self.keys.signing()),
            changes,
        }
    }

    /// The next commit.
    pub(crate) fn commit(&mut self, changes: &[Change]) -> CommitRecord {
        let (commit, changes) = self.draft(changes);
        let record = self.sign(&commit, changes);
        self.head = ChainHead {
            number: commit.number,
            hash: commit_hash(&record.commit),
        };
        record
    }
}

pub(crate) fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

pub(crate) fn put(text: &str, hash: u8) -> Change {
    Change::Put {
        path: path(text),
        manifest: Hash([hash; 32]),
    }
}

pub(crate) fn remove(text: &str) -> Change {
    Change::Remove { path: path(text) }
}

pub(crate) fn moved(from: &str, to: &str) -> Change {
    Change::Move {
        from: path(from),
        to: path(to),
    }
}

#[test]
fn commits_in_their_order_are_taken() {
    let mut author = Author::new(1);
    let mut history = author.history();
    for changes in [
        vec![put("a", 1), put("a/b", 2)],
        vec![moved("a", "c"), remove("c/b")],
        vec![put("", 3)],
        vec![],
    ] {
        let record = author.commit(&changes);
        assert_eq!(history.take(&record), Ok(changes));
        assert_eq!(history.head(), author.head);
    }
}

#[test]
fn whatever_a_server_bends_is_refused_and_the_head_stays() {
    let mut author = Author::new(1);
    let mut history = author.history();
    let first = author.commit(&[put("a", 1)]);
    history.take(&first).unwrap();
    let before = author.head;
    let second = author.commit(&[put("b", 2)]);
    let third = author.commit(&[put("c", 3)]);
    author.head = before;
    let other_first = Author::new(1).commit(&[put("x", 9)]);
    let stranger = Author::new(2).commit(&[put("a", 1)]);
    let bent = |change: &dyn Fn(&mut Commit)| {
        let (mut commit, changes) = author.draft(&[put("b", 2)]);
        change(&mut commit);
        author.sign(&commit, changes)
    };
    let mut swapped = second.clone();
    swapped.changes = third.changes.clone();
    let mut altered = second.clone();
    altered.commit.bytes[20] ^= 1;
    let mut resigned = second.clone();
    resigned.commit = Signed::sign(&second.commit.peek().unwrap(), Author::new(2).keys.signing());
    let elsewhere = Author {
        head: ChainHead {
            number: 1,
            hash: commit_hash(&other_first.commit),
        },
        ..Author::new(1)
    };
    let elsewhere = Author {
        space: author.space,
        ..elsewhere
    };
    for (what, record, bad) in [
        ("replayed", first, BadCommit::Order { expected: 2, got: 1 }),
        ("one withheld", third, BadCommit::Order { expected: 2, got: 3 }),
        ("another device's", stranger, BadCommit::Signature),
        ("signed by another device", resigned, BadCommit::Signature),
        ("altered", altered, BadCommit::Signature),
        ("with the changes of another", swapped, BadCommit::Changes),
        (
            "of another root",
            bent(&|commit| commit.root = RootId([8; 16])),
            BadCommit::Place,
        ),
        (
            "of another space",
            bent(&|commit| commit.space = Author::new(3).space),
            BadCommit::Place,
        ),
        (
            "in the name of another device",
            bent(&|commit| commit.device = DeviceId([1; 32])),
            BadCommit::Place,
        ),
        (
            "of a later suite",
            bent(&|commit| commit.suite = 1),
            BadCommit::Malformed,
        ),
        (
            "that continues another history",
            { elsewhere }.commit(&[put("b", 2)]),
            BadCommit::Parent,
        ),
    ] {
        assert_eq!(history.take(&record), Err(bad), "{what}");
        assert_eq!(history.head(), before, "{what}");
    }
    assert!(history.take(&second).is_ok());
}

#[test]
fn changes_that_no_commit_holds_are_malformed() {
    for changes in [
        vec![put("a", 1), remove("b")],
        vec![put("a", 1), put("a", 2)],
        vec![remove("")],
        vec![moved("a", "a/b")],
        vec![moved("a", "a")],
        vec![moved("", "a")],
        vec![moved("a", "")],
    ] {
        let mut author = Author::new(1);
        let mut history = author.history();
        let record = author.commit(&changes);
        assert_eq!(history.take(&record), Err(BadCommit::Malformed), "{changes:?}");
        assert_eq!(history.head(), ChainHead::EMPTY);
    }
}

#[test]
fn only_a_device_of_the_account_that_is_not_revoked_is_followed() {
    let author = Author::new(1);
    let of = |chain: Option<&Chain>, standing: &Standing| {
        History::of(
            &author.follow(""),
            chain,
            &author.account.public(),
            standing,
            ChainHead::EMPTY,
        )
    };
    let good = author.certificate();
    assert!(of(Some(&good), &Standing::default()).is_ok());
    assert_eq!(of(None, &Standing::default()).err(), Some(BadCommit::Unproven));
    let other = certify(&author.account, &Author::new(2).keys, Role::Source, None);
    assert_eq!(
        of(Some(&other), &Standing::default()).err(),
        Some(BadCommit::Origin(BadCertificate::Device))
    );
    let foreign = certify(&Author::new(2).account, &author.keys, Role::Source, None);
    assert!(of(Some(&foreign), &Standing::default()).is_err());
    let ended = certify(
        &author.account,
        &author.keys,
        Role::Controller,
        Some(clock::now().before(std::time::Duration::from_secs(3600))),
    );
    assert!(
        of(Some(&ended), &Standing::default()).is_ok(),
        "what it signed stays signed"
    );
    let mut standing = Standing::default();
    let revocation = standing
        .revoke(&author.account.public(), &[author.keys.id()], clock::now())
        .unwrap();
    let signed = Signed::sign(&Statement::Revocation(revocation), author.account.signing());
    standing.accept(&signed, &author.account.public()).unwrap();
    let revoked = of(Some(&good), &standing).err().unwrap();
    assert_eq!(revoked, BadCommit::Origin(BadCertificate::Revoked));
    assert_eq!(revoked.refusal().code, ErrorCode::Revoked);
}

proptest! {
    #[test]
    fn any_order_of_any_commits_yields_a_beginning_of_the_history(picks in proptest::collection::vec(0usize..6, 0..24)) {
        let mut author = Author::new(1);
        let records: Vec<_> = (0..6).map(|at| author.commit(&[put("a", at)])).collect();
        let mut history = Author::new(1).history_in(author.space);
        let mut taken = 0;
        for pick in picks {
            match history.take(&records[pick]) {
                Ok(changes) => {
                    prop_assert_eq!(pick, taken);
                    prop_assert_eq!(changes, vec![put("a", pick as u8)]);
                    taken += 1;
                }
                Err(bad) => prop_assert_eq!(bad, BadCommit::Order { expected: taken as u64 + 1, got: pick as u64 + 1 }),
            }
        }
        prop_assert_eq!(history.head().number, taken as u64);
    }
}

impl Author {
    fn history_in(&self, space: SpaceId) -> History {
        History {
            space,
            ..self.history()
        }
    }
}

/// Ids of transfers in tests.
pub(crate) fn transfer(seed: u8) -> TransferId {
    TransferId::new(clock::now(), [seed; 10])
}
