//! What the evil server hands to a machine that copies: nothing is written but what the followed device signed.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use beckon_shared::{
    bulk::CommitRecord,
    certificate::{Chain, Role},
    commit::{ChainHead, Change, Commit, commit_hash},
    device::DeviceKind,
    entry::SourceStamp,
    id::{ChunkId, DeviceId, Hash, RootId, TransferId},
    manifest::{Content, ContentHasher, FileContent, Manifest},
    order::{Extent, FollowOrder, Followed, Order, OrderBody},
    path::{Label, RootPath},
    signature::Signed,
    transfer::TransferState,
    wire::{self, FromServer, Request},
};
use beckon_tests::wait_until;
use tempfile::TempDir;

use super::{
    account::{Account, Device, device_keys, now},
    control::CHUNK_KEY,
    scene::Scene,
    server::{Copies, LIMIT},
};

const ORIGIN_ROOT: RootId = RootId([8; 16]);

/// Ann's machine, whose writable root is to hold a copy of what her other machine `lab` stores.
struct Story {
    scene: Scene,
    copy: TempDir,
    lab: Lab,
}

/// A machine that stores, and everything that it stored.
struct Lab {
    device: Device,
    head: ChainHead,
    commits: Vec<CommitRecord>,
    manifests: HashMap<Hash, Vec<u8>>,
    chunks: HashMap<ChunkId, Vec<u8>>,
}

impl Story {
    #[track_caller]
    fn new() -> Self {
        let copy = tempfile::tempdir().unwrap();
        let scene = Scene::with(|joining| joining.writable_root("Copies", copy.path()));
        let lab = Lab::of(&scene.ann, 40);
        Self { scene, copy, lab }
    }

    /// Two commits of two files.
    #[track_caller]
    fn with_two_commits() -> Self {
        let mut story = Self::new();
        for (path, content) in [("first.txt", "the first"), ("second.txt", "the second")] {
            let change = story.lab.put(path, content);
            story.commit(&[change]);
        }
        story
    }

    fn commit(&mut self, changes: &[Change]) {
        let record = self.lab.next(&self.scene, changes);
        self.lab.head = head_of(&record);
        self.lab.commits.push(record);
    }

    fn copies(&self) -> Copies {
        Copies {
            origin: Some(self.lab.device.chain.clone()),
            commits: self.lab.commits.clone(),
            from_the_start: false,
            manifests: self.lab.manifests.clone(),
            chunks: self.lab.chunks.clone(),
        }
    }

    fn serve(&self, copies: Copies) {
        self.scene.server.lie(|lies| lies.copies = Some(copies));
    }

    fn order(&self, root: &str, extent: Extent) -> Order {
        let hello = self.scene.auth().hello;
        let view = hello.roots.iter().find(|view| view.name.as_str() == root).unwrap();
        let honest = self.scene.order(&self.scene.owner, "");
        Order {
            body: OrderBody::Follow(FollowOrder {
                root: view.id,
                root_name: Label::new(root).unwrap(),
                path: RootPath::new("lab").unwrap(),
                space: self.scene.server.space(),
                from: Followed {
                    device: self.lab.device.id(),
                    root: ORIGIN_ROOT,
                    path: RootPath::root(),
                },
                extent,
            }),
            ..honest
        }
    }

    /// Gives the order and waits until the machine has said how it ended.
    #[track_caller]
    fn copy_once(&self) -> TransferState {
        let order = self.scene.owner.sign(&self.order("Copies", Extent::Once));
        let id = order.order.peek().unwrap().id;
        self.scene.allow(id);
        self.scene.push(&order);
        self.scene.end_of(id)
    }

    #[track_caller]
    fn assert_nothing_written(&self, what: &str) {
        assert_eq!(written(self.copy.path()), BTreeMap::new(), "{what}");
    }

    fn wait_written(&self, path: &str, content: &str) {
        wait_until("the file is written", LIMIT, || {
            fs::read_to_string(self.copy.path().join("lab").join(path)).is_ok_and(|now| now == content)
        });
    }
}

impl Lab {
    fn of(ann: &Account, seed: u8) -> Self {
        let device = ann.device(seed, |certificate| {
            (certificate.role, certificate.kind) = (Role::Source, DeviceKind::Agent);
        });
        Self {
            device,
            head: ChainHead::EMPTY,
            commits: Vec::new(),
            manifests: HashMap::new(),
            chunks: HashMap::new(),
        }
    }

