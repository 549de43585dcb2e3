//! Starts real servers, machines and terminals for the tests, and ends them when they are dropped.
//!
//! ```no_run
//! use beckon_tests::{Account, Machine, Server, sample, tree};
//!
//! let server = Server::start();
//! let ann = Account::sign_up(&server, "ann");
//! let folder = tempfile::tempdir().unwrap();
//! sample::small_tree(folder.path());
//! let desk = Machine::join(&ann, "desk").root("Documents", folder.path()).start();
//!
//! ann.cli().run(["upload", "desk:Documents", "--wait"]).expect_ok();
//! ann.cli().run(["get", "desk/Documents", "-o", "/tmp/copy"]).expect_ok();
//! ```
//!
//! Everything here panics when it fails: a harness that returned errors would only have them unwrapped by every test.
//! The log of a server or machine whose test fails is printed with the failure.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a harness fails its test by panicking, and shows why on standard error"
)]

pub mod account;
pub mod binary;
pub mod chance;
pub mod cli;
pub mod curl;
pub mod fake_clock;
pub mod large_index;
pub mod machine;
pub mod net;
pub mod page;
pub mod process;
pub mod proxy;
pub mod sample;
pub mod server;
pub mod small_disk;
mod spawner;
pub mod tree;
pub mod wait;

pub use account::Account;
pub use chance::Chance;
pub use cli::{Cli, Output};
pub use curl::{Browser, curl};
pub use fake_clock::FakeClock;
pub use machine::{Joining, Machine};
pub use net::Network;
pub use process::Process;
pub use proxy::{Proxy, Way, Weather};
pub use server::Server;
pub use small_disk::{ReadOnly, SmallDisk};
pub use wait::{wait_for, wait_until};
