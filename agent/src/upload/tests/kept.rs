//! A root that is kept stored: what the server holds is what is on the disk, whatever is done to it.

mod trouble;

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;
use crate::{
    scan::Scope,
    upload::keep::{Cycle, Keeping, Order, Places},
};
use proptest::{collection::vec, prelude::*};

/// A root that is kept.
struct Kept {
    bench: Bench,
    keeping: Keeping<Fake>,
}

impl Kept {
    async fn of(bench: Bench) -> Self {
        bench.server.with(|store| store.may_restructure = true);
        let keeping = keeping(&bench).await;
        let mut kept = Self { bench, keeping };
        kept.all().await;
        kept
    }

    /// As after a restart of the agent.
    async fn restart(&mut self) {
        self.keeping = keeping(&self.bench).await;
    }

    async fn all(&mut self) {
        done(self.round(Places::All, IfMissing::Ask).await);
    }

    async fn look(&mut self, scopes: Vec<Scope>) {
        done(self.round(Places::Some(scopes), IfMissing::Ask).await);
    }

    async fn round(&mut self, places: Places, if_missing: IfMissing) -> Cycle {
        let order = Order {
            places,
            if_missing,
            pause: CancellationToken::new(),
            follow: Box::new(|_| {}),
        };
        self.keeping.round(order).await.unwrap()
    }

    /// What the server is told, counted: puts, moves, removals, and chunks sent.
    fn told(&self) -> (usize, usize, usize, usize) {
        let count = |store: &mut fake::Store| {
            let counts = (store.puts, store.moves, store.removes, store.sent.len());
            (store.puts, store.moves, store.removes) = (0, 0, 0);
            store.sent.clear();
            counts
        };
        self.bench.server.with(count)
    }

    fn assert_equal(&self) {
        let stored = self.bench.server.with(|store| {
            let paths: Vec<_> = store.heads.keys().cloned().collect();
            let row = |path: RootPath| {
                let manifest = store.heads[&path].clone();
                let content = match &manifest.content {
                    Content::File(_) => Shape::File(store.content(&path), manifest.mode),
                    Content::Folder => Shape::Folder(manifest.mode),
                    Content::Symlink(target) => Shape::Symlink(target.clone()),
                };
                (path.display(), content)
            };
            paths.into_iter().map(row).collect::<BTreeMap<_, _>>()
        });
        let mut there = BTreeMap::new();
        shapes(&self.bench.path(""), &self.bench.path(""), &mut there);
        assert_eq!(stored, there);
    }

    fn rename(&self, from: &str, to: &str) -> Vec<Scope> {
        fs::rename(self.bench.path(from), self.bench.path(to)).unwrap();
        vec![Scope::itself(below(from)), Scope::below(below(to))]
    }
}

pub(super) async fn keeping(bench: &Bench) -> Keeping<Fake> {
    let fast = (Duration::from_millis(1), Duration::from_millis(5));
    let pace = Pace {
        network: fast,
        room: fast,
        changing: fast,
    };
    let shared = bench.shared(bench.server.clone(), pace);
    let keeping = Keeping::begin(bench.job(&[""]), shared, bench.index.clone(), Arc::default());
    keeping.await.unwrap().unwrap()
}

fn done(cycle: Cycle) {
    match cycle {
        Cycle::Done { again, problems, .. } => assert_eq!((again, problems), (vec![], vec![])),
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Shape {
    File(Vec<u8>, u32),
    Folder(u32),
    Symlink(Vec<u8>),
}

fn shapes(root: &Path, at: &Path, into: &mut BTreeMap<String, Shape>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let shape = if meta.is_dir() {
            shapes(root, &path, into);
            Shape::Folder(mode)
        } else if meta.is_symlink() {
            Shape::Symlink(fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
        } else {
            Shape::File(fs::read(&path).unwrap(), mode)
        };
        into.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), shape);
    }
}

