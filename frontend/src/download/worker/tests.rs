//! Downloads from a machine that exists only here, and does what real ones do at the worst moment.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use beckon_shared::{
    browse::{Answer, Ask, Page},
    entry::{Entry, EntryKind, SourceStamp},
    error::{ErrorCode, Refusal},
    id::{Hash, RootId},
    path::{Name, RootPath},
};
use futures_util::{FutureExt, future::join};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{
    Stop, archive, ended_by, file,
    sink::{Broken, Sink},
    source::{Machine, Source},
    tally::Tally,
    window::Window,
};
use crate::{
    dom,
    download::message::{Leftovers, Place, Told, Top},
};

const ROOT: RootId = RootId([7; 16]);
const PIECE: usize = 512 << 10;

/// What is done to the machine when something was asked so often.
type Mischief = Box<dyn Fn(&Fake, u32)>;

#[derive(Default)]
struct Fake {
    /// Each with a number that counts up with its changes.
    files: RefCell<BTreeMap<String, (i64, Vec<u8>)>>,
    /// So often was a folder listed.
    listed: Cell<u32>,
    refused: RefCell<BTreeMap<String, ErrorCode>>,
    away: Cell<bool>,
    /// So many of its next answers are not what their checksum says.
    damaged: Cell<u32>,
    fetches: RefCell<Vec<(String, u64)>>,
    mischief: RefCell<Option<Mischief>>,
}

impl Fake {
    fn write(&self, path: &str, content: &[u8]) {
        let mut files = self.files.borrow_mut();
        let age = files.get(path).map_or(0, |(age, _)| age + 1);
        files.insert(path.to_owned(), (age, content.to_vec()));
    }

    fn entry(&self, path: &str) -> Result<Entry, Refusal> {
        let files = self.files.borrow();
        let name = path.rsplit('/').next().unwrap();
        let content = files.get(path);
        let is_folder = files.keys().any(|file| file.starts_with(&format!("{path}/")));
        if content.is_none() && !is_folder {
            return Err(Refusal::new(ErrorCode::NotFound, "it is not there"));
        }
        Ok(Entry {
            name: Name::new(name).unwrap(),
            kind: if is_folder { EntryKind::Folder } else { EntryKind::File },
            stamp: SourceStamp {
                size: content.map_or(0, |(_, content)| content.len()) as u64,
                mtime_ns: 0,
                ctime_ns: content.map_or(0, |(age, _)| *age),
                file_id: 1,
            },
            target: None,
        })
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let files = self.files.borrow();
        let mut names: Vec<_> = files
            .keys()
            .filter_map(|path| path.strip_prefix(&format!("{folder}/"))?.split('/').next())
            .collect();
        names.dedup();
        names
            .iter()
            .map(|name| self.entry(&format!("{folder}/{name}")).unwrap())
            .collect()
    }

    fn fetch(&self, path: &str, stamp: SourceStamp, offset: u64, len: u32) -> Result<Answer, Refusal> {
        self.fetches.borrow_mut().push((path.to_owned(), offset));
        if let Some(code) = self.refused.borrow().get(path) {
            return Err(Refusal::new(*code, "not this one"));
        }
        if self.entry(path)?.stamp != stamp {
            return Err(Refusal::new(ErrorCode::Changing, "it changed"));
        }
        let files = self.files.borrow();
        let mut bytes = files[path].1[offset as usize..][..len as usize].to_vec();
        let hash = Hash::of(&bytes);
        if self.damaged.get() > 0 {
            self.damaged.set(self.damaged.get() - 1);
            bytes[0] ^= 1;
        }
        Ok(Answer::Fetched { bytes, hash })
    }
}

