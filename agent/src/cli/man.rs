//! `beckon man`: the manual, a page for each command, made of the definitions of the command line.

use std::path::PathBuf;

use cap_std::{ambient_authority, fs::Dir};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::output::{Exit, Failure, Output, count};

/// What `man` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder to write the pages to, such as ~/.local/share/man/man1; made if it is not there
    dir: PathBuf,
}

/// Writes the pages.
pub(crate) fn run(out: Output, args: &Args) -> Result<Exit, Failure> {
    let failed = |error| Failure::file(&args.dir, &error);
    Dir::create_ambient_dir_all(&args.dir, ambient_authority()).map_err(failed)?;
    let dir = Dir::open_ambient_dir(&args.dir, ambient_authority()).map_err(failed)?;
    let pages = pages();
    for (name, text) in &pages {
        dir.write(name, text).map_err(failed)?;
    }
    let result = serde_json::json!({ "path": args.dir.to_string_lossy(), "pages": pages.len() });
    out.one(&result, || {
        format!("{}: {}", args.dir.display(), count(pages.len() as u64, "page"))
    })?;
    Ok(Exit::Done)
}

/// Names of files and what stands in them.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut top = super::Args::command();
    top.build();
    let mut pages = Vec::new();
    collect(&top, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) {
    let page = Man::new(command.clone())
        .source(concat!("beckon ", env!("CARGO_PKG_VERSION")))
        .manual("Beckon");
    let mut text = Vec::new();
    // Writing to a Vec does not fail.
    let _ = page.render(&mut text);
    pages.push((page.get_filename(), text));
    let has_page = |below: &&Command| !below.is_hide_set() && below.get_name() != "help";
    for below in command.get_subcommands().filter(has_page) {
        collect(below, pages);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;

    /// Every command with its path, the top left out.
    fn each(command: &Command, path: &str, told: &mut Vec<(String, Command)>) {
        for below in command.get_subcommands() {
            let path = format!("{path} {}", below.get_name());
            each(below, &path, told);
            told.push((path, below.clone()));
        }
    }

    #[test]
    fn every_command_and_every_option_says_what_it_is_for() {
        let mut told = Vec::new();
        each(&super::super::Args::command(), "beckon", &mut told);
        assert!(told.len() > 40, "{}", told.len());
        for (path, command) in told {
            assert!(command.get_about().is_some(), "{path} has no help");
            for arg in command.get_arguments() {
                let has_help = arg.get_help().is_some() || ["help", "version"].contains(&arg.get_id().as_str());
                assert!(has_help, "{path}: {} has no help", arg.get_id());
            }
        }
    }

    #[test]
    fn every_command_has_a_page_of_its_own() {
        let names: Vec<String> = pages().into_iter().map(|(name, _)| name).collect();
        for name in [
            "beckon.1",
            "beckon-watch.1",
            "beckon-drive-restore.1",
            "beckon-service-install.1",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("-help")), "{names:?}");
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test gives its pages to another program")]
    fn the_pages_are_good_for_the_program_that_shows_them() {
        if Process::new("groff").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "the package groff-base is missing");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in pages() {
            let path = folder.path().join(&name);
            std::fs::write(&path, text).unwrap();
            let shown = Process::new("groff")
                .args(["-man", "-Tutf8", "-ww", "-z"])
                .arg(&path)
                .output()
                .unwrap();
            let complaints = String::from_utf8_lossy(&shown.stderr).into_owned();
            assert!(shown.status.success() && complaints.is_empty(), "{name}: {complaints}");
        }
    }
}
