//! Downloads from a machine that means harm, has damage, or is hard to reach.
#![allow(clippy::disallowed_methods, reason = "a test looks at what was written")]

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use beckon_shared::{
    browse::{Answer, Ask, Page, Route},
    entry::SourceStamp,
    id::{Hash, RootId},
};

use super::*;
use crate::{
    cli::get::local::Clash,
    output::{Format, Output},
    state::StateDir,
};

/// A machine that answers out of memory, and as badly as it is told to.
#[derive(Default)]
struct Fake {
    folders: BTreeMap<Vec<u8>, Vec<Entry>>,
    contents: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Entries in a page.
    page: Option<usize>,
    /// So many further asks find nobody.
    away: AtomicU32,
    /// So many further pieces are spoilt.
    spoilt: AtomicU32,
    /// So many further views are lost.
    forgets: AtomicU32,
    /// So many further fetches say that the file changes.
    changes: AtomicU32,
    /// Counts the states of files.
    state: AtomicU64,
    asked: AtomicU32,
    /// So many asks are taken from whoever asks at a time, in turn.
    door: Option<tokio::sync::Semaphore>,
}

fn stamp(size: usize, state: u64) -> SourceStamp {
    SourceStamp {
        size: size as u64,
        mtime_ns: 1_000_000_000_123,
        ctime_ns: state as i64,
        file_id: 1,
    }
}

fn entry(name: &str, kind: EntryKind, size: usize) -> Entry {
    Entry {
        name: Name::new(name).unwrap(),
        kind,
        stamp: stamp(size, 0),
        target: None,
    }
}

fn take(count: &AtomicU32) -> bool {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        .is_ok()
}

fn refused(code: ErrorCode) -> Refusal {
    Refusal::new(code, "this is what the test wants to be told, at some length")
}

impl Fake {
    fn file(mut self, place: &str, content: &[u8]) -> Self {
        let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
        self.contents.lock().unwrap().insert(place.into(), content.to_vec());
        self.add(folder, entry(name, EntryKind::File, content.len()));
        self
    }

    fn folder(mut self, place: &str) -> Self {
        let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
        self.folders.entry(place.into()).or_default();
        self.add(folder, entry(name, EntryKind::Folder, 0));
        self
    }

    fn link(mut self, name: &str, target: &Path) -> Self {
        let mut link = entry(name, EntryKind::Symlink, 0);
        link.target = Some(target.as_os_str().as_encoded_bytes().to_vec());
        self.add("", link);
        self
    }

    fn add(&mut self, folder: &str, entry: Entry) {
        self.folders.entry(folder.into()).or_default().push(entry);
    }

    fn list(&self, ask: &beckon_shared::browse::ListAsk) -> Result<Answer, Refusal> {
        if ask.snapshot.is_some() && take(&self.forgets) {
            return Err(refused(ErrorCode::Conflict));
        }
        let all = self
            .folders
            .get(ask.path.as_bytes())
            .ok_or_else(|| refused(ErrorCode::NotFound))?;
        let start = ask.offset as usize;
        let end = all.len().min(start + self.page.unwrap_or(1000));
        Ok(Answer::Page(Page {
            snapshot: 1,
            total: all.len() as u64,
            offset: ask.offset,
            entries: all[start..end].to_vec(),
            next: end as u64,
        }))
    }

    fn stat(&self, path: &RootPath) -> Result<Answer, Refusal> {
        let (folder, name) = path.split_last().unwrap();
        let found = self
            .folders
            .get(folder.as_bytes())
            .and_then(|all| all.iter().find(|entry| entry.name == name));
        let mut entry = found.cloned().ok_or_else(|| refused(ErrorCode::NotFound))?;
        entry.stamp.ctime_ns = self.state.load(Ordering::Relaxed) as i64;
        Ok(Answer::Page(Page {
            snapshot: 0,
            total: 1,
            offset: 0,
            entries: vec![entry],
            next: 1,
        }))
    }

    fn fetch(&self, path: &RootPath, asked: SourceStamp, offset: u64, len: u32) -> Result<Answer, Refusal> {
        if take(&self.changes) {
            self.state.fetch_add(1, Ordering::Relaxed);
        }
        if asked.ctime_ns as u64 != self.state.load(Ordering::Relaxed) {
            return Err(refused(ErrorCode::Changing));
        }
        let contents = self.contents.lock().unwrap();
        let content = contents
            .get(path.as_bytes())
            .ok_or_else(|| refused(ErrorCode::NotReadable))?;
        let mut bytes = content[offset as usize..(offset as usize + len as usize).min(content.len())].to_vec();
        let hash = Hash::of(&bytes);
        match self.spoilt.load(Ordering::Relaxed) % 3 {
            _ if !take(&self.spoilt) => {}
            0 => bytes.push(0),
            1 => drop(bytes.pop()),
            _ => bytes[0] ^= 1,
        }
        Ok(Answer::Fetched { bytes, hash })
    }
}

