//! `cargo xtask bench`: measures the programs as users run them, beside their peers, on this machine.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    build::{self, Profile, target_folder},
    command::{self, cargo, root},
    package::{self, Need},
};

/// Measure the programs, built in release, beside their peers in the same run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure.
    what: What,
}

#[derive(clap::ValueEnum, Clone, Copy)]
enum What {
    /// Upload, upload again, a small change, a distance of 50 ms, a long listing.
    MainLoop,
    /// Many machines and those that come back: reconnecting, memory of connections, orders, starting again.
    Transfers,
    /// Content of a live machine: over the relay, over a distance of 50 ms, straight over a cable.
    Lan,
    /// Machines that are kept the same, beside syncthing and rsync.
    Sync,
    /// The web app in a real browser: its size, and how long people wait for it.
    Web,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    package::install(Need::Tests)?;
    package::install(Need::Bench)?;
    let programs = build::build(Profile::RELEASE)?;
    let folder: PathBuf = programs.server.parent().context("the server lies in a folder")?.into();
    let name = match args.what {
        What::MainLoop => "main-loop",
        What::Transfers => "transfers",
        What::Lan => "lan",
        What::Sync => "sync",
        What::Web => "web",
    };
    command::run(bench(name).env("BECKON_BIN_DIR", folder))
}

/// A hundredth of the data with the programs of the tests, to see that the benchmarks work; their figures mean little.
pub(crate) fn small() -> Result<()> {
    let program = target_folder()?.join("debug/bench");
    for name in ["main-loop-small", "transfers-small", "lan-small", "sync-small"] {
        command::run(Command::new(&program).arg(name).current_dir(root()))?;
    }
    Ok(())
}

fn bench(name: &str) -> Command {
    cargo(["run", "--package", "beckon-tests", "--bin", "bench", "--", name])
}
