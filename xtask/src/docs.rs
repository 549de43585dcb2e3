//! `cargo xtask docs`: the documents that are made from the code.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    build::{self, Profile, Programs},
    command::{self, root},
};

/// Make `docs/CONFIG.md` from the server's table of settings.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a document is not up to date.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    profile: Profile,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    let programs = build::programs(args.profile)?;
    if args.check {
        return check(&programs);
    }
    let path = path();
    fs::write(&path, text(&programs)?).with_context(|| format!("cannot write {}", path.display()))
}

/// An error unless the documents are as the programs would make them.
pub(crate) fn check(programs: &Programs) -> Result<()> {
    compare(&path(), &text(programs)?)
}

fn path() -> PathBuf {
    root().join("docs/CONFIG.md")
}

fn text(programs: &Programs) -> Result<String> {
    command::read(Command::new(&programs.server).arg("config-docs"))
}

fn compare(path: &Path, text: &str) -> Result<()> {
    let there = fs::read_to_string(path).unwrap_or_default();
    ensure!(
        there == text,
        "{} is not up to date: run `cargo xtask docs`",
        path.display()
    );
    Ok(())
}
