//! What becomes of steps on a real disk.
#![allow(clippy::disallowed_methods, reason = "a test plays the people who change files")]

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use beckon_shared::{
    chunk::{self, ChunkRef},
    entry::SourceStamp,
    id::{Hash, RootId},
    manifest::{ContentHasher, FileContent, Manifest},
    time::Timestamp,
    wire,
};
use tokio::sync::mpsc;

use super::*;
use crate::{
    copy::{Got, Want, Whence},
    state::RootConfig,
};

mod damage;
mod edits;
mod hostile;
mod writing;

pub(in crate::copy) const KEY: ChunkKey = ChunkKey([9; 32]);

pub(in crate::copy) fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

pub(in crate::copy) fn transfer() -> TransferId {
    TransferId::new(Timestamp(1), [3; 10])
}

/// Chunks in memory, some of which do not come.
#[derive(Default)]
pub(in crate::copy) struct Shelf {
    pub(in crate::copy) chunks: Mutex<HashMap<ChunkId, bytes::Bytes>>,
    pub(in crate::copy) asked: Mutex<Vec<ChunkId>>,
    pub(in crate::copy) bases: Mutex<Vec<ChunkId>>,
    /// What somebody does while chunks come.
    pub(in crate::copy) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Fetch for Shelf {
    async fn fetch(&self, wants: Vec<Want>, bases: Vec<ChunkId>, out: mpsc::Sender<Got>) -> Result<(), Refusal> {
        self.asked
            .lock()
            .unwrap()
            .extend(wants.iter().map(|want| want.chunk.id));
        self.bases.lock().unwrap().extend(bases);
        if let Some(act) = self.meanwhile.lock().unwrap().take() {
            act();
        }
        for want in wants {
            let bytes = self.chunks.lock().unwrap().get(&want.chunk.id).cloned();
            let Some(bytes) = bytes else { continue };
            let (chunk, from) = (want.chunk.id, Whence::Server);
            if out.send(Got { chunk, bytes, from }).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl Shelf {
    /// A step that puts these bytes, whose chunks stand on the shelf.
    pub(in crate::copy) fn put(&self, at: &str, bytes: &[u8], mtime_s: i64) -> Step {
        let mut hasher = ContentHasher::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(chunk::cut(&rest[..rest.len().min(CHUNK_MAX)]));
            let id = KEY.id(head);
            hasher.add(id, head);
            self.chunks
                .lock()
                .unwrap()
                .entry(id)
                .or_insert_with(|| bytes::Bytes::copy_from_slice(head));
            rest = tail;
        }
        let sum = hasher.finish();
        let mtime_ns = mtime_s * 1_000_000_000;
        put(
            at,
            0o640,
            mtime_ns,
            Content::File(file(sum.hash, sum.crc32, sum.chunks, mtime_ns)),
        )
    }

    pub(in crate::copy) fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

pub(in crate::copy) fn file(hash: Hash, crc32: u32, chunks: Vec<ChunkRef>, mtime_ns: i64) -> FileContent {
    FileContent {
        stamp: SourceStamp {
            size: chunks.iter().map(|chunk| u64::from(chunk.len)).sum(),
            mtime_ns,
            ctime_ns: mtime_ns,
            file_id: 5,
        },
        read_ns: mtime_ns,
        hash,
        crc32,
        torn: false,
        sparse: false,
        chunks,
    }
}

pub(in crate::copy) fn put(at: &str, mode: u32, mtime_ns: i64, content: Content) -> Step {
    let manifest = Manifest {
        suite: 0,
        mode,
        mtime_ns,
        content,
    };
    Step::Put(Box::new(Wanted {
        path: path(at),
        origin: path(at),
        hash: Hash::of(&wire::encode(&manifest)),
        manifest,
    }))
}

pub(in crate::copy) fn folder(at: &str, mode: u32) -> Step {
    put(at, mode, 77_000_000_000, Content::Folder)
}

pub(in crate::copy) fn symlink(at: &str, target: &str) -> Step {
    put(at, 0, 78_000_000_000, Content::Symlink(target.as_bytes().to_vec()))
}

pub(in crate::copy) fn remove(at: &str) -> Step {
    Step::Remove(path(at))
}

pub(in crate::copy) fn relocate(from: &str, to: &str) -> Step {
    Step::Move {
        from: path(from),
        to: path(to),
    }
}

/// A root with a copy in it.
pub(in crate::copy) struct Scene {
    pub(in crate::copy) folder: tempfile::TempDir,
    pub(in crate::copy) book: Book,
    pub(in crate::copy) place: Place,
    pub(in crate::copy) shelf: Shelf,
}

impl Scene {
    pub(in crate::copy) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::in_memory().unwrap();
        let place = open(folder.path(), &book, "");
        Self {
            folder,
            book,
            place,
            shelf: Shelf::default(),
        }
    }

    pub(in crate::copy) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(in crate::copy) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.at(path)).ok()
    }

    pub(in crate::copy) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), bytes).unwrap();
    }

    pub(in crate::copy) async fn apply(&self, steps: Vec<Step>) -> Vec<Became> {
        let applied = self.try_apply(steps).await;
        assert_eq!(applied.question, None);
        applied.became
    }

    pub(in crate::copy) async fn try_apply(&self, steps: Vec<Step>) -> Applied {
        apply(&self.place, steps, &self.shelf, &CancellationToken::new())
            .await
            .unwrap()
    }

    /// Asserts that all steps are done.
    pub(in crate::copy) async fn done(&self, steps: Vec<Step>) {
        let became = self.apply(steps).await;
        assert!(became.iter().all(|became| *became == Became::Done), "{became:?}");
    }

    pub(in crate::copy) async fn survey(&self) -> Survey {
        self.place.survey(&CancellationToken::new()).await.unwrap()
    }

    /// The agent starts again, after a clean stop or without one.
    pub(in crate::copy) fn restart(&mut self, is_clean: bool) {
        if is_clean {
            self.book.close();
        }
        let empty = Book::in_memory().unwrap();
        self.place = open(self.folder.path(), &empty, "");
        let book = std::mem::replace(&mut self.book, empty);
        self.book = book.restarted(|| true);
        self.place = open(self.folder.path(), &self.book, "");
    }

    /// Everything below the root but the trash: a folder ends with a slash, a symlink is an arrow and its target.
    pub(in crate::copy) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut tree);
        tree
    }

    /// What lies in the trash, by the names of its files.
    pub(in crate::copy) fn trash(&self) -> Vec<String> {
        let mut tree = BTreeMap::new();
        let trash = self.at(".beckon/trash");
        for day in fs::read_dir(&trash).into_iter().flatten() {
            let day = day.unwrap().path();
            collect(&day, &day, &mut tree);
        }
        tree.into_keys().filter(|name| !name.ends_with('/')).collect()
    }
}

