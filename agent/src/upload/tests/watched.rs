//! A root that is watched: what the system tells, questions and their answers, and a server that comes back.

use std::path::PathBuf;

use tokio::{
    sync::{Notify, watch::Sender},
    task::JoinHandle,
};

use super::{fake::Store, kept::keeping, *};
use crate::{
    upload::keep::Keeper,
    watch::{self, Site},
};

/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(30);

/// Whoever else has to do with a watch.
#[derive(Default)]
struct Others {
    answer: Notify,
    news: Notify,
}

impl watch::Queue for Others {
    type Turn = ();

    async fn turn(&self) -> ((), CancellationToken) {
        ((), CancellationToken::new())
    }

    async fn answer(&self) {
        self.answer.notified().await;
    }

    async fn news(&self) {
        self.news.notified().await;
    }
}

struct Watched {
    bench: Bench,
    others: Arc<Others>,
    pause: CancellationToken,
    work: JoinHandle<Result<Outcome, Refusal>>,
    /// Closed, nothing would be heard of other patterns.
    _roots: Sender<Arc<[Arc<Root>]>>,
}

impl Watched {
    async fn of(bench: Bench) -> Self {
        bench.server.with(|store| store.may_restructure = true);
        let root = bench.job(&[""]).root;
        let (roots, opened) = tokio::sync::watch::channel(Arc::from([Arc::clone(&root)]));
        let (others, pause) = (Arc::<Others>::default(), CancellationToken::new());
        let site = Site {
            root,
            roots: opened,
            pause: pause.clone(),
        };
        let (keeper, with) = (Keeper::of(keeping(&bench).await), Arc::clone(&others));
        let watched = Self {
            bench,
            others,
            pause,
            work: tokio::spawn(async move { watch::keep_with(keeper, site, &*with).await }),
            _roots: roots,
        };
        watched.until(|store| store.holds.contains(&Hold::Current)).await;
        watched
    }

    /// Waits until the server is as it should be.
    async fn until(&self, is_so: impl Fn(&Store) -> bool) {
        let look = async {
            while !self.bench.server.with(|store| is_so(store)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let told = tokio::time::timeout(LONG, look).await;
        assert!(told.is_ok(), "{:?}", self.stored());
    }

    /// Does something, and waits until it says anew that it stands like this.
    async fn tells(&self, hold: Hold, cause: impl FnOnce()) {
        self.bench.server.with(|store| store.holds.clear());
        cause();
        self.until(|store| store.holds.contains(&hold)).await;
    }

    /// Has it ask the server anew, which it does only while it is not looking at anything.
    async fn asks(&self) {
        let before = self.bench.server.with(|store| store.begins);
        self.others.news.notify_one();
        self.until(|store| store.begins > before).await;
    }

    async fn holds(&self, path: &str, content: &[u8]) {
        self.until(|store| store.heads.contains_key(&below(path)) && store.content(&below(path)) == content)
            .await;
    }

    fn stored(&self) -> Vec<String> {
        let mut stored = self
            .bench
            .server
            .with(|store| store.heads.keys().map(RootPath::display).collect::<Vec<_>>());
        stored.sort();
        stored
    }

    fn removals(&self) -> usize {
        self.bench.server.with(|store| store.removes)
    }

    fn root(&self) -> PathBuf {
        self.bench.path("").components().collect()
    }

    fn aside(&self) -> PathBuf {
        self.bench.folder.path().join("aside")
    }

    async fn ends(self) -> Outcome {
        self.pause.cancel();
        self.work.await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_renamed_and_deleted_is_told_without_being_asked_for() {
    let bench = Bench::new();
    bench.write("a", b"one");
    let watched = Watched::of(bench).await;
    assert_eq!(watched.stored(), ["a"]);
    fs::create_dir_all(watched.bench.path("new/deep")).unwrap();
    fs::write(watched.bench.path("new/deep/b"), b"two").unwrap();
    watched.holds("new/deep/b", b"two").await;
    fs::rename(watched.bench.path("new"), watched.bench.path("old")).unwrap();
    watched.until(|store| store.moves == 1).await;
    fs::write(watched.bench.path("old/deep/b"), b"three").unwrap();
    watched.holds("old/deep/b", b"three").await;
    fs::remove_dir_all(watched.bench.path("old")).unwrap();
    watched.until(|store| store.heads.len() == 1).await;
    assert_eq!(watched.ends().await, Outcome::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_taken_out_is_waited_for_however_little_it_held() {
    let bench = Bench::new();
    bench.write("a", b"one");
    let watched = Watched::of(bench).await;
    let exchange = || {
        fs::rename(watched.root(), watched.aside()).unwrap();
        fs::create_dir(watched.root()).unwrap();
    };
    // Perhaps first because it is not there, and then because it is another one.
    watched.tells(Hold::Question, exchange).await;
    watched.tells(Hold::Question, || ()).await;
    assert_eq!(watched.removals(), 0);
    fs::remove_dir(watched.root()).unwrap();
    fs::rename(watched.aside(), watched.root()).unwrap();
    fs::write(watched.bench.path("b"), b"two").unwrap();
    watched.holds("b", b"two").await;
    assert_eq!(
        (watched.removals(), watched.stored()),
        (0, vec!["a".into(), "b".into()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_ends_by_itself_when_what_was_missing_is_back_and_else_by_its_answer() {
    let bench = Bench::new();
    for at in 0..120 {
        bench.write(&format!("many/{at}"), b"");
    }
    let watched = Watched::of(bench).await;
    let many = watched.bench.path("many");
    let take_away = || fs::rename(&many, watched.aside()).unwrap();
    watched.tells(Hold::Question, take_away).await;
    let put_back = || fs::rename(watched.aside(), &many).unwrap();
    watched.tells(Hold::Current, put_back).await;
    assert_eq!(watched.removals(), 0);
    watched.tells(Hold::Question, take_away).await;
    watched.others.answer.notify_one();
    watched.until(|store| store.heads.is_empty()).await;
    assert_eq!(watched.removals(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_with_less_gets_everything_again() {
    let bench = Bench::new();
    bench.write("a", b"one");
    let watched = Watched::of(bench).await;
    let before = watched.bench.server.with(|store| (store.head, store.heads.clone()));
    fs::write(watched.bench.path("b"), b"two").unwrap();
    watched.holds("b", b"two").await;
    // What it stored it also knows to be stored then.
    watched.asks().await;
    watched.bench.server.with(|store| (store.head, store.heads) = before);
    watched.others.news.notify_one();
    watched.holds("b", b"two").await;
}
