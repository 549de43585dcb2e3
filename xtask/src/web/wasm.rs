//! Compiles the web app and binds it to JavaScript, with the version of wasm-bindgen that the lock file names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    build::{Profile, target_folder},
    command::{self, cargo},
    wasm_target,
};

/// The web app, ready for browsers.
pub(super) struct Bound {
    pub(super) wasm: Vec<u8>,
    pub(super) script: String,
    /// Scripts of dependencies by their path below `./snippets/`, which the main script imports.
    pub(super) snippets: Vec<(String, String)>,
}

/// Compiles the web app and says where it lies.
pub(super) fn compile(profile: Profile) -> Result<PathBuf> {
    wasm_target::install()?;
    let (name, folder) = if profile.release {
        ("web", "web")
    } else {
        ("dev", "debug")
    };
    let mut cargo = cargo(["build", "--package", "beckon-web", "--lib", "--profile", name]);
    command::run(cargo.args(["--target", wasm_target::NAME]))?;
    let folder = target_folder()?.join(wasm_target::NAME).join(folder);
    Ok(folder.join("beckon_web.wasm"))
}

/// Makes what browsers load out of the compiler's output.
///
/// What is made for those who work on it keeps the names of functions, for the stack of a panic.
pub(super) fn bind(compiled: &Path, profile: Profile) -> Result<Bound> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).out_name("beckon").typescript(false);
    bindgen.web(true)?.omit_default_module_path(true);
    bindgen
        .remove_name_section(profile.release)
        .remove_producers_section(true);
    let mut output = bindgen
        .generate_output()
        .with_context(|| format!("cannot bind {} to JavaScript", compiled.display()))?;
    let wasm = output.wasm_mut().emit_wasm();
    let inline = output.snippets().iter().flat_map(|(folder, scripts)| {
        let numbered = scripts.iter().enumerate();
        numbered.map(move |(number, script)| (format!("{folder}/inline{number}.js"), script.clone()))
    });
    let modules = output.local_modules().iter();
    let mut snippets: Vec<_> = inline
        .chain(modules.map(|(path, script)| (path.clone(), script.clone())))
        .collect();
    snippets.sort();
    Ok(Bound {
        wasm,
        script: output.js().to_owned(),
        snippets,
    })
}
