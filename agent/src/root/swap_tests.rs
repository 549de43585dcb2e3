//! An attacker swaps a folder for a symlink to the outside while the agent opens files below it.
#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test plays the attacker, and the naive program that he hopes for"
)]

use std::{
    fs,
    io::Read,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use beckon_shared::path::RootPath;

use super::{Root, tests::root};

/// So many opens are tried in all.
const OPENS: u64 = 200_000;
/// Only a machine on which nothing moves takes so long.
const TIME_MAX: Duration = Duration::from_secs(300);
const THREADS: u64 = 2;

/// A root with `victim/file`, and outside of it a folder with another `file`.
struct Scene {
    folder: tempfile::TempDir,
}

#[derive(Debug, Default)]
struct Seen {
    opens: AtomicU64,
    inside: AtomicU64,
    escaped: AtomicU64,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (place, content) in [("root/victim", "inside"), ("outside", "secret")] {
            fs::create_dir_all(folder.path().join(place)).unwrap();
            fs::write(folder.path().join(place).join("file"), content).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Swaps folder and symlink back and forth, as fast as can be, until the end.
    fn attack(&self, stop: &AtomicBool) {
        let (victim, aside) = (self.path("root/victim"), self.path("root/aside"));
        while !stop.load(Relaxed) {
            fs::rename(&victim, &aside).unwrap();
            symlink(self.path("outside"), &victim).unwrap();
            fs::remove_file(&victim).unwrap();
            fs::rename(&aside, &victim).unwrap();
        }
    }

    /// Opens `victim/file` again and again while the attack goes on, until `enough`.
    fn run(&self, open: impl Fn() -> Option<fs::File> + Sync, enough: impl Fn(&Seen) -> bool + Sync) -> Seen {
        let (stop, seen, begun) = (AtomicBool::new(false), Seen::default(), Instant::now());
        std::thread::scope(|scope| {
            scope.spawn(|| self.attack(&stop));
            let openers: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        while !enough(&seen) && begun.elapsed() < TIME_MAX {
                            seen.count(open())
                        }
                    })
                })
                .collect();
            openers.into_iter().for_each(|opener| opener.join().unwrap());
            stop.store(true, Relaxed);
        });
        seen
    }
}

impl Seen {
    fn count(&self, file: Option<fs::File>) {
        self.opens.fetch_add(1, Relaxed);
        let Some(mut file) = file else { return };
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        let counter = if content == "inside" {
            &self.inside
        } else {
            &self.escaped
        };
        counter.fetch_add(1, Relaxed);
    }
}

fn open_below(root: &Root) -> Option<fs::File> {
    let (folder, name) = root.parent(&RootPath::new("victim/file").unwrap()).ok()?;
    Some(folder.open_file(&name).ok()?.file)
}

/// What must not be written: the path is checked first, and opened by its name after.
fn open_naively(root: &Path) -> Option<fs::File> {
    let path = root.join("victim/file");
    let checked = fs::canonicalize(&path).ok()?;
    if !checked.starts_with(fs::canonicalize(root).ok()?) {
        return None;
    }
    fs::File::open(path).ok()
}

#[test]
fn no_open_escapes_while_a_folder_is_swapped_for_a_symlink() {
    let scene = Scene::new();
    let root = root(&scene.path("root"));
    let seen = scene.run(|| open_below(&root), |seen| seen.opens.load(Relaxed) >= OPENS);
    assert_eq!(seen.escaped.load(Relaxed), 0, "{seen:?}");
    assert!(seen.opens.load(Relaxed) >= OPENS, "{seen:?}");
    assert!(
        seen.inside.load(Relaxed) > 0,
        "the attack left no window to open anything: {seen:?}"
    );
}

#[test]
fn the_swap_does_catch_a_program_that_checks_and_then_opens() {
    let scene = Scene::new();
    let root = scene.path("root");
    let seen = scene.run(|| open_naively(&root), |seen| seen.escaped.load(Relaxed) > 0);
    assert!(seen.escaped.load(Relaxed) > 0, "{seen:?}");
}
