//! Server and agent are killed again and again while a tree is uploaded: all of it arrives, and little travels twice.

use std::env;

use beckon_shared::fault;
use beckon_tests::Chance;

use crate::world::{Load, World};

/// How many kills there are at least. `cargo xtask soak` says more.
const VARIABLE: &str = "BECKON_KILLS";
const KILLS: u64 = 60;

/// So many of them come in one transfer.
const TOGETHER: u64 = 10;

#[test]
fn whenever_server_and_agent_are_killed_every_file_arrives_and_little_travels_twice() {
    let wanted = env::var(VARIABLE).map_or(KILLS, |text| text.parse().expect("a number of kills"));
    let mut world = World::new(Chance::from_env());
    let places = (fault::SERVER.len() + fault::AGENT.len()) as u64;
    for _ in 0..(wanted / (places * 3)).max(1) {
        at_each_place(&mut world);
    }
    while world.kills() < wanted {
        let kills = world.chance().number(1..2 * TOGETHER);
        world.round(Load::Large, kills);
    }
    world.judge();
}

/// Has the programs crash at each of their places.
fn at_each_place(world: &mut World) {
    world.plan(fault::SERVER, fault::AGENT);
    // Each transfer passes all of them.
    for _ in 0..fault::SERVER.len().max(fault::AGENT.len()) + 2 {
        if world.unreached().is_empty() {
            return;
        }
        world.round(Load::Small, 0);
    }
    panic!(
        "never reached: {:?}. Programs without the feature `faults` reach nothing: run `cargo xtask test`",
        world.unreached()
    );
}
