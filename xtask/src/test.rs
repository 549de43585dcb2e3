//! `cargo xtask test`: every test of the workspace, after installing what they need.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    bench,
    command::{self, cargo, is_installed},
    docs,
    package::{self, Need},
};

const WASM: &str = "wasm32-unknown-unknown";

/// Install what the tests need, and run all of them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Goes to the test programs, as in `cargo xtask test -- upload` for tests with `upload` in the name.
    #[arg(last = true)]
    filter: Vec<String>,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    package::install(Need::Tests)?;
    install_wasm_target()?;
    // The end-to-end tests start the real programs, which `cargo test` alone would not build. With all targets their
    // dependencies are the same builds as the tests', so that nothing is built twice.
    command::run(&mut cargo(["build", "--workspace", "--all-targets"]))?;
    docs::task(&docs::Args::CHECK)?;
    command::run(cargo(["test", "--workspace", "--no-fail-fast", "--"]).args(&args.filter))?;
    if args.filter.is_empty() {
        bench::small()?;
    }
    command::run(&mut cargo(["check", "--package", "beckon-shared", "--target", WASM]))
}

/// Installs the standard library for the browser, unless it is there.
fn install_wasm_target() -> Result<()> {
    let mut rustc = Command::new("rustc");
    let folder = command::read(rustc.args(["--print", "target-libdir", "--target", WASM]))?;
    if Path::new(folder.trim()).exists() {
        return Ok(());
    }
    if !is_installed("rustup") {
        bail!("the Rust target {WASM} is missing: install it as you installed Rust");
    }
    eprintln!("installing the Rust target {WASM}: the browser's part of Beckon is built for it");
    command::run(Command::new("rustup").args(["target", "add", WASM]))
        .with_context(|| format!("could not install {WASM}: is the network there?"))
}
