//! The drive as it stood at a time, and putting back what it held then.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use beckon_shared::{
    api::drive::{MakeCurrent, Move, Rewound},
    error::ErrorCode,
    id::{NodeId, VersionId},
    manifest::{Content, Manifest},
    path::Name,
    time::Timestamp,
};
use proptest::prelude::*;

use crate::{
    access::{Access, Right},
    clock::Clock,
    store::{
        Error,
        meta::drive::{
            Place, Row,
            change::{delete, move_node, restore},
            current::make_current,
            find, origin,
            past::When,
            rewind::rewind,
            versions,
            walk::{Step, Walk},
        },
        testing::{Fixture, Machine, gone, moved},
    },
};

/// What stands at each path: the node, what it is, its newest version, how many versions it has.
type Tree = BTreeMap<String, (NodeId, String, Option<i64>, u32)>;

async fn tree(machine: &Machine, when: When) -> Tree {
    let (on, space) = (machine.store.meta.read(), machine.space());
    let top = find(on, &space, &Place::Path(Vec::new())).await.unwrap();
    let mut walk = Walk::below(top, when);
    let mut tree = Tree::new();
    while let Some(Step { path, row }) = walk.next(on).await.unwrap() {
        let what = format!("{:?}", row.node.kind);
        let path = String::from_utf8(path).unwrap();
        tree.insert(path, (row.id().unwrap(), what, row.node.head, row.versions));
    }
    tree
}

fn place(path: &str) -> Place {
    let names = path.split('/').filter(|name| !name.is_empty());
    Place::Path(names.map(|name| Name::new(name).unwrap()).collect())
}

async fn at(machine: &Machine, path: &str) -> Row {
    find(machine.store.meta.read(), &machine.space(), &place(path))
        .await
        .unwrap()
}

async fn content(machine: &Machine, path: &str, when: When) -> Vec<u8> {
    use futures_util::TryStreamExt;
    let row = when
        .find(machine.store.meta.read(), &machine.space(), &place(path))
        .await
        .unwrap();
    let head = VersionId::from_slice(&row.head.unwrap().id).unwrap();
    let opened = machine.store.open_version(&machine.space(), head).await.unwrap();
    let size = opened.size();
    let pieces: Vec<bytes::Bytes> = machine.store.read_chunks(&opened, 0..size).try_collect().await.unwrap();
    pieces.concat()
}

/// A drive of one machine and one browser, whose time a test moves.
struct Played {
    fixture: Fixture,
    laptop: Machine,
    browser: Machine,
}

impl Played {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let access: Access = fixture.account(1).await;
        let _ = access.own_space(Right::Write).unwrap();
        let laptop = fixture.watch(&access, 1).await;
        let browser = fixture.browser(&access, 2).await;
        Self {
            fixture,
            laptop,
            browser,
        }
    }

    fn now(&self) -> Timestamp {
        self.fixture.clock.now()
    }

    /// The present moment, which is over now.
    fn tick(&self) -> Timestamp {
        let now = self.now();
        self.fixture.clock.advance(Duration::from_millis(1000));
        now
    }

    async fn rename(&self, path: &str, folder: Option<&str>, name: Option<&str>) -> Result<u64, Error> {
        let parent = match folder {
            Some(folder) => Some(at(&self.laptop, folder).await.id().unwrap()),
            None => None,
        };
        let asked = Move {
            node: at(&self.laptop, path).await.id().unwrap(),
            parent,
            name: name.map(|name| Name::new(name).unwrap()),
        };
        move_node(&self.laptop.store.meta, &self.laptop.space(), &asked, self.now()).await
    }

    async fn delete(&self, path: &str) -> NodeId {
        let node = at(&self.laptop, path).await.id().unwrap();
        delete(&self.laptop.store.meta, &self.laptop.space(), &[node], self.now())
            .await
            .unwrap();
        node
    }

    async fn rewind(&self, path: &str, at: Timestamp) -> Rewound {
        let clock: Arc<dyn Clock> = self.fixture.clock.clone();
        let (meta, space) = (&self.laptop.store.meta, self.laptop.space());
        rewind(meta, &*clock, &space, &place(path), at).await.unwrap().0
    }
}

