//! Many files, two who follow at once, and changes while they do.

use std::{fs, time::Duration};

use beckon_tests::sample;

use crate::world::World;

/// How many files the large story has; `BECKON_MANY_FILES` says more (100,000 in `cargo xtask soak`).
const FILES: usize = 10_000;

#[test]
fn two_who_follow_get_everything_while_it_changes() {
    let mut world = World::with(1, sample::small_tree);
    for number in 0..200 {
        fs::write(world.path(&format!("new {number}")), format!("content {number}")).unwrap();
        if number == 50 {
            world.add_follower("late");
        }
        if number % 3 == 0 {
            fs::write(world.path(&format!("new {}", number / 2)), format!("changed {number}")).unwrap();
        }
    }
    world.settle();
    assert_eq!(world.followers.len(), 2);
}

#[test]
fn many_files_in_many_folders_arrive() {
    let files = std::env::var("BECKON_MANY_FILES").map_or(FILES, |text| text.parse().expect("a number of files"));
    let world = World::with(1, |root| {
        for number in 0..files {
            let folder = root.join(format!("{}", number / 100));
            if number % 100 == 0 {
                fs::create_dir(&folder).unwrap();
            }
            fs::write(folder.join(format!("{number}")), format!("the content of {number}")).unwrap();
        }
    });
    world.settle_within(Duration::from_secs(600));
    world.wait_current(&world.watch);
    world.wait_current(&world.followers[0].transfer);
}
