//! The Rust target of the web app, and installing it.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::command::{self, is_installed};

/// The target's name.
pub(crate) const NAME: &str = "wasm32-unknown-unknown";

/// Installs the standard library for the browser, unless it is there.
pub(crate) fn install() -> Result<()> {
    let mut rustc = Command::new("rustc");
    let folder = command::read(rustc.args(["--print", "target-libdir", "--target", NAME]))?;
    if Path::new(folder.trim()).exists() {
        return Ok(());
    }
    if !is_installed("rustup") {
        bail!("the Rust target {NAME} is missing: install it as you installed Rust");
    }
    eprintln!("installing the Rust target {NAME}: the browser's part of Beckon is built for it");
    command::run(Command::new("rustup").args(["target", "add", NAME]))
        .with_context(|| format!("could not install {NAME}: is the network there?"))
}
