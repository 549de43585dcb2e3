//! What is moved is not sent again.

use std::{
    fs::{self, File},
    time::Duration,
};

use crate::world::World;

/// A folder of so many bytes, nearly all of them holes.
const SIZE: u64 = 10 << 30;

/// So much is read and hashed several times over, here and by the machines.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn a_large_folder_that_is_moved_sends_no_content() {
    let world = World::with(1, |root| {
        fs::create_dir_all(root.join("films/old")).unwrap();
        for part in 0..5 {
            let file = File::create(root.join(format!("films/old/part {part}"))).unwrap();
            file.set_len(SIZE / 5).unwrap();
        }
        fs::write(root.join("films/list.txt"), "five parts").unwrap();
    });
    world.wait_current_within(&world.watch, LIMIT);
    world.wait_current_within(&world.followers[0].transfer, LIMIT);
    let sent = || world.transfer(&world.watch)["bytes_sent"].as_u64().unwrap();
    let came = || {
        let transfer = world.transfer(&world.followers[0].transfer);
        let count = |name: &str| transfer[name].as_u64().unwrap_or_default();
        count("bytes_server") + count("bytes_direct")
    };
    let before = (sent(), came());
    fs::rename(world.path("films"), world.path("Filme")).unwrap();
    world.settle_within(LIMIT);
    assert_eq!((sent(), came()), before, "content travelled though only names changed");
}
