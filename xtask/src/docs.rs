//! `cargo xtask docs`: the documents that are made from the code.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    build::{self, Profile},
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

impl Args {
    /// Only looks whether the documents are up to date.
    pub(crate) const CHECK: Self = Self {
        check: true,
        profile: Profile::DEBUG,
    };
}

pub(crate) fn task(args: &Args) -> Result<()> {
    let programs = build::build(args.profile)?;
    let text = command::read(Command::new(programs.server).arg("config-docs"))?;
    let path = root().join("docs/CONFIG.md");
    if args.check {
        return compare(&path, &text);
    }
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
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