fn collect(top: &Path, folder: &Path, tree: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        if name == ".beckon" {
            continue;
        }
        if kind.is_dir() {
            tree.insert(format!("{name}/"), Vec::new());
            collect(top, &path, tree);
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            tree.insert(format!("{name} -> {}", target.display()), Vec::new());
        } else {
            tree.insert(name, fs::read(&path).unwrap());
        }
    }
}

pub(in crate::copy) fn open(folder: &Path, book: &Book, below: &str) -> Place {
    Place::open(site(folder, book, below, true)).unwrap()
}

pub(in crate::copy) fn site(folder: &Path, book: &Book, below: &str, writable: bool) -> Site {
    let config = RootConfig {
        writable,
        ..root_config(folder)
    };
    Site {
        book: book.clone(),
        transfer: transfer(),
        root: Arc::new(Root::new(&config)),
        below: path(below),
        machine: Label::new("Laptop").unwrap(),
        key: KEY,
    }
}

fn root_config(folder: &Path) -> RootConfig {
    let value = serde_json::json!({
        "id": RootId([1; 16]),
        "name": "copy",
        "path": fs::canonicalize(folder).unwrap(),
        "writable": true,
    });
    serde_json::from_value(value).unwrap()
}

/// Bytes without a pattern.
pub(in crate::copy) fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}
