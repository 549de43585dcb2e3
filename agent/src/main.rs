//! The `beckon` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    beckon::cli::main()
}