    /// Stores a file; the change that puts it.
    fn put(&mut self, path: &str, content: &str) -> Change {
        let id = CHUNK_KEY.id(content.as_bytes());
        self.chunks.insert(id, content.as_bytes().to_vec());
        let mut hasher = ContentHasher::default();
        hasher.add(id, content.as_bytes());
        let sum = hasher.finish();
        let manifest = wire::encode(&Manifest {
            suite: 0,
            mode: 0o644,
            mtime_ns: 1_700_000_000_000_000_000,
            content: Content::File(FileContent {
                stamp: SourceStamp {
                    size: sum.size,
                    mtime_ns: 1_700_000_000_000_000_000,
                    ctime_ns: 1,
                    file_id: 1,
                },
                read_ns: 1_800_000_000_000_000_000,
                hash: sum.hash,
                crc32: sum.crc32,
                torn: false,
                sparse: false,
                chunks: sum.chunks,
            }),
        });
        let hash = Hash::of(&manifest);
        self.manifests.insert(hash, manifest);
        Change::Put {
            path: RootPath::new(path).unwrap(),
            manifest: hash,
        }
    }

    /// The commit that would come next.
    fn next(&self, scene: &Scene, changes: &[Change]) -> CommitRecord {
        let encoded = wire::encode(&changes.to_vec());
        let commit = Commit {
            suite: 0,
            space: scene.server.space(),
            device: self.device.id(),
            root: ORIGIN_ROOT,
            number: self.head.number + 1,
            parent: self.head.hash,
            changes: Hash::of(&encoded),
            at: now(),
        };
        CommitRecord {
            commit: Signed::sign(&commit, self.device.keys.signing()),
            changes: encoded,
        }
    }
}

fn head_of(record: &CommitRecord) -> ChainHead {
    ChainHead {
        number: record.commit.peek().unwrap().number,
        hash: commit_hash(&record.commit),
    }
}

/// Every file below a folder, with its content.
fn written(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(written(&path)),
            false => _ = files.insert(path.display().to_string(), fs::read_to_string(&path).unwrap()),
        }
    }
    files
}

/// As [`Signed::sign`], by somebody else.
fn forged(record: &CommitRecord, by: &Device) -> CommitRecord {
    CommitRecord {
        commit: Signed::sign(&record.commit.peek().unwrap(), by.keys.signing()),
        changes: record.changes.clone(),
    }
}

#[test]
fn what_the_followed_device_signed_is_written_so_that_the_lies_below_mean_something() {
    let story = Story::with_two_commits();
    story.serve(story.copies());
    assert_eq!(story.copy_once(), TransferState::Done);
    story.wait_written("first.txt", "the first");
    story.wait_written("second.txt", "the second");
}

#[test]
fn commits_that_are_forged_reordered_withheld_or_replayed_have_nothing_written() {
    let story = Story::with_two_commits();
    let owner = &story.scene.owner;
    let honest = story.copies();
    type Bend<'a> = Box<dyn Fn(&mut Copies) + 'a>;
    let lies: Vec<(&str, Bend)> = vec![
        (
            "forged by a controller",
            Box::new(|lie| lie.commits[0] = forged(&lie.commits[0], owner)),
        ),
        (
            "forged by a stranger who is shown as the origin",
            Box::new(|lie| {
                let stranger = Account::new(66).controller(67);
                lie.commits[0] = forged(&lie.commits[0], &stranger);
                lie.origin = Some(stranger.chain);
            }),
        ),
        (
            "of another device of the account that is shown as the origin",
            Box::new(|lie| {
                lie.commits[0] = forged(&lie.commits[0], owner);
                lie.origin = Some(owner.chain.clone());
            }),
        ),
        ("of nobody who is proved", Box::new(|lie| lie.origin = None)),
        (
            "of a device that certifies itself",
            Box::new(|lie| {
                let keys = device_keys(40);
                let certificate = lie.origin.as_ref().unwrap().device.peek().unwrap();
                lie.origin = Some(Chain {
                    device: Signed::sign(&certificate, keys.signing()),
                    enrolment: None,
                });
            }),
        ),
        ("reordered", Box::new(|lie| lie.commits.swap(0, 1))),
        ("withheld at the start", Box::new(|lie| _ = lie.commits.remove(0))),
        ("replayed", Box::new(|lie| lie.commits[1] = lie.commits[0].clone())),
        ("altered", Box::new(|lie| lie.commits[1].changes[3] ^= 1)),
        (
            "with the changes of another",
            Box::new(|lie| lie.commits[0].changes = lie.commits[1].changes.clone()),
        ),
    ];
    for (what, bend) in lies {
        let mut lie = honest.clone();
        bend(&mut lie);
        story.serve(lie);
        assert_eq!(story.copy_once(), TransferState::Failed, "{what}");
        story.assert_nothing_written(what);
    }
}