impl Machine for Rc<Fake> {
    async fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        // Another task's turn comes, as it does on a wire.
        dom::sleep(0).await;
        let count = self.fetches.borrow().len() as u32;
        if let Some(mischief) = &*self.mischief.borrow() {
            mischief(self, count);
        }
        if self.away.get() {
            return Err(Refusal::new(ErrorCode::Away, "it is away"));
        }
        let page = |entries: Vec<Entry>| {
            Answer::Page(Page {
                snapshot: 1,
                total: entries.len() as u64,
                offset: 0,
                next: entries.len() as u64,
                entries,
            })
        };
        if matches!(ask, Ask::List(_)) {
            self.listed.set(self.listed.get() + 1);
        }
        match ask {
            Ask::Stat { path, .. } => Ok(page(vec![self.entry(&path.display())?])),
            Ask::List(list) => match self.refused.borrow().get(&list.path.display()) {
                Some(code) => Err(Refusal::new(*code, "not this one")),
                None => Ok(page(self.list(&list.path.display()))),
            },
            Ask::Fetch {
                path,
                stamp,
                offset,
                len,
                ..
            } => self.fetch(&path.display(), stamp, offset, len),
            _ => Err(Refusal::new(ErrorCode::BadRequest, "nobody asks that here")),
        }
    }
}

fn source(fake: &Rc<Fake>) -> Source<Rc<Fake>> {
    Source::new(Rc::clone(fake), Rc::new(Tally::default())).patient(200.0, 5)
}

fn place(path: &str) -> Place {
    Place {
        root: ROOT,
        path: RootPath::new(path).unwrap(),
    }
}

async fn get_file(fake: &Rc<Fake>, path: &str) -> (Result<(), Stop>, Vec<u8>) {
    let seen = Rc::default();
    let source = source(fake);
    let mut sink = Sink::test(Rc::clone(&seen));
    let result = file::download(&source, &place(path), &mut sink).await;
    if result.is_ok() {
        sink.close().await.unwrap();
        assert_eq!(source.tally.figures(None).done, seen.borrow().len() as u64);
    }
    (result, seen.take())
}

async fn get_archive(fake: &Rc<Fake>, path: &str) -> (Result<Leftovers, Stop>, Vec<u8>) {
    let seen = Rc::default();
    let source = source(fake);
    let mut sink = Sink::test(Rc::clone(&seen));
    let top = Top {
        place: place(path),
        entry: fake.entry(path).unwrap(),
    };
    let result = archive::download(&source, &[top], &mut sink).await;
    if result.is_ok() {
        sink.close().await.unwrap();
        let figures = source.tally.figures(None);
        assert!(figures.is_all);
        assert_eq!(figures.done, figures.total);
    }
    (result, seen.take())
}

fn noise(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at / 7) as u8 ^ seed ^ (at >> 11) as u8).collect()
}

