//! Running the programs that make networks: `ip`, `nft`, `sysctl`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Runs `ip` in a namespace; what it printed.
#[track_caller]
pub(super) fn ip(namespace: &str, words: &[&str]) -> String {
    run(&[&["ip", "-n", namespace][..], words].concat())
}

/// Runs a program, which must end well; what it printed.
#[track_caller]
pub(super) fn run(words: &[&str]) -> String {
    try_run(words).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a program: what it printed, or why it failed.
pub(super) fn try_run(words: &[&str]) -> Result<String, String> {
    try_run_with_input(words, "")
}

/// Runs a program that reads `input`: what it printed, or why it failed.
pub(super) fn try_run_with_input(words: &[&str], input: &str) -> Result<String, String> {
    let because = |reason: &dyn std::fmt::Display| format!("`{}`: {reason}", words.join(" "));
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| because(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read has its own reason, which is told below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| because(&error))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(because(&String::from_utf8_lossy(&output.stderr).trim())),
    }
}
