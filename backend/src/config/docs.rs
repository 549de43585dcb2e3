//! `docs/CONFIG.md`, made of the same table that reads the settings.

use std::fmt::Write;

use clap::{Arg, CommandFactory};

use super::Cli;

const HEAD: &str = "# Settings of the server

Made by `beckon-server config-docs`; change `backend/src/config.rs` instead.

The command line counts most, then the environment, then the file, then the default. In the file (TOML) a setting is
named as on the command line, without the dashes before it: `listen = \"0.0.0.0:8440\"`.

| command line | environment | default | what it is |
|---|---|---|---|
";

/// The settings as Markdown.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for arg in Cli::command().get_arguments() {
        // Writing to a String does not fail.
        let _ = writeln!(page, "{}", row(arg));
    }
    page
}

fn row(arg: &Arg) -> String {
    let long = arg.get_long().unwrap_or_default();
    let value = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string)
        .unwrap_or_default();
    let env = arg
        .get_env()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let default = arg
        .get_default_values()
        .first()
        .map(|value| format!("`{}`", value.to_string_lossy()));
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    format!(
        "| `--{long} {value}` | `{env}` | {} | {help} |",
        default.unwrap_or_default()
    )
}
