//! Stories of terminals and machines that reach each other directly, or do not: told in networks of their own, with real
//! servers, machines and browsers. One file per story.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, and says on standard error what it could not tell"
)]

mod authority;
mod beckon_ui;
mod browser;
mod carrier;
mod copy;
mod download;
mod impostor;
mod order;
mod owner;
mod pulled_cable;
mod scene;
mod server_away;
mod six;
mod strange_page;
mod stranger;
