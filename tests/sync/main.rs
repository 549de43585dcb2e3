//! Stories of unattended machines: one watches, others follow, and both are changed, cut off and started again. One file
//! per story.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, and says on standard error how to have the same once more"
)]

mod change;
mod damage;
mod many;
mod moved;
mod random;
#[allow(dead_code, reason = "other stories begin there too, and need other parts of it")]
#[path = "../e2e/scene.rs"]
mod scene;
mod world;
