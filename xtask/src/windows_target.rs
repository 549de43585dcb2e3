//! The Rust target of the agent for Windows, with what compiles the C parts of its dependencies.

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{
    command::{self, is_installed},
    package::{self, Need},
};

/// The target's name. Its compiler comes with Debian, which that of `x86_64-pc-windows-msvc` does not.
pub(crate) const NAME: &str = "x86_64-pc-windows-gnu";

/// What compiles C for it.
pub(crate) const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// Whether all of it is there. Where every change is judged it is installed first: `CI` is set there.
pub(crate) fn is_ready() -> Result<bool> {
    if env::var_os("CI").is_some() && is_installed("rustup") {
        package::install(Need::Windows)?;
        command::run(Command::new("rustup").args(["target", "add", NAME]))
            .with_context(|| format!("could not install {NAME}: is the network there?"))?;
    }
    let mut rustc = Command::new("rustc");
    let folder = command::read(rustc.args(["--print", "target-libdir", "--target", NAME]))?;
    Ok(Path::new(folder.trim()).exists() && is_installed(COMPILER))
}
