//! A server that fell into the wrong hands, against the real programs: it holds every byte that a server can hold, says what
//! it likes, and opens no file on the machine.
//!
//! Each test ends with [`scene::Scene::assert_untouched`]: the kernel tells which files below the machine's root were opened,
//! and an honest order for one of them shows that it would have told of the others too.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod answer;
mod control;
mod http;
mod line;
mod opens;
mod scene;
mod server;

mod challenge;
mod direct;
mod follow;
mod frame;
mod join;
mod order;
mod replay;
mod session;
mod statement;
mod terminal;
