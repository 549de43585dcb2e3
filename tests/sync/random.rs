//! Thousands of random changes, with programs that are stopped, killed and cut off in between: after each quiet period both
//! trees and the drive are equal.

use std::env;

use beckon_tests::Chance;

use crate::{change::Playground, world::World};

/// How many changes there are. `cargo xtask soak` says more.
const VARIABLE: &str = "BECKON_CHANGES";
const CHANGES: u64 = 10_000;

/// So many at most come between two quiet periods.
const TOGETHER: u64 = 500;

#[test]
fn whatever_is_changed_and_cut_off_copy_and_drive_are_equal_after_each_quiet_period() {
    let wanted: u64 = env::var(VARIABLE).map_or(CHANGES, |text| text.parse().expect("a number of changes"));
    let mut chance = Chance::from_env();
    let mut world = World::with(1, |_| {});
    let mut playground = Playground::new(world.root());
    let mut done = 0;
    while done < wanted {
        let round = chance.number(1..TOGETHER).min(wanted - done);
        let disturbed_at = chance.percent(40).then(|| chance.number(0..round));
        for step in 0..round {
            if disturbed_at == Some(step) {
                disturb(&mut world, &mut chance);
            }
            let what = playground.step(&mut chance);
            if env::var_os("BECKON_SYNC_TRACE").is_some() {
                eprintln!("{done}+{step} {what}");
            }
        }
        done += round;
        world.settle();
    }
}

/// Something stops, is killed, or stands still for a moment.
fn disturb(world: &mut World, chance: &mut Chance) {
    match chance.number(0..6) {
        0 => world.desk.restart(),
        1 => {
            world.desk.kill();
            world.desk.restart();
        }
        2 => world.followers[0].machine.restart(),
        3 => {
            world.followers[0].machine.kill();
            world.followers[0].machine.restart();
        }
        4 => world.server.restart(),
        _ => {
            world.server.kill();
            world.server.restart();
        }
    }
}
