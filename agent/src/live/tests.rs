//! Files that are read while they are uploaded, as the machine's side sees it.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests make and change the files that the agent reads"
)]

use std::{cell::RefCell, fs, path::PathBuf};

use beckon_shared::{
    bulk::SEGMENT_MAX,
    chunk::{ChunkKey, ChunkRef},
    id::{RootId, TransferId},
    order::{OrderBody, Selection},
    path::{Label, RootPath},
};
use proptest::prelude::*;

use super::*;
use crate::{
    agent::tests::{ROOT, Scene},
    connection::tests::FakeServer,
    root::Root,
    state::RootConfig,
};

const TRANSFER: TransferId = TransferId(uuid::Uuid::from_bytes([9; 16]));
const KEY: ChunkKey = ChunkKey([5; 32]);

/// A root with one file, of which some is durable.
struct Site {
    root: Arc<Root>,
    folder: tempfile::TempDir,
    files: DurableFiles,
    content: Vec<u8>,
}

impl Site {
    fn new(len: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut content = vec![0; len];
        blake3::Hasher::new_keyed(&[1; 32]).finalize_xof().fill(&mut content);
        fs::write(folder.path().join("film"), &content).unwrap();
        let config = RootConfig {
            id: RootId([3; 16]),
            name: Label::new("root").unwrap(),
            path: fs::canonicalize(folder.path()).unwrap(),
            writable: false,
            ignore: String::new(),
        };
        Self {
            root: Arc::new(Root::new(&config)),
            folder,
            files: DurableFiles::default(),
            content,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("film")
    }

    /// The upload has made these chunks durable, from the start of the file on.
    fn uploaded(&self, lens: &[usize]) -> Arc<Durable> {
        let (folder, name) = self.root.parent(&below("film")).unwrap();
        let stamp = folder.open_file(&name).unwrap().meta.stamp;
        let file = self.files.begin(TRANSFER, &below("film"), stamp);
        let mut rest = &self.content[..];
        let chunks = lens.iter().map(|len| {
            let (chunk, behind) = rest.split_at(*len);
            rest = behind;
            ChunkRef {
                id: KEY.id(chunk),
                len: *len as u32,
            }
        });
        let chunks = chunks.collect();
        Stretch {
            file: Arc::clone(&file),
            chunks,
        }
        .settle();
        file
    }

    fn wanted(&self, path: &str, offset: u64, len: u64) -> Wanted {
        Wanted {
            root: Arc::clone(&self.root),
            path: below(path),
            offset,
            len,
            durable: self.files.of(&TRANSFER, &below(path)),
        }
    }

    /// What is said of a range, and done after each segment.
    fn said(&self, wanted: &Wanted, after: impl Fn(usize)) -> Vec<Segment> {
        let said = RefCell::new(Vec::new());
        wanted.read(|segment| {
            assert!(wire::encode(&segment).len() <= SEGMENT_MAX);
            said.borrow_mut().push(segment);
            after(said.borrow().len());
            true
        });
        said.into_inner()
    }

    fn range(&self, offset: u64, len: u64) -> Vec<Segment> {
        self.said(&self.wanted("film", offset, len), |_| {})
    }

    /// The bytes that segments stand for.
    fn bytes(&self, said: &[Segment], lens: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for segment in said {
            match segment {
                Segment::Bytes(live) => bytes.extend(live),
                Segment::Stored { chunk, skip, len, .. } => {
                    let stored = self.chunk(*chunk, lens);
                    bytes.extend(&stored[*skip as usize..(*skip + *len) as usize]);
                }
                _ => {}
            }
        }
        bytes
    }

    fn chunk(&self, id: beckon_shared::id::ChunkId, lens: &[usize]) -> &[u8] {
        let mut rest = &self.content[..];
        for len in lens {
            let (chunk, behind) = rest.split_at(*len);
            if KEY.id(chunk) == id {
                return chunk;
            }
            rest = behind;
        }
        panic!("a chunk that is not durable was named")
    }
}

fn below(path: &str) -> RootPath {
    RootPath::new(path).unwrap()
}

fn refused(said: &[Segment]) -> ErrorCode {
    match said.last() {
        Some(Segment::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

const LENS: [usize; 3] = [100_000, 70_000, 130_000];

#[test]
fn what_is_durable_is_named_and_the_rest_is_read_from_the_disk() {
    let site = Site::new(1_000_000);
    let _upload = site.uploaded(&LENS);
    let said = site.range(120_000, 400_000);
    assert!(matches!(said[0], Segment::File { size: 1_000_000, .. }));
    let cut = |segment: &Segment| match segment {
        Segment::Stored { skip, len, .. } => (*skip, *len),
        other => panic!("{other:?}"),
    };
    assert_eq!((cut(&said[1]), cut(&said[2])), ((20_000, 50_000), (0, 130_000)));
    assert!(matches!(said[3], Segment::Bytes(_)));
    assert_eq!(said.last(), Some(&Segment::End));
    assert!(site.bytes(&said, &LENS) == site.content[120_000..520_000]);
}

#[test]
fn a_file_that_has_not_begun_is_read_whole_and_nobody_gets_more_than_there_is() {
    let site = Site::new(300_000);
    let said = site.range(0, u64::MAX);
    assert!(site.bytes(&said, &[]) == site.content);
    assert_eq!(site.range(300_000, 9).len(), 2, "the file and the end");
    assert_eq!(site.range(u64::MAX, u64::MAX).len(), 2);
    assert_eq!(site.range(0, 0).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// As the server checks it: see `check_stored` there.
    #[test]
    fn any_range_comes_whole_and_chunks_are_cut_only_at_its_ends(offset in 0u64..410_000, len in 1u64..410_000) {
        let site = Site::new(400_000);
        let _upload = site.uploaded(&LENS);
        let said = site.range(offset, len);
        let from = (offset as usize).min(400_000);
        let to = (offset + len).min(400_000) as usize;
        prop_assert!(site.bytes(&said, &LENS) == site.content[from..to.max(from)]);
        let mut at = offset;
        for segment in &said {
            if let Segment::Stored { skip, len, chunk_len, .. } = segment {
                prop_assert!(*skip == 0 || at == offset);
                prop_assert!(skip + len == *chunk_len || at + u64::from(*len) == to as u64);
            }
            at += match segment {
                Segment::Stored { len, .. } => u64::from(*len),
                Segment::Bytes(bytes) => bytes.len() as u64,
                _ => 0,
            };
        }
    }
}

#[test]
fn what_becomes_durable_in_the_middle_of_a_read_is_taken_up_at_the_next_chunk() {
    let site = Site::new(400_000);
    let upload = site.uploaded(&[]);
    let wanted = site.wanted("film", 50_000, 350_000);
    let said = site.said(&wanted, |count| {
        if count == 2 {
            let chunks = [(0, 200_000), (200_000, 400_000)].map(|(from, to)| ChunkRef {
                id: KEY.id(&site.content[from..to]),
                len: (to - from) as u32,
            });
            Stretch {
                file: Arc::clone(&upload),
                chunks: chunks.into(),
            }
            .settle();
        }
    });
    let stored = said.iter().filter(|segment| matches!(segment, Segment::Stored { .. }));
    assert_eq!(stored.count(), 1);
    assert!(site.bytes(&said, &[200_000, 200_000]) == site.content[50_000..]);
}

#[test]
fn a_file_that_changed_since_its_upload_began_is_refused() {
    let site = Site::new(500_000);
    let _upload = site.uploaded(&LENS);
    fs::write(site.path(), b"something else").unwrap();
    assert_eq!(refused(&site.range(0, 10)), ErrorCode::Changing);
}

#[test]
fn a_file_that_changes_in_the_middle_is_not_read_on() {
    for change in [
        |path: PathBuf| {
            fs::File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_len(600_000)
                .unwrap()
        },
        |path: PathBuf| fs::File::options().append(true).open(path).unwrap().set_len(1).unwrap(),
        |path: PathBuf| {
            let other = path.with_extension("new");
            fs::write(&other, b"new").unwrap();
            fs::rename(other, path).unwrap();
        },
    ] {
        let site = Site::new(500_000);
        let said = site.said(&site.wanted("film", 0, u64::MAX), |count| {
            if count == 2 {
                change(site.path());
            }
        });
        assert_eq!(refused(&said), ErrorCode::Changing);
        assert_eq!(said.len(), 3, "the file, what was read before, and why no more");
    }
}

#[test]
fn links_folders_and_what_is_not_there_are_refused() {
    let site = Site::new(1);
    std::os::unix::fs::symlink("/etc/passwd", site.folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", site.folder.path().join("up")).unwrap();
    fs::create_dir(site.folder.path().join("folder")).unwrap();
    for (path, code) in [
        ("link", ErrorCode::NotAFile),
        ("folder", ErrorCode::NotAFile),
        ("absent", ErrorCode::NotFound),
    ] {
        let said = site.said(&site.wanted(path, 0, 9), |_| {});
        assert_eq!((refused(&said), said.len()), (code, 1), "{path}");
    }
    let said = site.said(&site.wanted("up/passwd", 0, 9), |_| {});
    assert!(matches!(said[..], [Segment::Refused(_)]), "{said:?}");
}

#[test]
fn nobody_reads_on_when_nobody_listens() {
    let site = Site::new(3_000_000);
    let count = RefCell::new(0);
    site.wanted("film", 0, u64::MAX).read(|_| {
        *count.borrow_mut() += 1;
        *count.borrow() < 3
    });
    assert_eq!(count.into_inner(), 3);
}

/// A machine that works on an order which selects `photos`.
async fn at_work() -> (Scene, TransferId) {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let mut socket = scene.connect(&fake).await;
    let mut order = scene.family.order_for(ROOT);
    let OrderBody::Upload(upload) = &mut order.body else {
        unreachable!("an upload");
    };
    upload.selection = Selection::Inline(vec![below("photos")]);
    scene.agent.take_pushed_order(scene.family.sign(&order)).await;
    // It has begun, and waits for its grant.
    socket.request().await;
    (scene, order.id)
}

fn code<T>(allowed: Result<T, Refusal>) -> Option<ErrorCode> {
    allowed.err().map(|refusal| refusal.code)
}

#[tokio::test]
async fn only_what_an_order_under_way_selects_may_be_read() {
    let (scene, id) = at_work().await;
    let may_read = |id: &TransferId, path: &str| code(scene.agent.may_read(id, &below(path)));
    assert_eq!(may_read(&id, "photos/1.jpg"), None);
    assert_eq!(may_read(&id, "photos"), None, "opening it says that it is a folder");
    assert_eq!(may_read(&id, "letter"), Some(ErrorCode::NotFound));
    assert_eq!(may_read(&id, "photos of others"), Some(ErrorCode::NotFound));
    assert_eq!(may_read(&id, ""), Some(ErrorCode::NotFound));
    assert_eq!(may_read(&TRANSFER, "photos/1.jpg"), Some(ErrorCode::Conflict));
}

#[tokio::test]
async fn the_right_to_read_ends_with_the_order() {
    let (scene, id) = at_work().await;
    let (_, end) = scene.agent.may_read(&id, &below("photos/1.jpg")).unwrap();
    let revocation = scene.revocation_of(scene.family.controller.id());
    scene.agent.take_statement(&revocation).unwrap();
    assert!(end.is_cancelled());
    assert_eq!(
        code(scene.agent.may_read(&id, &below("photos/1.jpg"))),
        Some(ErrorCode::Conflict)
    );
}

#[tokio::test]
async fn a_selection_beside_its_order_counts_while_the_order_is_worked_on() {
    let (fake, server) = FakeServer::start().await;
    let scene = Scene::at(server);
    let _socket = scene.connect(&fake).await;
    let mut order = scene.family.order_for(ROOT);
    let paths = vec![below("photos")];
    let OrderBody::Upload(upload) = &mut order.body else {
        unreachable!("an upload");
    };
    upload.selection = Selection::Detached(beckon_shared::id::Hash::of(&wire::encode(&paths)));
    scene.agent.take_pushed_order(scene.family.sign(&order)).await;
    let may_read = |path: &str| code(scene.agent.may_read(&order.id, &below(path)));
    assert_eq!(may_read("photos/1"), Some(ErrorCode::Conflict));
    let _selected = scene.agent.live.durable.select(order.id, &paths);
    assert_eq!(may_read("photos/1"), None);
    assert_eq!(may_read("letter"), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn a_machine_is_read_at_few_places_at_once() {
    let (scene, id) = at_work().await;
    let ask = || ReadLive {
        ticket: [1; 32],
        transfer: id,
        path: below("photos/1"),
        offset: 0,
        len: 0,
    };
    let mut held: Vec<_> = (0..READS_MAX).map(|_| judge(&scene.agent, ask())).collect();
    assert!(held.iter().all(|answer| answer.wanted.is_ok()));
    assert_eq!(code(judge(&scene.agent, ask()).wanted), Some(ErrorCode::TooMany));
    held.pop();
    assert!(judge(&scene.agent, ask()).wanted.is_ok());
}
