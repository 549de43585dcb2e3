//! The tasks of the project, as `cargo xtask TASK`: one file per task.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal; each task says what it does"
)]

mod bench;
mod build;
mod demo;
mod docs;
mod lint;
mod run;
mod test;

// What the tasks are made of.
mod child;
mod command;
mod interrupt;
mod package;
mod wasm_target;
mod web;
mod windows_target;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The tasks of the project")]
enum Task {
    Bench(bench::Args),
    Build(build::Args),
    Run(run::Args),
    Test(test::Args),
    Soak(test::Soak),
    Lint(lint::Args),
    Docs(docs::Args),
}

fn main() -> ExitCode {
    match run(&Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace that RUST_BACKTRACE adds for tests: most of our errors are another program's.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    match task {
        Task::Bench(args) => bench::task(args),
        Task::Build(args) => build::task(args),
        Task::Run(args) => run::task(args),
        Task::Test(args) => test::task(args),
        Task::Soak(args) => test::soak(args),
        Task::Lint(args) => lint::task(args),
        Task::Docs(args) => docs::task(args),
    }
}
