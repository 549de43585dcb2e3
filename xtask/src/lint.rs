//! `cargo xtask lint`: formatting, clippy, and what may be depended upon.

use anyhow::{Context, Result};

use crate::{
    command::{self, cargo},
    wasm_target, windows_target,
};

/// The version that `deny.toml` was written for; newer ones may want a newer compiler.
const DENY_VERSION: &str = "0.20.2";

/// What nothing that is released has.
const FOR_TESTS: &str = "beckon/faults,beckon-server/faults,beckon-server/sabotage";

/// Check formatting, lints, licences and the sources of dependencies.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn task(_: &Args) -> Result<()> {
    command::run(&mut cargo(["fmt", "--all", "--check"])).context("`cargo fmt` puts it right")?;
    clippy(&["--workspace", "--exclude", "beckon-web"])?;
    clippy(&[
        "--package",
        "beckon",
        "--package",
        "beckon-server",
        "--features",
        FOR_TESTS,
    ])?;
    wasm_target::install()?;
    clippy(&["--package", "beckon-web", "--target", wasm_target::NAME])?;
    windows()?;
    install_deny()?;
    // The graph of each duplicate would bury the lines that matter.
    command::run(&mut cargo([
        "deny",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]))
}

/// The agent for Windows, without its tests: they make files as only Unix has them.
fn windows() -> Result<()> {
    let target = windows_target::NAME;
    if !windows_target::is_ready()? {
        eprintln!(
            "the agent for Windows is left out: for it, rustup target add {target}, and a {}",
            windows_target::COMPILER
        );
        return Ok(());
    }
    let mut cargo = cargo(["clippy", "--package", "beckon", "--target", target]);
    command::run(cargo.args(["--", "--deny", "warnings"]))
}

fn clippy(what: &[&str]) -> Result<()> {
    let strict = ["--all-targets", "--", "--deny", "warnings"];
    command::run(cargo(["clippy"]).args(what).args(strict))
}

fn install_deny() -> Result<()> {
    if command::read(&mut cargo(["deny", "--version"])).is_ok() {
        return Ok(());
    }
    eprintln!("installing cargo-deny, which takes some minutes: it checks licences and sources");
    command::run(&mut cargo([
        "install",
        "cargo-deny",
        "--locked",
        "--version",
        DENY_VERSION,
    ]))
}