impl Machine for Fake {
    async fn ask(&self, body: Ask) -> Result<Answer, Refusal> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let _turn = match &self.door {
            Some(door) => Some(door.acquire().await),
            None => None,
        };
        if self.door.is_some() {
            tokio::task::yield_now().await;
        }
        if take(&self.away) {
            return Err(refused(ErrorCode::Away));
        }
        match body {
            Ask::List(ask) => self.list(&ask),
            Ask::Stat { path, .. } => self.stat(&path),
            Ask::Modes { names, .. } => Ok(Answer::Modes(vec![0o4750; names.len()])),
            Ask::Fetch {
                path,
                stamp,
                offset,
                len,
                ..
            } => self.fetch(&path, stamp, offset, len),
            other => panic!("{other:?}"),
        }
    }

    fn route(&self) -> Route {
        Route::Lan
    }
}

struct Scene {
    here: Here,
    root: tempfile::TempDir,
    lane: Lane<Fake>,
}

impl Scene {
    fn new(fake: Fake) -> Self {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::open(&root.path().join("state")).unwrap();
        let here = Here {
            state,
            out: Output { format: Format::Json },
            ca: None,
            timeout: None,
            is_relay_only: false,
            awaited: Mutex::default(),
        };
        Self {
            here,
            root,
            lane: Lane::new(fake, RootId([1; 16])),
        }
    }

    async fn tree(&self) -> Result<Exit, Failure> {
        let target = self.root.path().join("copy");
        let device = DeviceId([2; 32]);
        tree::get(
            &self.here,
            &self.lane,
            (device, &RootPath::root()),
            &target,
            Clash::Refuse,
        )
        .await
    }

    async fn zip(&self) -> Result<Exit, Failure> {
        let target = self.root.path().join("all.zip");
        zip::get(
            &self.here,
            &self.lane,
            (&RootPath::root(), b"top"),
            &target,
            Clash::Refuse,
        )
        .await
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.root.path().join("copy").join(name)).ok()
    }
}

fn large() -> Vec<u8> {
    (0..5_000_000_u32).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_link_that_leads_out_is_made_and_never_gone_through() {
    let outside = tempfile::tempdir().unwrap();
    // The link comes first, in a page of its own.
    let fake = Fake {
        page: Some(1),
        ..Fake::default()
    };
    let fake = fake
        .link("out", outside.path())
        .folder("out")
        .file("out/planted", b"planted")
        .file("kept", b"kept");
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Partly);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(scene.read("kept").unwrap(), b"kept");
}

#[tokio::test]
async fn of_two_entries_with_one_name_the_second_is_named_and_replaces_nothing() {
    let fake = Fake::default()
        .file("both", b"first")
        .folder("both")
        .file("both/inner", b"x");
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Partly);
    let is_first = scene.read("both").is_some_and(|content| content == b"first");
    assert!(is_first ^ scene.root.path().join("copy/both").is_dir());
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_come_without_the_right_to_run_as_another() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new(Fake::default().file("tool", b"#!/bin/sh"));
    assert_eq!(scene.tree().await.unwrap(), Exit::Done);
    let meta = fs::metadata(scene.root.path().join("copy/tool")).unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o750);
}

#[tokio::test]
async fn spoilt_pieces_are_asked_for_again_and_never_written() {
    let fake = Fake::default().file("large", &large());
    fake.spoilt.store(2, Ordering::Relaxed);
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Done);
    assert!(scene.read("large").unwrap() == large());
    let counts = scene.lane.counts();
    assert_eq!(counts.verified, 5_000_000);
    assert!(counts.direct > 5_000_000 + 900_000, "{counts:?}");
}

