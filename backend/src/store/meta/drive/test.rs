//! Listing, finding, moving, deleting and restoring, on a real database.

mod finding;

use std::time::Duration;

use beckon_shared::{
    api::drive::Move,
    chunk::ChunkRef,
    entry::SourceStamp,
    id::{AccountId, ChunkId, DeviceId, Hash, RootId, VersionId},
    manifest::FileContent,
    path::RootPath,
    wire,
};
use sea_orm::ActiveValue::Set;

use super::{
    change::{delete, move_node, restore},
    deleted::deleted,
    head::{Origin, heads},
    past::When,
    walk::Walk,
    *,
};
use crate::{
    access::{Access, Right},
    clock::{Clock, fake::FakeClock, random},
    store::meta::{Meta, entity::source, numbers},
};

const DEVICE: DeviceId = DeviceId([3; 32]);
const ROOT: RootId = RootId([4; 16]);

struct Drive {
    meta: Meta,
    space: GrantedSpace,
    clock: FakeClock,
    source: i64,
    _dir: tempfile::TempDir,
}

/// `Laptop/docs` is bound to a root; below it lie `a.txt`, `link`, `sub` and `sub/b.txt`.
async fn drive() -> Drive {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(&format!("sqlite:{}", dir.path().join("meta.sqlite").display()))
        .await
        .unwrap();
    let clock = FakeClock::new();
    let space = granted(&meta, &clock, AccountId([1; 32])).await;
    let mut drive = Drive {
        meta,
        space,
        clock,
        source: 0,
        _dir: dir,
    };
    drive.add("", "Laptop", Kind::Folder).await;
    let docs = drive.add("Laptop", "docs", Kind::Folder).await;
    drive.bind_root(docs).await;
    for (folder, name, kind) in [
        ("", "a.txt", Kind::File),
        ("", "link", Kind::Symlink),
        ("", "sub", Kind::Folder),
        ("/sub", "b.txt", Kind::File),
    ] {
        let node = drive.add(&format!("Laptop/docs{folder}"), name, kind).await;
        drive.bind(node, name).await;
    }
    drive
}

async fn granted(meta: &Meta, clock: &FakeClock, account: AccountId) -> GrantedSpace {
    let txn = meta.write().await.unwrap();
    let space = space::create(&txn, clock, account).await.unwrap();
    txn.commit().await.unwrap();
    Access {
        account,
        admin: false,
        spaces: vec![(space, Right::Write)],
    }
    .space(space, Right::Write)
    .unwrap()
}