#[tokio::test]
async fn a_folder_is_seen_as_it_stood_before_it_was_moved_renamed_and_deleted() {
    let mut drive = Played::new().await;
    drive
        .laptop
        .upload(&[("docs/a", b"one"), ("docs/b", b"bee"), ("other/c", b"sea")])
        .await;
    let first = drive.tick();
    drive.laptop.upload(&[("docs/a", b"two")]).await;
    let second = drive.tick();
    drive
        .rename("laptop/home/docs", Some("laptop/home/other"), Some("papers"))
        .await
        .unwrap();
    let third = drive.tick();
    drive.delete("laptop/home/other").await;
    drive.tick();
    let laptop = &drive.laptop;
    assert_eq!(content(laptop, "laptop/home/docs/a", When::At(first)).await, b"one");
    assert_eq!(content(laptop, "laptop/home/docs/a", When::At(second)).await, b"two");
    assert_eq!(
        content(laptop, "laptop/home/other/papers/a", When::At(third)).await,
        b"two"
    );
    let on = laptop.store.meta.read();
    for (when, path) in [
        (When::At(third), "laptop/home/docs"),
        (When::At(second), "laptop/home/other/papers"),
        (When::Now, "laptop/home/other"),
        (When::At(Timestamp(first.0 - 1)), "laptop"),
    ] {
        let found = when.find(on, &laptop.space(), &place(path)).await;
        assert_eq!(
            found.unwrap_err().refusal().code,
            ErrorCode::NotFound,
            "{when:?} {path}"
        );
    }
    let row = When::At(second)
        .find(on, &laptop.space(), &place("laptop/home/docs/a"))
        .await
        .unwrap();
    let by_id = When::At(third)
        .find(on, &laptop.space(), &Place::Node(row.id().unwrap()))
        .await
        .unwrap();
    assert_eq!(by_id.versions, 2);
    assert_eq!(by_id.node.name, b"a");
}

#[tokio::test]
async fn what_lay_in_a_deleted_folder_was_not_there_until_it_was_restored() {
    let mut drive = Played::new().await;
    drive.laptop.upload(&[("docs/a", b"one")]).await;
    let before = drive.tick();
    let file = at(&drive.laptop, "laptop/home/docs/a").await.id().unwrap();
    let folder = drive.delete("laptop/home/docs").await;
    let between = drive.tick();
    let (meta, space) = (&drive.laptop.store.meta, drive.laptop.space());
    restore(meta, &space, &[folder], drive.now()).await.unwrap();
    let after = drive.tick();
    for (at, is_there) in [(before, true), (between, false), (after, true)] {
        let by_id = When::At(at).find(meta.read(), &space, &Place::Node(file)).await;
        let by_path = When::At(at)
            .find(meta.read(), &space, &place("laptop/home/docs/a"))
            .await;
        assert_eq!((by_id.is_ok(), by_path.is_ok()), (is_there, is_there), "{at}");
    }
}

