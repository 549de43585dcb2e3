//! Writing to a place while the power goes: seeded runs on a disk that forgets what was not synced.
//!
//! An origin changes, somebody edits, steps are carried out, and at some operation the power is gone. What is left is judged;
//! then the machine starts again and goes on. `BECKON_COPY_SEED=N` plays one seed alone.

mod disk;
mod play;

use std::sync::Arc;

use play::{Play, Wrong};
use tokio_util::sync::CancellationToken;

use super::{
    Book, Place, apply,
    disk::Disk,
    place::tests::{Shelf, path, site, transfer},
};

/// So many seeds are played.
const SEEDS: u64 = 150;

fn seeds() -> Vec<u64> {
    let named = std::env::var("BECKON_COPY_SEED").ok();
    match named.map(|seed| seed.parse().expect("BECKON_COPY_SEED is a number")) {
        Some(seed) => vec![seed],
        None => (0..SEEDS).collect(),
    }
}

fn play(seed: u64, lie: disk::Lie) -> Result<u64, Wrong> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Play::new(seed, lie).run())
}

#[test]
fn whenever_the_power_goes_files_are_whole_and_edits_are_kept() {
    let mut cuts = 0;
    for seed in seeds() {
        match play(seed, disk::Lie::None) {
            Ok(count) => cuts += count,
            Err(wrong) => panic!("{wrong}; again with: BECKON_COPY_SEED={seed}"),
        }
    }
    assert!(cuts > 0 || seeds().len() == 1, "the power never went");
}

#[test]
fn a_disk_that_only_says_that_it_synced_is_found_out() {
    for lie in [disk::Lie::Bytes, disk::Lie::Names] {
        let found = (0..SEEDS).filter_map(|seed| play(seed, lie).err()).next();
        assert!(found.is_some(), "{lie:?}: nobody noticed");
    }
}

#[tokio::test]
async fn an_edit_of_the_same_length_while_an_equal_file_is_compared_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::in_memory().unwrap();
    let site = site(folder.path(), &book, "", true);
    book.begin_copy(transfer(), site.root.id).unwrap();
    let (disk, shelf) = (disk::SimDisk::new(disk::Lie::None), Shelf::default());
    let place = Place::on(Arc::new(disk.clone()), site);
    disk.create(&path("a"), 0o640).unwrap().write_at(0, b"one").unwrap();
    disk.edit_meanwhile(disk::Edit {
        after: 1,
        path: path("a"),
        bytes: b"two".to_vec(),
        replaced: None,
    });
    for (content, mtime_s) in [(b"one", 1), (b"new", 2), (b"new", 2)] {
        let step = shelf.put("a", content, mtime_s);
        apply(&place, vec![step], &shelf, &CancellationToken::new())
            .await
            .unwrap();
    }
    assert!(disk.take_edit().unwrap().replaced.is_some(), "somebody wrote");
    let files = disk.files();
    assert_eq!(files[&path("a")], b"new");
    assert!(files.values().any(|bytes| bytes == b"two"), "{files:?}");
}