async fn sample() -> Kept {
    let bench = Bench::new();
    for (path, content) in [
        ("a", &b"one"[..]),
        ("photos/2026/large", &noise(3 << 20, 1)),
        ("photos/2026/small", b"two"),
        ("photos/list", b"three"),
        ("notes/x", b"four"),
    ] {
        bench.write(path, content);
    }
    let kept = Kept::of(bench).await;
    kept.assert_equal();
    kept.told();
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_again_of_what_did_not_change() {
    let mut kept = sample().await;
    kept.all().await;
    kept.restart().await;
    kept.all().await;
    assert_eq!(kept.told(), (0, 0, 0, 0));
    let commits = kept.bench.server.with(|store| store.commits);
    fs::File::open(kept.bench.path("notes"))
        .unwrap()
        .set_modified(SystemTime::now())
        .unwrap();
    kept.look(vec![Scope::itself(below("notes"))]).await;
    assert_eq!(
        kept.bench.server.with(|store| store.commits),
        commits,
        "times of folders are not news"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_moved_is_told_in_one_change_and_not_read() {
    let mut kept = sample().await;
    fs::create_dir(kept.bench.path("archive")).unwrap();
    let mut scopes = kept.rename("photos", "archive/pictures");
    scopes.push(Scope::below(below("archive")));
    kept.look(scopes).await;
    assert_eq!(kept.told(), (1, 1, 0, 0), "only the new folder above is put");
    kept.assert_equal();
    let asked = kept.bench.server.with(|store| store.asked);
    kept.rename("archive/pictures", "photos");
    kept.all().await;
    assert_eq!(kept.told(), (0, 1, 0, 0), "found without being told of it");
    assert_eq!(kept.bench.server.with(|store| store.asked), asked, "nothing was read");
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_within_a_moved_folder_follows_the_move() {
    let mut kept = sample().await;
    kept.bench.write("photos/stays", b"five");
    kept.all().await;
    kept.told();
    kept.rename("photos", "pictures");
    kept.rename("pictures/list", "notes/list");
    kept.rename("pictures/2026", "pictures/old");
    kept.bench.write("pictures/old/small", b"changed");
    fs::remove_file(kept.bench.path("pictures/old/large")).unwrap();
    kept.bench.write("pictures/new", b"new");
    kept.restart().await;
    kept.all().await;
    kept.assert_equal();
    let (_, moves, _, _) = kept.told();
    assert_eq!(moves, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_moved_is_put_once_with_its_new_marks_and_sends_nothing() {
    let mut kept = sample().await;
    let scopes = kept.rename("photos/2026/large", "large");
    kept.look(scopes).await;
    assert_eq!(kept.told(), (1, 1, 0, 0));
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_by_rename_is_one_put() {
    let mut kept = sample().await;
    kept.bench.write(".a.tmp", b"one more");
    let scopes = kept.rename(".a.tmp", "a");
    kept.look(scopes).await;
    assert_eq!(kept.told(), (1, 0, 0, 1));
    kept.bench.write(".a.tmp", b"and more");
    kept.look(vec![Scope::itself(below(".a.tmp"))]).await;
    let scopes = kept.rename(".a.tmp", "a");
    kept.look(scopes).await;
    assert_eq!(
        kept.told(),
        (2, 0, 1, 1),
        "the temporary file was stored too, its content is known"
    );
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_taken_away_and_files_become_folders_and_back() {
    let mut kept = sample().await;
    fs::remove_dir_all(kept.bench.path("photos")).unwrap();
    kept.look(vec![Scope::itself(below("photos"))]).await;
    assert_eq!(kept.told(), (0, 0, 1, 0), "a folder goes in one change");
    kept.assert_equal();
    fs::remove_file(kept.bench.path("a")).unwrap();
    kept.bench.write("a/b/c", b"deep");
    fs::remove_dir_all(kept.bench.path("notes")).unwrap();
    kept.bench.write("notes", b"flat");
    kept.look(["a", "notes"].map(|path| Scope::itself(below(path))).to_vec())
        .await;
    kept.assert_equal();
}

/// File systems give the number of what went to the next that comes.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_a_folder_is_taken_away_when_another_one_has_its_place_and_its_number() {
    let mut kept = Kept::of(Bench::new()).await;
    let (folder, inside) = (0, 3);
    for deeds in [
        [Deed::Folder(folder), Deed::Folder(inside)],
        [Deed::Remove(folder), Deed::Folder(folder)],
    ] {
        let told = deeds.iter().flat_map(|deed| act(&kept.bench, deed)).collect();
        kept.look(told).await;
        kept.assert_equal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_permissions_alone_sends_no_content() {
    let mut kept = sample().await;
    for (path, mode) in [("photos/2026/large", 0o600), ("photos", 0o700)] {
        fs::set_permissions(kept.bench.path(path), fs::Permissions::from_mode(mode)).unwrap();
        kept.look(vec![Scope::itself(below(path))]).await;
        assert_eq!(kept.told(), (1, 0, 0, 0), "{path}");
    }
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_read_right_after_its_write_is_read_once_more_and_told_to_nobody() {
    let mut kept = sample().await;
    fs::write(kept.bench.path("a"), b"just now").unwrap();
    kept.look(vec![Scope::itself(below("a"))]).await;
    assert_eq!(kept.told().0, 1);
    age(&kept.bench.path("a"), Duration::ZERO);
    kept.look(vec![Scope::itself(below("a"))]).await;
    kept.told();
    for _ in 0..2 {
        kept.all().await;
        assert_eq!(kept.told(), (0, 0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_when_the_agent_was_killed_is_taken_away_if_it_is_gone_when_it_is_back() {
    let mut kept = sample().await;
    // It was committed, and the agent ended before it could note that.
    let head = kept.bench.server.with(|store| store.head);
    let source = kept
        .bench
        .index
        .source(fake::space(), RootId([3; 16]), 1, head)
        .unwrap();
    kept.bench.index.expect(source, &[below("ghost"), below("a")]).unwrap();
    kept.bench.server.with(|store| {
        let manifest = store.heads[&below("a")].clone();
        store.heads.insert(below("ghost"), manifest);
    });
    kept.restart().await;
    kept.all().await;
    assert_eq!(kept.told(), (0, 0, 1, 0));
    kept.assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_gone_is_asked_about_and_what_moved_is_not_gone() {
    let bench = Bench::new();
    for at in 0..120 {
        bench.write(&format!("many/{at}"), at.to_string().as_bytes());
    }
    bench.write("other", b"stays");
    let mut kept = Kept::of(bench).await;
    kept.told();
    kept.rename("many", "elsewhere");
    kept.all().await;
    assert_eq!(kept.told(), (0, 1, 0, 0));
    fs::remove_dir_all(kept.bench.path("elsewhere")).unwrap();
    let told = vec![Scope::itself(below("elsewhere"))];
    for places in [Places::Some(told), Places::All] {
        assert!(matches!(kept.round(places, IfMissing::Ask).await, Cycle::Much));
        assert_eq!(kept.told(), (0, 0, 0, 0));
    }
    done(kept.round(Places::All, IfMissing::GoOn).await);
    assert_eq!(kept.told(), (0, 0, 1, 0));
    kept.assert_equal();
}

/// An agent that was killed in the middle leaves many such.
#[tokio::test(flavor = "multi_thread")]
async fn what_perhaps_came_to_be_stored_does_not_count_where_much_is_gone() {
    let bench = Bench::new();
    for at in 0..60 {
        bench.write(&format!("many/{at}"), b"few");
    }
    bench.write("other", b"stays");
    let mut kept = Kept::of(bench).await;
    let head = kept.bench.server.with(|store| store.head);
    let source = kept
        .bench
        .index
        .source(fake::space(), RootId([3; 16]), 1, head)
        .unwrap();
    let perhaps: Vec<_> = (0..2000).map(|at| below(&format!("perhaps{at}"))).collect();
    kept.bench.index.expect(source, &perhaps).unwrap();
    kept.restart().await;
    fs::remove_dir_all(kept.bench.path("many")).unwrap();
    assert!(matches!(kept.round(Places::All, IfMissing::Ask).await, Cycle::Much));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_gone_or_empty_takes_nothing_away() {
    let bench = Bench::new();
    for at in 0..12 {
        bench.write(&at.to_string(), b"few");
    }
    let mut kept = Kept::of(bench).await;
    let (root, aside) = (
        kept.bench.path("").components().collect::<PathBuf>(),
        kept.bench.folder.path().join("aside"),
    );
    fs::rename(&root, &aside).unwrap();
    for places in [Places::All, Places::Some(vec![Scope::itself(below("1"))])] {
        assert!(matches!(kept.round(places, IfMissing::GoOn).await, Cycle::NoRoot));
    }
    fs::create_dir(&root).unwrap();
    let one = Places::Some(vec![Scope::itself(below("1"))]);
    assert!(
        matches!(kept.round(one, IfMissing::Ask).await, Cycle::NoRoot),
        "it is another folder"
    );
    assert!(
        matches!(kept.round(Places::All, IfMissing::Ask).await, Cycle::Much),
        "it is empty"
    );
    fs::remove_dir(&root).unwrap();
    fs::rename(&aside, &root).unwrap();
    kept.told();
    kept.all().await;
    assert_eq!(kept.told(), (0, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_is_not_stored_and_what_was_stored_stays() {
    let mut kept = sample().await;
    let config = RootConfig {
        id: RootId([3; 16]),
        name: Label::new("root").unwrap(),
        path: kept.bench.path("").components().collect(),
        writable: false,
        ignore: "photos/\n*.tmp\n".to_owned(),
    };
    kept.keeping.turn_to(Arc::new(Root::new(&config)));
    kept.bench.write("x.tmp", b"no");
    kept.bench.write("photos/new", b"no");
    kept.bench.write("y", b"yes");
    kept.look(
        ["x.tmp", "photos/new", "y"]
            .map(|path| Scope::itself(below(path)))
            .to_vec(),
    )
    .await;
    kept.all().await;
    fs::remove_dir_all(kept.bench.path("photos")).unwrap();
    kept.all().await;
    assert_eq!(kept.told(), (1, 0, 0, 1));
    assert!(
        kept.bench
            .server
            .with(|store| store.heads.contains_key(&below("photos/list")))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_can_be_kept_in_mind_is_stored_as_it_is_walked() {
    let bench = Bench::new();
    for at in 0..500 {
        let path = bench.path(&format!("f{}", at % 20));
        if at < 20 {
            fs::create_dir(&path).unwrap();
        }
        fs::write(path.join(at.to_string()), b"").unwrap();
    }
    let mut kept = Kept::of(bench).await;
    assert_eq!(kept.told().0, 520);
    kept.rename("f1", "g1");
    kept.all().await;
    assert_eq!(kept.told(), (0, 1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_that_moved_than_can_be_kept_in_mind_is_moved_and_not_asked_about() {
    let bench = Bench::new();
    for at in 0..10 {
        fs::create_dir(bench.path(&format!("f{at}"))).unwrap();
        for file in 0..60 {
            fs::write(bench.path(&format!("f{at}/{file}")), b"").unwrap();
        }
    }
    let mut kept = Kept::of(bench).await;
    kept.told();
    fs::create_dir(kept.bench.path("to")).unwrap();
    for at in 0..10 {
        kept.rename(&format!("f{at}"), &format!("to/g{at}"));
    }
    kept.all().await;
    assert_eq!(kept.told(), (1, 10, 0, 0));
}

/// What is done to the disk. Numbers stand for names.
#[derive(Debug, Clone)]
enum Deed {
    Write(usize, usize),
    Append(usize),
    Folder(usize),
    Link(usize),
    Rename(usize, usize),
    Remove(usize),
    Mode(usize, u32),
    Restart,
}

const NAMES: [&str; 12] = [
    "a", "b", "A", "a/a", "a/b", "b/a", "b/b", "b/b/c", "a/b/c", "c", "c/a.b", "c/a",
];

fn deed() -> impl Strategy<Value = Deed> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => (name.clone(), 0usize..6).prop_map(|(name, content)| Deed::Write(name, content)),
        2 => name.clone().prop_map(Deed::Append),
        3 => name.clone().prop_map(Deed::Folder),
        1 => name.clone().prop_map(Deed::Link),
        5 => (name.clone(), name.clone()).prop_map(|(from, to)| Deed::Rename(from, to)),
        2 => name.clone().prop_map(Deed::Remove),
        1 => (name, prop_oneof![Just(0o700), Just(0o755)]).prop_map(|(name, mode)| Deed::Mode(name, mode)),
        1 => Just(Deed::Restart),
    ]
}

/// Does it, if it can be done; where the system would tell of it: what comes and goes is told with all below it.
fn act(bench: &Bench, deed: &Deed) -> Vec<Scope> {
    let at = |name: usize| bench.path(NAMES[name]);
    let itself = |name: usize| vec![Scope::itself(below(NAMES[name]))];
    let whole = |name: usize| vec![Scope::below(below(NAMES[name]))];
    let (went, told) = match *deed {
        Deed::Write(name, content) => (fs::write(at(name), vec![content as u8; content * 1000]), itself(name)),
        Deed::Append(name) => {
            let file = fs::OpenOptions::new().append(true).open(at(name));
            let appended = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"more"));
            (appended, itself(name))
        }
        Deed::Folder(name) => (fs::create_dir(at(name)), whole(name)),
        Deed::Link(name) => (symlink("nowhere/at all", at(name)), whole(name)),
        Deed::Rename(from, to) => {
            let told = [whole(from), whole(to)].concat();
            (fs::rename(at(from), at(to)), told)
        }
        Deed::Remove(name) if at(name).is_dir() => (fs::remove_dir_all(at(name)), whole(name)),
        Deed::Remove(name) => (fs::remove_file(at(name)), whole(name)),
        Deed::Mode(name, mode) => (
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)),
            itself(name),
        ),
        Deed::Restart => (Ok(()), Vec::new()),
    };
    went.map(|()| told).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_done_the_server_holds_what_is_on_the_disk(steps in vec((vec(deed(), 1..6), any::<bool>()), 1..14)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut kept = Kept::of(Bench::new()).await;
            for (deeds, looks_at_all) in steps {
                let mut told = Vec::new();
                for deed in &deeds {
                    told.extend(act(&kept.bench, deed));
                    if matches!(deed, Deed::Restart) {
                        kept.restart().await;
                    }
                }
                match looks_at_all || deeds.iter().any(|deed| matches!(deed, Deed::Restart)) {
                    true => kept.all().await,
                    false => kept.look(told).await,
                }
                kept.assert_equal();
            }
        });
    }
}