fn refused(result: Result<impl Sized, Stop>) -> ErrorCode {
    match result {
        Err(Stop::Refused(refusal)) => refusal.code,
        Err(Stop::Broken(broken)) => panic!("{broken:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// Whether the archive holds these bytes; its headers are tried in `shared`.
fn holds(archive: &[u8], part: &[u8]) -> bool {
    archive.windows(part.len()).any(|window| window == part)
}

#[wasm_bindgen_test]
async fn a_file_arrives_whole_and_each_piece_is_asked_for_once() {
    let fake = Rc::new(Fake::default());
    for len in [0, 1, PIECE, 40 * PIECE + 3] {
        let content = noise(len, 1);
        fake.write("a", &content);
        fake.fetches.take();
        let (result, got) = get_file(&fake, "a").await;
        result.unwrap();
        assert!(got == content, "{len}");
        assert_eq!(fake.fetches.take().len(), len.div_ceil(PIECE));
    }
}

#[wasm_bindgen_test]
async fn after_the_way_was_lost_only_what_is_missing_is_asked_for() {
    let fake = Rc::new(Fake::default());
    let content = noise(60 * PIECE, 2);
    fake.write("a", &content);
    // Away after the thirtieth piece, for a few questions.
    let refusals = Cell::new(0);
    *fake.mischief.borrow_mut() = Some(Box::new(move |fake, count| {
        refusals.set(refusals.get() + u32::from(count >= 30));
        fake.away.set(count >= 30 && refusals.get() < 40);
    }));
    let (result, got) = get_file(&fake, "a").await;
    result.unwrap();
    assert!(got == content);
    assert_eq!(fake.fetches.borrow().len(), 60);
}

#[wasm_bindgen_test]
async fn a_machine_that_stays_away_is_given_up_in_the_end() {
    let fake = Rc::new(Fake::default());
    fake.write("a", &noise(3, 3));
    fake.away.set(true);
    assert_eq!(refused(get_file(&fake, "a").await.0), ErrorCode::Away);
}

#[wasm_bindgen_test]
async fn a_piece_that_does_not_match_its_checksum_is_read_again_and_never_handed_on() {
    let fake = Rc::new(Fake::default());
    let content = noise(5 * PIECE, 4);
    fake.write("a", &content);
    fake.damaged.set(2);
    let (result, got) = get_file(&fake, "a").await;
    result.unwrap();
    assert!(got == content);
    fake.damaged.set(1000);
    let (result, got) = get_file(&fake, "a").await;
    assert_eq!((refused(result), got.len()), (ErrorCode::Damaged, 0));
}

#[wasm_bindgen_test]
async fn a_file_that_changes_before_its_first_byte_is_begun_anew_and_later_it_fails() {
    let fake = Rc::new(Fake::default());
    fake.write("a", &noise(2 * PIECE, 5));
    let changed = noise(3 * PIECE, 6);
    let (is_done, now) = (Cell::new(false), changed.clone());
    // Between the question how it is and the first piece.
    let asked = Cell::new(0);
    *fake.mischief.borrow_mut() = Some(Box::new(move |fake, _| {
        asked.set(asked.get() + 1);
        if asked.get() == 2 && !is_done.replace(true) {
            fake.write("a", &now);
        }
    }));
    let (result, got) = get_file(&fake, "a").await;
    result.unwrap();
    assert!(got == changed);

    fake.write("a", &noise(80 * PIECE, 7));
    fake.fetches.take();
    *fake.mischief.borrow_mut() = Some(Box::new(|fake, count| {
        if count == 40 {
            fake.write("a", &noise(80 * PIECE, 8));
        }
    }));
    assert_eq!(refused(get_file(&fake, "a").await.0), ErrorCode::Changing);
}

#[wasm_bindgen_test]
async fn a_folder_comes_with_all_that_is_in_it() {
    let fake = Rc::new(Fake::default());
    fake.write("top/a", b"first");
    fake.write("top/deep/er/b", &noise(3 * PIECE + 1, 9));
    fake.write("top/empty", b"");
    for index in 0..200 {
        fake.write(&format!("top/many/{index:03}"), format!("content {index}").as_bytes());
    }
    let (result, got) = get_archive(&fake, "top").await;
    assert_eq!(result.unwrap(), Leftovers::default());
    assert!(holds(&got, b"first") && holds(&got, b"content 199"));
    assert!(holds(&got, &noise(3 * PIECE + 1, 9)));
    assert!(holds(&got, b"top/deep/er/") && holds(&got, b"top/empty"));
}

#[wasm_bindgen_test]
async fn what_cannot_be_read_is_left_out_and_named_in_a_text_file() {
    let fake = Rc::new(Fake::default());
    fake.write("top/a", b"first");
    fake.write("top/secret", b"hidden");
    fake.write("top/vault/key", b"hidden");
    fake.write("top/z", b"last");
    let refuse = |path: &str| {
        _ = fake
            .refused
            .borrow_mut()
            .insert(path.to_owned(), ErrorCode::NotReadable)
    };
    ["top/secret", "top/vault"].into_iter().for_each(refuse);
    let (result, got) = get_archive(&fake, "top").await;
    let left = result.unwrap();
    let named: Vec<_> = left.some.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!((left.count, named), (2, vec!["top/secret", "top/vault"]));
    assert!(holds(&got, b"first") && holds(&got, b"last") && !holds(&got, b"hidden"));
    assert!(holds(&got, b"NOT DOWNLOADED.txt") && holds(&got, b"top/secret: "));

    fake.refused
        .borrow_mut()
        .insert("top".to_owned(), ErrorCode::NotReadable);
    let (result, got) = get_archive(&fake, "top").await;
    assert_eq!(refused(result), ErrorCode::NotReadable);
    assert!(got.is_empty() || !holds(&got, b"NOT DOWNLOADED.txt"));
}

#[wasm_bindgen_test]
async fn a_file_of_a_folder_that_changed_after_it_was_listed_comes_as_it_is_now() {
    let fake = Rc::new(Fake::default());
    fake.write("top/a", &noise(PIECE + 1, 1));
    fake.write("top/b", &noise(PIECE * 3, 2));
    let is_done = Cell::new(false);
    *fake.mischief.borrow_mut() = Some(Box::new(move |fake, _| {
        if fake.listed.get() == 1 && !is_done.replace(true) {
            fake.write("top/b", b"now short");
        }
    }));
    let (result, got) = get_archive(&fake, "top").await;
    assert_eq!(result.unwrap(), Leftovers::default());
    assert!(holds(&got, b"now short") && holds(&got, &noise(PIECE + 1, 1)));
}

#[wasm_bindgen_test]
async fn a_file_that_was_empty_when_it_was_listed_comes_with_what_was_written_since() {
    let fake = Rc::new(Fake::default());
    fake.write("top/a", b"");
    fake.write("top/b", b"");
    let is_done = Cell::new(false);
    *fake.mischief.borrow_mut() = Some(Box::new(move |fake, _| {
        if fake.listed.get() == 1 && !is_done.replace(true) {
            fake.write("top/a", b"written since");
            fake.files.borrow_mut().remove("top/b");
        }
    }));
    let (result, got) = get_archive(&fake, "top").await;
    let named: Vec<_> = result.unwrap().some.into_iter().map(|(path, _)| path).collect();
    assert!(holds(&got, b"written since"));
    assert_eq!(named, ["top/b"]);
}

#[wasm_bindgen_test]
async fn a_file_of_a_folder_that_changes_while_it_is_written_ends_the_download() {
    let fake = Rc::new(Fake::default());
    fake.write("top/a", &noise(PIECE * 60, 1));
    *fake.mischief.borrow_mut() = Some(Box::new(|fake, count| {
        if count == 40 {
            fake.write("top/a", b"now short");
        }
    }));
    let (result, _) = get_archive(&fake, "top").await;
    match result {
        Err(Stop::Refused(refusal)) => assert!(refusal.message.contains("top/a"), "{refusal}"),
        other => panic!("{other:?}"),
    }
}

#[wasm_bindgen_test]
async fn room_is_given_to_who_came_first_and_again_when_it_is_left() {
    let window = Window::of(10);
    let first = window.enter(8).await;
    let order = RefCell::new(Vec::new());
    let large = async {
        let _room = window.enter(9).await;
        order.borrow_mut().push("large");
    };
    let small = async {
        let _room = window.enter(1).await;
        order.borrow_mut().push("small");
    };
    let leave = async {
        dom::sleep(1).await;
        assert!(order.borrow().is_empty());
        drop(first);
    };
    join(join(large, small), leave).await;
    assert_eq!(*order.borrow(), ["large", "small"]);
}

#[wasm_bindgen_test]
async fn room_that_was_given_to_somebody_who_left_meanwhile_is_free_again() {
    let window = Window::of(10);
    let first = window.enter(10).await;
    let mut gone = Box::pin(window.enter(10));
    assert!((&mut gone).now_or_never().is_none());
    // Given, and never taken.
    drop(first);
    drop(gone);
    assert!(window.enter(10).now_or_never().is_some());
}

#[wasm_bindgen_test]
fn a_download_that_was_cancelled_in_the_browser_has_not_failed_when_it_is_found_gone_there() {
    assert!(matches!(ended_by(Broken::Gone, true), Told::Cancelled));
    assert!(matches!(ended_by(Broken::Gone, false), Told::Failed(_)));
    assert!(matches!(ended_by(Broken::Cancelled, false), Told::Cancelled));
}
