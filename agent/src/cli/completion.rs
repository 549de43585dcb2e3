//! `beckon completions`: what a shell has to know to complete commands, made of the definitions of the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::output::{Exit, Failure, Output};

/// What `completions` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell; its answer goes to where that shell looks, such as ~/.local/share/bash-completion/completions/beckon
    shell: Shell,
}

/// Prints the completions.
pub(crate) fn run(out: Output, args: &Args) -> Result<Exit, Failure> {
    out.write(&script(args.shell))?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Args::command(), "beckon", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_learns_all_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let script = String::from_utf8(script(shell)).unwrap();
            for command in super::super::Args::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