#[tokio::test]
async fn a_page_of_then_begins_behind_the_one_before() {
    let mut drive = Played::new().await;
    let names: Vec<String> = (0..9).map(|number| format!("docs/{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    drive.laptop.upload(&files).await;
    let then = drive.tick();
    drive.delete("laptop/home/docs/1").await;
    drive.rename("laptop/home/docs/2", None, Some("zz")).await.unwrap();
    drive.rename("laptop/home/docs/3", Some("Files"), None).await.unwrap();
    drive.laptop.upload(&[("docs/10", b"new")]).await;
    let (on, when) = (drive.laptop.store.meta.read(), When::At(then));
    let folder = when
        .find(on, &drive.laptop.space(), &place("laptop/home/docs"))
        .await
        .unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = when.children(on, &folder, after.as_deref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.node.name.clone());
        all.extend(
            page.iter()
                .map(|row| String::from_utf8_lossy(&row.node.name).into_owned()),
        );
    }
    assert_eq!(all, (0..9).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_rewound_folder_holds_what_it_held_and_nothing_of_now_is_lost() {
    let mut drive = Played::new().await;
    let files: [(&str, &[u8]); 4] = [
        ("d/same", b"s"),
        ("d/edited", b"old"),
        ("d/gone", b"g"),
        ("d/sub/moved", b"m"),
    ];
    drive.laptop.upload(&files).await;
    let then = drive.tick();
    let before = tree(&drive.laptop, When::Now).await;
    drive.laptop.upload(&[("d/edited", b"new"), ("d/later", b"l")]).await;
    let gone = drive.delete("laptop/home/d/gone").await;
    drive
        .rename("laptop/home/d/sub/moved", Some("Files"), None)
        .await
        .unwrap();
    drive.delete("laptop/home/d/sub").await;
    drive.tick();
    let told = drive.rewind("laptop/home/d", then).await;
    assert_eq!(
        told,
        Rewound {
            changed: 1,
            back: 3,
            same: 1,
            lost: 0,
            more: false,
        }
    );
    for (path, expected) in files {
        let path = format!("laptop/home/{path}");
        assert_eq!(content(&drive.laptop, &path, When::Now).await, expected, "{path}");
    }
    assert_eq!(content(&drive.laptop, "laptop/home/d/later", When::Now).await, b"l");
    assert_eq!(content(&drive.laptop, "Files/moved", When::Now).await, b"m");
    assert_eq!(at(&drive.laptop, "laptop/home/d/gone").await.id().unwrap(), gone);
    let edited = at(&drive.laptop, "laptop/home/d/edited").await;
    let versions = versions(drive.laptop.store.meta.read(), &edited).await.unwrap();
    assert_eq!(versions.len(), 3);
    drive.tick();
    assert_eq!(drive.rewind("laptop/home/d", then).await.back, 0);
    assert_eq!(tree(&drive.laptop, When::At(then)).await, before);
}

#[tokio::test]
async fn a_file_comes_back_with_the_folders_that_held_it() {
    let mut drive = Played::new().await;
    drive
        .laptop
        .upload(&[("d/sub/file", b"f"), ("d/sub/other", b"o")])
        .await;
    let then = drive.tick();
    drive.delete("laptop/home/d").await;
    drive.tick();
    let told = drive.rewind("laptop/home/d/sub/file", then).await;
    assert_eq!((told.back, told.changed), (3, 0));
    assert_eq!(drive.laptop.names(&["laptop", "home", "d", "sub"]).await, ["file"]);
    drive.laptop.upload(&[("d/sub/file", b"f")]).await;
    assert_eq!(drive.laptop.names(&["laptop", "home", "d", "sub"]).await, ["file"]);
}

#[tokio::test]
async fn a_folder_in_a_files_place_stays_and_the_file_comes_beside_it() {
    let mut drive = Played::new().await;
    drive.browser.upload(&[("x", b"file")]).await;
    let then = drive.tick();
    drive.delete("Files/x").await;
    drive.browser.upload(&[("x/inside", b"i")]).await;
    drive.tick();
    assert_eq!(drive.rewind("Files/x", then).await.back, 1);
    assert_eq!(drive.browser.names(&["Files"]).await, ["x", "x (restored)"]);
    assert_eq!(drive.rewind("Files/x", then).await.back, 0);
    assert_eq!(content(&drive.browser, "Files/x (restored)", When::Now).await, b"file");
}

#[tokio::test]
async fn it_is_told_after_which_commit_of_which_root_something_was_so() {
    let mut drive = Played::new().await;
    drive.laptop.upload(&[("docs/a", b"one")]).await;
    let first = drive.tick();
    drive.laptop.upload(&[("docs/a", b"two")]).await;
    drive
        .rename("laptop/home/docs", Some("Files"), Some("papers"))
        .await
        .unwrap();
    drive.tick();
    let (on, space) = (drive.laptop.store.meta.read(), drive.laptop.space());
    let then = When::At(first);
    let row = then.find(on, &space, &place("laptop/home/docs/a")).await.unwrap();
    let told = origin::origin(on, &row, then).await.unwrap();
    assert_eq!(
        (told.device, told.root),
        (drive.laptop.access.device, drive.laptop.access.root)
    );
    assert_eq!((told.path.display().as_str(), told.head.number), ("docs/a", 1));
    let row = at(&drive.laptop, "laptop/home").await;
    let told = origin::origin(on, &row, When::Now).await.unwrap();
    assert_eq!((told.path.display().as_str(), told.head.number), ("", 2));
    for path in ["", "laptop", "Files"] {
        let refused = origin::origin(on, &at(&drive.laptop, path).await, When::Now).await;
        assert_eq!(refused.unwrap_err().refusal().code, ErrorCode::Conflict, "{path}");
    }
}

/// Something that happens to a drive; numbers choose among what is there.
#[derive(Debug, Clone)]
enum Happening {
    Put {
        machine: bool,
        path: &'static str,
        content: u8,
        torn: bool,
    },
    Rename {
        of: usize,
        to: &'static str,
    },
    Into {
        of: usize,
        folder: usize,
    },
    Delete {
        of: usize,
    },
    Restore {
        of: usize,
    },
    Choose {
        of: usize,
        version: usize,
    },
    Rewind {
        of: usize,
        to: usize,
    },
    /// The machine that is watched moves, or removes.
    Shift {
        from: &'static str,
        to: Option<&'static str>,
    },
}

fn any_step() -> impl Strategy<Value = Happening> {
    let path = prop::sample::select(vec!["a", "b", "d/a", "d/b", "d/e/a", "e", "e/a", "e/d/b"]);
    let place = || prop::sample::select(vec!["a", "b", "d", "d/a", "d/e", "e", "e/d", "e/d/b"]);
    let name = prop::sample::select(vec!["a", "b", "c", "d", "e"]);
    let of = || 0..32usize;
    prop_oneof![
        6 => (any::<bool>(), path, 0..3u8, prop::bool::weighted(0.2))
            .prop_map(|(machine, path, content, torn)| Happening::Put { machine, path, content, torn }),
        3 => (of(), name).prop_map(|(of, to)| Happening::Rename { of, to }),
        3 => (of(), of()).prop_map(|(of, folder)| Happening::Into { of, folder }),
        3 => of().prop_map(|of| Happening::Delete { of }),
        3 => of().prop_map(|of| Happening::Restore { of }),
        2 => (of(), of()).prop_map(|(of, version)| Happening::Choose { of, version }),
        1 => (of(), of()).prop_map(|(of, to)| Happening::Rewind { of, to }),
        4 => (place(), prop::option::of(place())).prop_map(|(from, to)| Happening::Shift { from, to }),
    ]
}

/// A drive to which things happen, with what it was like at each moment.
struct Story {
    drive: Played,
    deleted: Vec<NodeId>,
    seen: Vec<(Timestamp, Tree)>,
}

impl Story {
    async fn node(&self, of: usize) -> Option<(String, NodeId)> {
        let tree = tree(&self.drive.laptop, When::Now).await;
        let nodes: Vec<_> = tree.into_iter().map(|(path, node)| (path, node.0)).collect();
        nodes.get(of % nodes.len().max(1)).cloned()
    }

    /// Does it, or is refused: then nothing happened.
    async fn step(&mut self, step: &Happening) {
        let (meta, space) = (self.drive.laptop.store.meta.clone(), self.drive.laptop.space());
        let now = self.drive.now();
        match *step {
            Happening::Put {
                machine,
                path,
                content,
                torn,
            } => self.put(machine, path, &[content], torn).await,
            Happening::Rename { of, to } => {
                let Some((path, _)) = self.node(of).await else { return };
                let _ = self.drive.rename(&path, None, Some(to)).await;
            }
            Happening::Into { of, folder } => {
                let (Some((path, _)), Some((folder, _))) = (self.node(of).await, self.node(folder).await) else {
                    return;
                };
                let _ = self.drive.rename(&path, Some(&folder), None).await;
            }
            Happening::Delete { of } => {
                let Some((_, node)) = self.node(of).await else { return };
                if delete(&meta, &space, &[node], now).await.is_ok() {
                    self.deleted.push(node);
                }
            }
            Happening::Restore { of } => {
                let Some(node) = self.deleted.get(of % self.deleted.len().max(1)).copied() else {
                    return;
                };
                let _ = restore(&meta, &space, &[node], now).await;
            }
            Happening::Choose { of, version } => {
                let Some((path, node)) = self.node(of).await else {
                    return;
                };
                let all = versions(meta.read(), &at(&self.drive.laptop, &path).await)
                    .await
                    .unwrap();
                let Some(chosen) = all.get(version % all.len().max(1)) else {
                    return;
                };
                let version = VersionId::from_slice(&chosen.id).unwrap();
                let asked = MakeCurrent { node, version };
                let _ = make_current(&meta, &*self.drive.fixture.clock, &space, &asked).await;
            }
            Happening::Shift { from, to } => {
                let laptop = &mut self.drive.laptop;
                laptop.begin().await;
                let change = match to {
                    Some(to) => moved(from, to),
                    None => gone(from),
                };
                let _ = laptop.shift(&[change]).await;
            }
            Happening::Rewind { of, to } => {
                let Some((then, tree)) = self.seen.get(to % self.seen.len().max(1)) else {
                    return;
                };
                let Some(path) = tree.keys().nth(of % tree.len().max(1)) else {
                    return;
                };
                self.drive.rewind(path, *then).await;
            }
        }
    }

    async fn put(&mut self, machine: bool, path: &str, content: &[u8], torn: bool) {
        let who = match machine {
            true => &mut self.drive.laptop,
            false => &mut self.drive.browser,
        };
        who.begin().await;
        who.send(&[content]).await.unwrap();
        let mut manifest: Manifest = who.file(content);
        if let Content::File(file) = &mut manifest.content {
            file.torn = torn;
        }
        let upload = who.sign(&[(path, Some(manifest))]);
        let _ = who.commit(upload).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_drive_as_of_each_moment_is_as_it_was(steps in proptest::collection::vec((any_step(), prop::bool::weighted(0.8)), 1..50)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut story = Story { drive: Played::new().await, deleted: Vec::new(), seen: Vec::new() };
            for (step, ticks) in &steps {
                story.step(step).await;
                if *ticks {
                    let tree = tree(&story.drive.laptop, When::Now).await;
                    story.seen.push((story.drive.tick(), tree));
                }
            }
            for (at, seen) in &story.seen {
                assert_eq!(&tree(&story.drive.laptop, When::At(*at)).await, seen, "as of {at}");
            }
        });
    }
}