#[test]
fn a_swapped_manifest_or_chunk_is_never_written() {
    let story = Story::with_two_commits();
    let mut lie = story.copies();
    let hashes: Vec<_> = lie.manifests.keys().copied().collect();
    let other = lie.manifests[&hashes[1]].clone();
    lie.manifests.insert(hashes[0], other);
    story.serve(lie);
    assert_eq!(story.copy_once(), TransferState::Failed);
    story.assert_nothing_written("a manifest");
    let mut lie = story.copies();
    for (id, bytes) in &mut lie.chunks {
        if *id == CHUNK_KEY.id(b"the second") {
            *bytes = b"the forged".to_vec();
        }
    }
    story.serve(lie);
    assert_eq!(story.copy_once(), TransferState::Partly, "the other file is honest");
    let found: Vec<_> = written(story.copy.path()).into_values().collect();
    assert_eq!(found, ["the first"]);
}

#[test]
fn a_follow_that_is_lied_to_later_keeps_what_it_wrote() {
    let mut story = Story::with_two_commits();
    story.serve(story.copies());
    let order = story.scene.owner.sign(&story.order("Copies", Extent::Kept));
    let transfer = order.order.peek().unwrap().id;
    story.scene.allow(transfer);
    story.scene.push(&order);
    story.wait_written("second.txt", "the second");
    let before = written(story.copy.path());
    let change = story.lab.put("first.txt", "forged");
    let record = story.lab.next(&story.scene, &[change, story_remove()]);
    let mut lie = story.copies();
    lie.commits.push(forged(&record, &story.scene.owner));
    story.serve(lie);
    story.scene.server.push(&FromServer::News { transfer });
    assert_eq!(story.scene.end_of(transfer), TransferState::Failed);
    assert_eq!(written(story.copy.path()), before);
}

fn story_remove() -> Change {
    Change::Remove {
        path: RootPath::new("second.txt").unwrap(),
    }
}

#[test]
fn an_old_history_that_is_told_again_changes_nothing() {
    let mut story = Story::with_two_commits();
    let change = story.lab.put("first.txt", "the newest");
    story.commit(&[change]);
    story.serve(story.copies());
    let order = story.scene.owner.sign(&story.order("Copies", Extent::Kept));
    let transfer = order.order.peek().unwrap().id;
    story.scene.allow(transfer);
    story.scene.push(&order);
    story.wait_written("first.txt", "the newest");
    let lie = Copies {
        from_the_start: true,
        ..story.copies()
    };
    story.serve(lie);
    story.scene.server.push(&FromServer::News { transfer });
    assert_eq!(story.scene.end_of(transfer), TransferState::Failed);
    story.wait_written("first.txt", "the newest");
}

#[test]
fn orders_to_write_where_nobody_may_or_for_another_machine_write_nothing() {
    let story = Story::with_two_commits();
    story.serve(story.copies());
    let honest = story.order("Copies", Extent::Once);
    let sign = |order: &Order| story.scene.owner.sign(order);
    let renamed = |id: u8, change: &dyn Fn(&mut Order)| {
        let mut order = honest.clone();
        order.id = TransferId::new(now(), [id; 10]);
        change(&mut order);
        sign(&order)
    };
    let mut forged = renamed(1, &|_| {});
    forged.order.signature[0] ^= 1;
    let read_only = {
        let mut order = story.order("Documents", Extent::Once);
        order.id = TransferId::new(now(), [2; 10]);
        sign(&order)
    };
    let root_of_another_name = renamed(3, &|order| {
        if let OrderBody::Follow(follow) = &mut order.body {
            follow.root_name = Label::new("Documents").unwrap();
        }
    });
    let for_another = renamed(4, &|order| order.target = DeviceId([3; 32]));
    let by_a_machine = story.lab.device.sign(&Order {
        id: TransferId::new(now(), [5; 10]),
        signer: story.lab.device.id(),
        ..honest.clone()
    });
    for (what, order) in [
        ("forged", forged),
        ("into a root that is only read", read_only),
        ("into a root of another name", root_of_another_name),
        ("for another machine", for_another),
        ("by a machine", by_a_machine),
    ] {
        let id = order.order.peek().unwrap().id;
        story.scene.push(&order);
        assert_eq!(story.scene.end_of(id), TransferState::Failed, "{what}");
        let begun = |seen: &super::server::Seen| {
            let mut begun = seen.requests.iter();
            begun.any(|request| matches!(request, Request::BeginTransfer { transfer } if *transfer == id))
        };
        assert!(!story.scene.server.seen(begun), "{what}");
        story.assert_nothing_written(what);
    }
}
