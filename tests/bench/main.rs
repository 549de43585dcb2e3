//! Benchmarks with the real programs: `cargo xtask bench TASK` builds these in release and runs this.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a program for a terminal, whose every failure ends it; figures are rounded for people"
)]

mod data;
mod delay;
mod fleet;
mod lan;
mod main_loop;
mod measure;
mod rsync;
mod sync;
mod syncthing;
mod transfers;
mod web;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("main-loop") => main_loop::run(main_loop::Size::Full),
        Some("main-loop-small") => main_loop::run(main_loop::Size::Small),
        Some("transfers") => transfers::run(transfers::Size::Full),
        Some("transfers-small") => transfers::run(transfers::Size::Small),
        Some("lan") => lan::run(lan::Size::Full),
        Some("lan-small") => lan::run(lan::Size::Small),
        Some("sync") => sync::run(sync::Size::Full),
        Some("sync-small") => sync::run(sync::Size::Small),
        Some("web") => web::run(),
        _ => panic!("usage: bench (main-loop | transfers | lan | sync)[-small] | web"),
    }
}