fn place(path: &str) -> Place {
    Place::Path(
        path.split('/')
            .filter(|name| !name.is_empty())
            .map(|name| Name::new(name).unwrap())
            .collect(),
    )
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn content(kind: Kind) -> Content {
    let stamp = SourceStamp {
        size: 5,
        mtime_ns: 7_000_000_000,
        ctime_ns: 0,
        file_id: u64::MAX,
    };
    let chunks = vec![ChunkRef {
        id: ChunkId([9; 32]),
        len: 5,
    }];
    match kind {
        Kind::Folder => Content::Folder,
        Kind::Symlink => Content::Symlink(b"../elsewhere".to_vec()),
        Kind::File => Content::File(FileContent {
            stamp,
            read_ns: 8_000_000_000,
            hash: Hash([6; 32]),
            crc32: 1,
            torn: false,
            sparse: false,
            chunks,
        }),
    }
}

impl Drive {
    async fn add(&self, folder: &str, name: &str, kind: Kind) -> Row {
        let folder = self.at(folder).await;
        let txn = self.meta.write().await.unwrap();
        let no = numbers(&txn, 2).await.unwrap();
        let id = NodeId::new(self.clock.now(), random(&self.clock));
        let row = node::ActiveModel {
            no: Set(no),
            id: Set(id.as_bytes().to_vec()),
            space: Set(self.space.column()),
            parent: Set(Some(folder.node.no)),
            name: Set(name.as_bytes().to_vec()),
            folded: Set(super::search::folded(name.as_bytes())),
            kind: Set(kind),
            head: Set(Some(no + 1)),
            source: Set(None),
            source_parent: Set(None),
            source_name: Set(None),
            created: Set(0),
            deleted_at: Set(None),
        };
        node::Entity::insert(row).exec_without_returning(&txn).await.unwrap();
        self.add_version(&txn, no, no + 1, kind).await;
        txn.commit().await.unwrap();
        find(self.meta.read(), &self.space, &Place::Node(id)).await.unwrap()
    }

    async fn add_version(&self, txn: &super::super::Txn, node: i64, no: i64, kind: Kind) {
        let bytes = wire::encode(&Manifest {
            suite: 0,
            mode: 0o640,
            mtime_ns: 7,
            content: content(kind),
        });
        let file = kind == Kind::File;
        let row = version::ActiveModel {
            no: Set(no),
            id: Set(VersionId::new(self.clock.now(), random(&self.clock))
                .as_bytes()
                .to_vec()),
            node: Set(node),
            root_commit: Set(None),
            device: Set(Some(DEVICE.as_bytes().to_vec())),
            created: Set(0),
            suite: Set(0),
            key_epoch: Set(0),
            manifest_hash: Set(Hash::of(&bytes).as_bytes().to_vec()),
            kind: Set(kind),
            mode: Set(0o640),
            size: Set(5),
            mtime_ns: Set(7_000_000_000),
            hash: Set(file.then(|| vec![6; 32])),
            crc32: Set(file.then_some(1)),
            torn: Set(false),
            stamp_size: Set(file.then_some(5)),
            stamp_mtime_ns: Set(file.then_some(7_000_000_000)),
            stamp_ctime_ns: Set(file.then_some(0)),
            stamp_file_id: Set(file.then_some(-1)),
            read_ns: Set(file.then_some(8_000_000_000)),
        };
        version::Entity::insert(row).exec_without_returning(txn).await.unwrap();
        let row = manifest::ActiveModel {
            version: Set(no),
            bytes: Set(bytes),
        };
        manifest::Entity::insert(row).exec_without_returning(txn).await.unwrap();
    }

    async fn bind_root(&mut self, folder: Row) {
        let txn = self.meta.write().await.unwrap();
        self.source = numbers(&txn, 1).await.unwrap();
        let row = source::ActiveModel {
            no: Set(self.source),
            space: Set(self.space.column()),
            device: Set(DEVICE.as_bytes().to_vec()),
            root: Set(ROOT.as_bytes().to_vec()),
            folder: Set(folder.node.no),
            epoch: Set(0),
            head_number: Set(0),
            head_hash: Set(vec![0; 32]),
        };
        source::Entity::insert(row).exec_without_returning(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// Binds a node to the entry of that name in the folder that its parent is bound to.
    async fn bind(&self, row: Row, name: &str) {
        let txn = self.meta.write().await.unwrap();
        let bound = node::ActiveModel {
            no: Set(row.node.no),
            source: Set(Some(self.source)),
            source_parent: Set(row.node.parent),
            source_name: Set(Some(name.as_bytes().to_vec())),
            ..Default::default()
        };
        node::Entity::update(bound).exec(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    async fn at(&self, path: &str) -> Row {
        find(self.meta.read(), &self.space, &place(path)).await.unwrap()
    }

    async fn id(&self, path: &str) -> NodeId {
        self.at(path).await.id().unwrap()
    }

    async fn exists(&self, path: &str) -> bool {
        find(self.meta.read(), &self.space, &place(path)).await.is_ok()
    }

    async fn moved(&self, path: &str, parent: Option<&str>, new: Option<&str>) -> Result<u64, Error> {
        let parent = match parent {
            Some(parent) => Some(self.id(parent).await),
            None => None,
        };
        move_node(
            &self.meta,
            &self.space,
            &Move {
                node: self.id(path).await,
                parent,
                name: new.map(name),
            },
            self.clock.now(),
        )
        .await
    }

    async fn delete(&self, path: &str) -> NodeId {
        let id = self.id(path).await;
        delete(&self.meta, &self.space, &[id], self.clock.now()).await.unwrap();
        self.clock.advance(Duration::from_secs(1));
        id
    }

    async fn tree(&self) -> Vec<String> {
        let mut walk = Walk::below(self.at("").await, When::Now);
        let mut paths = Vec::new();
        while let Some(step) = walk.next(self.meta.read()).await.unwrap() {
            paths.push(String::from_utf8(step.path).unwrap());
        }
        paths
    }

    async fn heads(&self, path: &str) -> Vec<String> {
        let path = RootPath::new(path).unwrap();
        let origin = Origin {
            device: DEVICE,
            root: ROOT,
            path: &path,
        };
        let rows = heads(self.meta.read(), &self.space, &origin, None, 100).await.unwrap();
        rows.into_iter()
            .map(|(node, _)| String::from_utf8(node.source_name.unwrap()).unwrap())
            .collect()
    }

    async fn gone(&self, after: Option<NodeId>, limit: u64) -> Vec<String> {
        let found = deleted(self.meta.read(), &self.space, after, limit).await.unwrap();
        found
            .into_iter()
            .map(|gone| String::from_utf8(gone.path).unwrap())
            .collect()
    }

    async fn epoch(&self) -> i64 {
        source::Entity::find_by_id(self.source)
            .one(self.meta.read())
            .await
            .unwrap()
            .unwrap()
            .epoch
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorCode {
    result.unwrap_err().refusal().code
}

#[tokio::test]
async fn a_folder_is_listed_in_pages_with_heads_and_targets() {
    let drive = drive().await;
    let folder = drive.at("Laptop/docs").await;
    let first = children(drive.meta.read(), &folder, None, 2).await.unwrap();
    let rest = children(drive.meta.read(), &folder, Some(b"link"), 2).await.unwrap();
    let names: Vec<_> = first.iter().chain(&rest).map(|row| row.node.name.as_slice()).collect();
    assert_eq!(names, [b"a.txt".as_slice(), b"link", b"sub"]);
    assert_eq!(first[0].head.as_ref().unwrap().stamp().unwrap().file_id, u64::MAX);
    assert_eq!(first[1].target.as_deref(), Some(b"../elsewhere".as_slice()));
    assert_eq!(first[0].parent, Some(folder.id().unwrap()));
    assert_eq!(drive.at("Laptop").await.parent, None);
    assert_eq!(versions(drive.meta.read(), &first[0]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_of_another_account_can_be_found() {
    let drive = drive().await;
    let other = granted(&drive.meta, &drive.clock, AccountId([2; 32])).await;
    let node = Place::Node(drive.id("Laptop").await);
    assert_eq!(code(find(drive.meta.read(), &other, &node).await), ErrorCode::NotFound);
    assert_eq!(
        code(find(drive.meta.read(), &other, &place("Laptop")).await),
        ErrorCode::NotFound
    );
    assert_eq!(
        code(delete(&drive.meta, &other, &[drive.id("Laptop").await], drive.clock.now()).await),
        ErrorCode::NotFound
    );
    let path = RootPath::root();
    let origin = Origin {
        device: DEVICE,
        root: ROOT,
        path: &path,
    };
    assert!(
        heads(drive.meta.read(), &other, &origin, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_walk_gives_folders_before_what_is_in_them_and_goes_on_anywhere() {
    let drive = drive().await;
    drive.add("Laptop/docs", "sub.txt", Kind::File).await;
    let all = drive.tree().await;
    let expected = [
        "Files",
        "Laptop",
        "Laptop/docs",
        "Laptop/docs/a.txt",
        "Laptop/docs/link",
        "Laptop/docs/sub",
        "Laptop/docs/sub/b.txt",
        "Laptop/docs/sub.txt",
    ];
    assert_eq!(all, expected);
    for (index, path) in all.iter().enumerate() {
        let after = RootPath::new(path.as_bytes()).unwrap();
        let mut walk = Walk::resume(drive.meta.read(), drive.at("").await, When::Now, &after)
            .await
            .unwrap();
        let next = walk
            .next(drive.meta.read())
            .await
            .unwrap()
            .map(|step| String::from_utf8(step.path).unwrap());
        assert_eq!(next.as_ref(), all.get(index + 1));
    }
}

#[tokio::test]
async fn a_walk_goes_on_behind_a_place_that_is_gone() {
    let drive = drive().await;
    let after = RootPath::new("Laptop/docs/lost/deeper").unwrap();
    let mut walk = Walk::resume(drive.meta.read(), drive.at("").await, When::Now, &after)
        .await
        .unwrap();
    assert_eq!(
        walk.next(drive.meta.read()).await.unwrap().unwrap().path,
        b"Laptop/docs/sub"
    );
}

#[tokio::test]
async fn heads_are_found_by_origin_also_after_a_move() {
    let drive = drive().await;
    assert_eq!(drive.heads("").await, ["a.txt", "link", "sub"]);
    drive
        .moved("Laptop/docs/sub", Some("Laptop"), Some("elsewhere"))
        .await
        .unwrap();
    drive
        .moved("Laptop/elsewhere/b.txt", None, Some("renamed.txt"))
        .await
        .unwrap();
    assert_eq!(drive.heads("").await, ["a.txt", "link", "sub"]);
    assert_eq!(drive.heads("sub").await, ["b.txt"]);
    assert!(drive.heads("nowhere").await.is_empty());
    assert!(drive.exists("Laptop/elsewhere/renamed.txt").await);
    assert_eq!(drive.epoch().await, 0);
}

#[tokio::test]
async fn a_folder_cannot_be_moved_into_itself_nor_anything_over_another() {
    let drive = drive().await;
    assert_eq!(
        code(drive.moved("Laptop", Some("Laptop/docs/sub"), None).await),
        ErrorCode::BadRequest
    );
    assert_eq!(
        code(drive.moved("Laptop", Some("Laptop"), None).await),
        ErrorCode::BadRequest
    );
    assert_eq!(
        code(drive.moved("Laptop", Some("Laptop/docs/a.txt"), None).await),
        ErrorCode::BadRequest
    );
    assert_eq!(
        code(drive.moved("Laptop/docs/link", None, Some("a.txt")).await),
        ErrorCode::NameTaken
    );
    assert_eq!(code(drive.moved("", Some("Files"), None).await), ErrorCode::BadRequest);
    let first = drive.moved("Laptop/docs/link", None, Some("link")).await.unwrap();
    assert_eq!(
        drive.moved("Laptop/docs/link", None, Some("link 2")).await.unwrap(),
        first + 1
    );
}

#[tokio::test]
async fn a_machines_folder_that_was_moved_can_go_back_to_the_top_and_nothing_else_can_go_there() {
    let drive = drive().await;
    let machine = drive.at("Laptop").await;
    let txn = drive.meta.write().await.unwrap();
    let text = "INSERT INTO machine_folder (space, device, folder) VALUES ($1, $2, $3)";
    let values = [
        drive.space.column().into(),
        DEVICE.as_bytes().to_vec().into(),
        machine.node.no.into(),
    ];
    txn.execute_raw(crate::store::meta::sql(text, &txn, values))
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let to_top = |id, new| Move {
        node: id,
        parent: Some(NodeId::TOP),
        name: new,
    };
    drive.moved("Laptop", Some("Files"), Some("pc")).await.unwrap();
    move_node(
        &drive.meta,
        &drive.space,
        &to_top(machine.id().unwrap(), Some(name("Laptop"))),
        drive.clock.now(),
    )
    .await
    .unwrap();
    assert!(drive.exists("Laptop/docs/a.txt").await && !drive.exists("Files/pc").await);
    let other = to_top(drive.id("Laptop/docs").await, None);
    assert_eq!(
        code(move_node(&drive.meta, &drive.space, &other, drive.clock.now()).await),
        ErrorCode::BadRequest
    );
}

#[tokio::test]
async fn the_folder_for_what_is_put_in_by_hand_stays() {
    let drive = drive().await;
    let files = drive.id("Files").await;
    assert_eq!(
        code(drive.moved("Files", None, Some("Files2")).await),
        ErrorCode::BadRequest
    );
    assert_eq!(
        code(drive.moved("Files", Some("Laptop"), None).await),
        ErrorCode::BadRequest
    );
    assert_eq!(
        code(delete(&drive.meta, &drive.space, &[files], drive.clock.now()).await),
        ErrorCode::BadRequest
    );
    drive.add("Laptop/docs", "Files", Kind::Folder).await;
    drive.moved("Laptop/docs/Files", None, Some("Papers")).await.unwrap();
}

#[tokio::test]
async fn what_is_deleted_is_gone_everywhere_and_comes_back_whole() {
    let drive = drive().await;
    let before = drive.tree().await;
    let file = drive.delete("Laptop/docs/sub/b.txt").await;
    let folder = drive.delete("Laptop/docs").await;
    assert_eq!(drive.tree().await, ["Files", "Laptop"]);
    assert!(drive.heads("").await.is_empty() && drive.heads("sub").await.is_empty());
    assert_eq!(drive.epoch().await, 2);
    assert_eq!(drive.gone(None, 9).await, ["Laptop/docs", "Laptop/docs/sub/b.txt"]);
    assert_eq!(drive.gone(None, 1).await, ["Laptop/docs"]);
    assert_eq!(drive.gone(Some(folder), 9).await, ["Laptop/docs/sub/b.txt"]);

    let early = restore(&drive.meta, &drive.space, &[file], drive.clock.now())
        .await
        .unwrap_err()
        .refusal();
    assert!(
        early.code == ErrorCode::Conflict && early.message.contains("\"sub\""),
        "{early:?}"
    );
    restore(&drive.meta, &drive.space, &[folder], drive.clock.now())
        .await
        .unwrap();
    assert_eq!(drive.epoch().await, 3);
    assert!(!drive.exists("Laptop/docs/sub/b.txt").await, "it was deleted by itself");
    restore(&drive.meta, &drive.space, &[file, folder], drive.clock.now())
        .await
        .unwrap();
    assert_eq!(drive.tree().await, before);
    assert_eq!(drive.heads("sub").await, ["b.txt"]);
}

#[tokio::test]
async fn restoring_beside_a_new_upload_takes_another_name_and_leaves_the_binding_to_the_new_one() {
    let drive = drive().await;
    let old = drive.delete("Laptop/docs/a.txt").await;
    let new = drive.add("Laptop/docs", "a.txt", Kind::File).await;
    drive.bind(new.clone(), "a.txt").await;
    restore(&drive.meta, &drive.space, &[old], drive.clock.now())
        .await
        .unwrap();
    assert_eq!(drive.id("Laptop/docs/a (restored).txt").await, old);
    assert_eq!(drive.at("Laptop/docs/a.txt").await.node.no, new.node.no);
    assert_eq!(drive.heads("").await, ["a.txt", "link", "sub"]);

    drive.add("Laptop/docs", "a (restored) 2.txt", Kind::File).await;
    let second = drive.delete("Laptop/docs/a.txt").await;
    drive.add("Laptop/docs", "a.txt", Kind::File).await;
    restore(&drive.meta, &drive.space, &[second], drive.clock.now())
        .await
        .unwrap();
    assert_eq!(drive.id("Laptop/docs/a (restored 2).txt").await, second);
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let drive = drive().await;
    let access = Access {
        account: AccountId([5; 32]),
        admin: false,
        spaces: vec![(drive.space.id(), Right::Read)],
    };
    let space = access.space(drive.space.id(), Right::Read).unwrap();
    let id = drive.id("Laptop").await;
    assert_eq!(
        code(delete(&drive.meta, &space, &[id], drive.clock.now()).await),
        ErrorCode::NotAllowed
    );
    assert_eq!(
        code(restore(&drive.meta, &space, &[id], drive.clock.now()).await),
        ErrorCode::NotAllowed
    );
    assert_eq!(
        code(
            move_node(
                &drive.meta,
                &space,
                &Move {
                    node: id,
                    parent: None,
                    name: Some(name("x"))
                },
                drive.clock.now(),
            )
            .await
        ),
        ErrorCode::NotAllowed
    );
}
