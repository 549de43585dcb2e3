//! Stories of what breaks: programs that are killed, lines, disks and clocks that go wrong. One file per story.
//!
//! They need programs that crash where they are told to, as `cargo xtask test` builds them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, and says on standard error what it could not tell"
)]

mod clock;
mod collection;
mod disk;
mod kills;
mod orders;
#[allow(dead_code, reason = "other stories begin there too, and need other parts of it")]
#[path = "../e2e/scene.rs"]
mod scene;
mod start;
mod weather;
mod world;
