//! `cargo xtask build`: the programs that users run, with the web app inside the server.

use std::{env, path::PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{
    command::{self, cargo},
    web,
};

/// Build the web app, the server and the command line.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    profile: Profile,
}

/// How to build.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Profile {
    /// Build with all optimisations, as for users.
    #[arg(long)]
    pub(crate) release: bool,
}

impl Profile {
    /// As the tests have them.
    pub(crate) const DEBUG: Self = Self { release: false };
    /// As users have them.
    pub(crate) const RELEASE: Self = Self { release: true };
}

/// Where the built programs lie.
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    pub(crate) beckon: PathBuf,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    let programs = build(args.profile)?;
    println!("{}\n{}", programs.server.display(), programs.beckon.display());
    Ok(())
}

/// Builds the web app and both programs, and says where they lie.
pub(crate) fn build(profile: Profile) -> Result<Programs> {
    web::build(profile)?;
    programs(profile)
}

/// Builds both programs with the web app as it is, and says where they lie.
pub(crate) fn programs(profile: Profile) -> Result<Programs> {
    let mut cargo = cargo(["build", "--package", "beckon-server", "--package", "beckon"]);
    if profile.release {
        cargo.arg("--release");
    }
    command::run(&mut cargo)?;
    built(profile)
}

/// Where both programs lie, as they were built last.
pub(crate) fn built(profile: Profile) -> Result<Programs> {
    let folder = target_folder()?.join(if profile.release { "release" } else { "debug" });
    Ok(Programs {
        server: program(folder.join("beckon-server"))?,
        beckon: program(folder.join("beckon"))?,
    })
}

fn program(path: PathBuf) -> Result<PathBuf> {
    let path = path.with_extension(env::consts::EXE_EXTENSION);
    ensure!(path.is_file(), "cargo built no {}", path.display());
    Ok(path)
}

/// Cargo's target folder: xtask was built into it, as `TARGET/debug/xtask`.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let own = env::current_exe().context("xtask cannot find its own path")?;
    let folder = own.ancestors().nth(2);
    folder
        .map(PathBuf::from)
        .context("xtask does not lie in a target folder: use `cargo xtask`")
}
