//! `beckon ignore`: what a root leaves out of uploads and watches.

use std::{
    ffi::OsString,
    io::Read,
    path::{Path, PathBuf},
};

use beckon_shared::{
    browse::{Answer, Ask, IGNORE_MAX},
    id::RootId,
    path::RootPath,
};

use super::{Here, control::Control, ls, order::Spot, place::Live};
use crate::{
    output::{Exit, Failure, count, remark, size, visible, visible_text},
    session::Reach,
    state,
};

/// Ends the help.
const EXAMPLES: &str = "\
Examples:
  beckon ignore desk:Documents --add '*.tmp' --add '/build/' --preview
  beckon ignore desk:Documents --set patterns.txt
  beckon ignore desk:Documents --remove '*.tmp'";

/// What `ignore` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// MACHINE:ROOT or a ref; without options its patterns are printed
    #[arg(value_name = "MACHINE:ROOT")]
    root: OsString,
    /// Patterns in gitignore syntax, in place of all that are there; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add", "remove"])]
    set: Option<PathBuf>,
    /// One more pattern, such as '*.tmp' or '/build/'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    add: Vec<String>,
    /// A pattern that is to go, as it is printed
    #[arg(long, value_name = "PATTERN")]
    remove: Vec<String>,
    /// Change nothing; say what the patterns would leave out
    #[arg(long)]
    preview: bool,
}

/// Prints the patterns, tries others or sets them.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let place = Live::parse(&args.root)?;
    let given = args.set.as_deref().map(read).transpose()?;
    let controller = here.controller()?;
    let control = Control::open_even_alone(here, &controller, &place).await?;
    let spot = Spot::find(&control, &place)?;
    spot.must_be_whole("what has patterns")?;
    let root = spot.at.root;
    let reach = control.reach(control.meant(&place)?).await?;
    let is_change = given.is_some() || !args.add.is_empty() || !args.remove.is_empty();
    let patterns = match given {
        Some(given) => given,
        None => changed(&current(&reach, root).await?, &args.add, &args.remove)?,
    };
    match (args.preview, is_change) {
        (true, _) => preview(here, &reach, root, patterns).await?,
        (false, true) => set(here, &reach, &spot, patterns).await?,
        (false, false) => print(here, &spot, &patterns)?,
    }
    reach.close();
    control.close().await;
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<String, Failure> {
    let bytes = match file.as_os_str() == "-" {
        false => state::read_small_file(file, IGNORE_MAX)?,
        true => {
            let mut bytes = Vec::new();
            let mut input = std::io::stdin().lock().take(IGNORE_MAX as u64 + 1);
            let read = input.read_to_end(&mut bytes);
            read.map_err(|cause| {
                Failure::local(
                    "file",
                    format!("standard input cannot be read: {cause}; name a file instead"),
                )
            })?;
            bytes
        }
    };
    let text = String::from_utf8(bytes);
    bounded(text.map_err(|_| Failure::usage("patterns are UTF-8 text; save the file as such"))?)
}

fn bounded(patterns: String) -> Result<String, Failure> {
    match patterns.len() > IGNORE_MAX {
        true => Err(Failure::usage(format!(
            "a root has at most {} of patterns; leave some out, or name whole folders",
            size(IGNORE_MAX as u64)
        ))),
        false => Ok(patterns),
    }
}

async fn current(reach: &Reach, root: RootId) -> Result<String, Failure> {
    match reach.ask(Ask::Ignore { root }).await? {
        Answer::Ignore(patterns) => Ok(patterns),
        _ => Err(ls::misunderstood()),
    }
}

/// The patterns with some more at their end and without others.
fn changed(patterns: &str, add: &[String], remove: &[String]) -> Result<String, Failure> {
    if let Some(bad) = add
        .iter()
        .find(|pattern| pattern.is_empty() || pattern.contains(['\n', '\r']))
    {
        return Err(Failure::usage(format!(
            "{bad:?} is no pattern; give one line at a time, or all with --set FILE"
        )));
    }
    if let Some(absent) = remove.iter().find(|gone| !patterns.lines().any(|line| line == *gone)) {
        return Err(Failure::usage(format!(
            "there is no pattern {absent:?}; see those that are there without --remove"
        )));
    }
    if add.is_empty() && remove.is_empty() {
        return Ok(patterns.to_owned());
    }
    let stays = patterns.lines().filter(|line| !remove.iter().any(|gone| gone == line));
    let known = |pattern: &&String| !patterns.lines().any(|line| line == *pattern);
    let lines = stays.chain(add.iter().filter(known).map(String::as_str));
    bounded(lines.flat_map(|line| [line, "\n"]).collect())
}

fn print(here: &Here, spot: &Spot, patterns: &str) -> Result<(), Failure> {
    if patterns.trim().is_empty() {
        let advice = format!(
            "nothing is left out; to leave something out: beckon ignore {} --add '*.tmp'",
            spot.typed()
        );
        remark(here.out, &advice);
    }
    here.out.one(&serde_json::json!({ "patterns": patterns }), || {
        visible_text(patterns.trim_end())
    })
}

async fn set(here: &Here, reach: &Reach, spot: &Spot, patterns: String) -> Result<(), Failure> {
    let ask = Ask::SetIgnore {
        root: spot.at.root,
        patterns: patterns.clone(),
    };
    let Answer::Done = reach.ask(ask).await? else {
        return Err(ls::misunderstood());
    };
    let is_pattern = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let lines = patterns.lines().filter(is_pattern).count() as u64;
    here.out.one(&serde_json::json!({ "patterns": patterns }), || {
        format!(
            "{} leaves out what matches {}; what is stored already stays stored",
            spot.text(),
            count(lines, "pattern")
        )
    })
}

async fn preview(here: &Here, reach: &Reach, root: RootId, patterns: String) -> Result<(), Failure> {
    let Answer::Skipped {
        files,
        bytes,
        first,
        is_whole,
    } = reach.ask(Ask::PreviewIgnore { root, patterns }).await?
    else {
        return Err(ls::misunderstood());
    };
    let names: Vec<String> = first.iter().map(RootPath::display).collect();
    let result = serde_json::json!({ "files": files, "bytes": bytes, "first": names, "whole": is_whole });
    here.out.one(&result, || {
        let least = if is_whole { "" } else { "at least " };
        let mut lines = vec![format!(
            "would leave out {least}{}, {}",
            count(files, "file"),
            size(bytes)
        )];
        lines.extend(first.iter().map(|path| format!("  {}", visible(path.as_bytes()))));
        lines.join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patterns: &str, add: &[&str], remove: &[&str]) -> Result<String, &'static str> {
        let [add, remove] = [add, remove].map(|all| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        changed(patterns, &add, &remove).map_err(|failure| failure.code)
    }

    #[test]
    fn patterns_are_added_at_the_end_and_once() {
        assert_eq!(of("a\nb", &["c", "a"], &[]).as_deref(), Ok("a\nb\nc\n"));
        assert_eq!(of("", &["*.tmp"], &[]).as_deref(), Ok("*.tmp\n"));
        assert_eq!(of("a\nb", &[], &[]).as_deref(), Ok("a\nb"));
        assert_eq!(of("", &["a\nb"], &[]), Err("usage"));
        let long = "x".repeat(IGNORE_MAX);
        assert_eq!(of("", &[&long], &[]), Err("usage"));
    }

    #[test]
    fn only_a_pattern_that_is_there_can_go() {
        assert_eq!(of("a\nb\na\n", &["c"], &["a"]).as_deref(), Ok("b\nc\n"));
        assert_eq!(of("a\n", &[], &["b"]), Err("usage"));
    }
}