#[tokio::test]
async fn what_never_verifies_is_named_and_leaves_nothing() {
    let fake = Fake::default().file("bad", &large()[..1000]);
    fake.spoilt.store(1000, Ordering::Relaxed);
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Partly);
    assert_eq!(fs::read_dir(scene.root.path().join("copy")).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_away_for_a_while_is_waited_for() {
    let fake = Fake::default().file("large", &large()).file("small", b"small");
    fake.away.store(20, Ordering::Relaxed);
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Done);
    assert!(scene.read("large").unwrap() == large());
    assert_eq!(scene.lane.counts().verified, 5_000_005);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_stays_away_is_given_up_with_words() {
    let fake = Fake::default().file("small", b"small");
    fake.away.store(u32::MAX, Ordering::Relaxed);
    let scene = Scene::new(fake);
    let start = tokio::time::Instant::now();
    let failure = scene.tree().await.unwrap_err();
    assert!(
        failure.is(ErrorCode::Away) && failure.message.contains("goes on"),
        "{failure}"
    );
    assert!((Duration::from_secs(60)..Duration::from_secs(200)).contains(&start.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_begun_anew_in_its_new_state() {
    for name in ["large", "small"] {
        let content = if name == "large" { large() } else { b"small".to_vec() };
        let fake = Fake::default().file(name, &content);
        fake.changes.store(1, Ordering::Relaxed);
        let scene = Scene::new(fake);
        assert_eq!(scene.tree().await.unwrap(), Exit::Done, "{name}");
        assert!(scene.read(name).unwrap() == content);
        assert_eq!(fs::read_dir(scene.root.path().join("copy")).unwrap().count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_always_changes_is_named() {
    let fake = Fake::default().file("log", &large()).file("calm", b"calm");
    fake.changes.store(u32::MAX, Ordering::Relaxed);
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Partly);
    assert_eq!(fs::read_dir(scene.root.path().join("copy")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_view_that_is_lost_is_taken_up_at_its_place() {
    let mut fake = Fake {
        page: Some(7),
        ..Fake::default()
    };
    for number in 0..100 {
        fake = fake.file(&format!("file-{number:03}"), format!("content {number}").as_bytes());
    }
    fake.forgets.store(5, Ordering::Relaxed);
    let scene = Scene::new(fake);
    assert_eq!(scene.tree().await.unwrap(), Exit::Done);
    for number in 0..100 {
        assert_eq!(
            scene.read(&format!("file-{number:03}")).unwrap(),
            format!("content {number}").as_bytes()
        );
    }
}

#[tokio::test]
async fn a_listing_that_does_not_move_on_ends() {
    let fake = Fake {
        page: Some(0),
        ..Fake::default()
    };
    let scene = Scene::new(fake.file("never", b"shown"));
    assert_eq!(scene.tree().await.unwrap(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn an_archive_holds_what_verified_and_says_what_it_lacks() {
    let fake = Fake::default()
        .file("small", b"small")
        .file("large", &large())
        .folder("inner")
        .file("inner/deep", b"deep");
    fake.contents.lock().unwrap().remove(b"small".as_slice());
    fake.changes.store(2, Ordering::Relaxed);
    let scene = Scene::new(fake);
    assert_eq!(scene.zip().await.unwrap(), Exit::Partly);
    let bytes = fs::read(scene.root.path().join("all.zip")).unwrap();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(b"top/inner/deep") && holds(b"deep") && !holds(b"top/small"));
    // The try that was taken back left nothing.
    assert!(bytes.len() < 5_000_000 + 2000, "{} bytes", bytes.len());
    let start = bytes
        .windows(1000)
        .position(|window| window == &large()[..1000])
        .unwrap();
    assert!(bytes[start..start + 5_000_000] == large());
}

#[tokio::test]
async fn many_files_ahead_do_not_keep_a_large_one_from_its_turn() {
    let mut fake = Fake::default();
    for number in 0..200 {
        fake = fake.file(&format!("a{number:03}"), &[number as u8; 64 << 10]);
        if number % 50 == 0 {
            fake = fake.file(&format!("b{number:03}"), &large());
        }
    }
    let scene = Scene::new(fake);
    let done = tokio::time::timeout(Duration::from_secs(60), scene.zip()).await;
    assert_eq!(done.unwrap().unwrap(), Exit::Done);
    assert_eq!(scene.lane.counts().verified, 200 * (64 << 10) + 4 * 5_000_000);
}

#[tokio::test(start_paused = true)]
async fn asks_that_wait_for_their_turn_do_not_keep_a_large_file_from_its_turn() {
    let mut fake = Fake {
        door: Some(tokio::sync::Semaphore::new(1)),
        ..Fake::default()
    };
    fake = fake.file("a", &large());
    for number in 0..50 {
        fake = fake.file(&format!("b{number:03}"), &[number as u8; 100]);
    }
    let scene = Scene::new(fake);
    let done = tokio::time::timeout(Duration::from_secs(600), scene.zip()).await;
    assert_eq!(done.unwrap().unwrap(), Exit::Done);
    assert_eq!(scene.lane.counts().verified, 5_000_000 + 50 * 100);
}

#[tokio::test(start_paused = true)]
async fn patience_begins_with_the_first_ask_that_nobody_answers() {
    let fake = Fake::default().file("small", b"small");
    fake.away.store(3, Ordering::Relaxed);
    let scene = Scene::new(fake);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(scene.tree().await.unwrap(), Exit::Done);
}
