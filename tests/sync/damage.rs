//! What happens to a copy other than by its origin: edits, deletions, damage, a disk that is gone.

use std::{
    fs::{self, File},
    time::SystemTime,
};

use beckon_tests::wait_until;

use crate::{
    scene::SOON,
    world::{World, files_below, trash_of},
};

/// Some blocks of a file system.
fn content(number: u32) -> String {
    format!("content {number}\n").repeat(2000)
}

fn world() -> World {
    let world = World::with(1, |root| {
        for number in 0..20 {
            fs::write(root.join(format!("file {number}.txt")), content(number)).unwrap();
        }
    });
    world.settle();
    world.wait_current(&world.followers[0].transfer);
    world
}

#[test]
fn an_edit_of_the_copy_is_kept_beside_what_the_origin_writes_later() {
    let world = world();
    let copy = world.followers[0].root();
    fs::write(copy.join("file 3.txt"), "my own words").unwrap();
    fs::write(world.path("file 3.txt"), "the origin's words").unwrap();
    wait_until("the origin's words are there", SOON, || {
        fs::read(copy.join("file 3.txt")).is_ok_and(|now| now == b"the origin's words")
    });
    let kept: Vec<_> = files_below(copy, ".txt")
        .into_iter()
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes == b"my own words"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let listed = world
        .cli()
        .run(["--json", "conflicts", "copy0:Copy"])
        .expect_ok()
        .json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[test]
fn what_the_origin_deletes_goes_to_the_trash_of_the_copy() {
    let world = world();
    let copy = world.followers[0].root();
    fs::remove_file(world.path("file 5.txt")).unwrap();
    wait_until("it is gone from the copy", SOON, || !copy.join("file 5.txt").exists());
    let kept = files_below(&trash_of(copy), "file 5.txt");
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), content(5).as_bytes());
}

#[test]
fn a_file_that_an_unclean_stop_left_empty_is_restored_and_never_taken_for_an_edit() {
    let mut world = world();
    world.followers[0].machine.kill();
    let copy = world.followers[0].root().to_owned();
    let mtime = fs::metadata(copy.join("file 7.txt")).unwrap().modified().unwrap();
    // As a file system leaves it that wrote the name and not the content.
    let emptied = File::options()
        .write(true)
        .truncate(true)
        .open(copy.join("file 7.txt"))
        .unwrap();
    emptied.set_modified(mtime).unwrap();
    // And one whose last blocks were never written.
    let mut zeros = fs::read(copy.join("file 8.txt")).unwrap();
    zeros[8192..].fill(0);
    fs::write(copy.join("file 8.txt"), &zeros).unwrap();
    File::options()
        .write(true)
        .open(copy.join("file 8.txt"))
        .unwrap()
        .set_modified(SystemTime::now())
        .unwrap();
    world.followers[0].machine.restart();
    world.settle();
    let listed = world
        .cli()
        .run(["--json", "conflicts", "copy0:Copy"])
        .expect_ok()
        .json();
    assert_eq!(listed.as_array().map(Vec::len), Some(0), "{listed}");
}

#[test]
fn a_watched_root_that_vanishes_pauses_and_takes_nothing_from_anybody() {
    let world = world();
    let aside = world.root().with_extension("taken out");
    fs::rename(world.root(), &aside).unwrap();
    wait_until("the watch asks", SOON, || {
        world.transfer(&world.watch)["hold"] == "question"
    });
    assert_eq!(
        fs::read_dir(world.followers[0].root())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with("file ")
            })
            .count(),
        20
    );
    fs::rename(&aside, world.root()).unwrap();
    fs::write(world.path("file 1.txt"), "it goes on").unwrap();
    world.settle();
}

#[test]
fn a_copy_whose_folder_vanishes_pauses() {
    let world = world();
    let copy = world.followers[0].root();
    let aside = copy.with_extension("taken out");
    fs::rename(copy, &aside).unwrap();
    fs::write(world.path("file 2.txt"), "new words").unwrap();
    wait_until("the follow asks", SOON, || {
        world.transfer(&world.followers[0].transfer)["hold"] == "question"
    });
    assert!(!copy.exists(), "nothing is made where a disk was");
    fs::rename(&aside, copy).unwrap();
    world.settle();
}
