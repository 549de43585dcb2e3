//! `cargo xtask run`: a server in the foreground, for a first look and for work on it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::{
    build::{self, Profile},
    child::Child,
    demo,
    interrupt::Interrupt,
};

/// Build and start the server; Ctrl-C ends it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show Beckon with an account and a machine made for the occasion, and remove all of it at the end.
    #[arg(long, conflicts_with = "data")]
    demo: bool,

    #[command(flatten)]
    profile: Profile,

    /// The address to listen on. [default: the server's own; with --demo, a free port of this machine]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,

    /// The folder for the server's data. [default: the server's own]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    let programs = build::build(args.profile)?;
    let interrupt = Interrupt::watch()?;
    if args.demo {
        return demo::show(&programs, args.listen, &interrupt);
    }
    serve(&programs.server, args, &interrupt)
}

fn serve(server: &Path, args: &Args, interrupt: &Interrupt) -> Result<()> {
    match &args.data {
        Some(folder) => eprintln!("data: {}", folder.display()),
        None => eprintln!("data: the server's own folder, usually ~/.local/share/beckon; --data DIR takes another one"),
    }
    let mut child = Child::start("server", server, |command| {
        if let Some(address) = args.listen {
            command.arg("--listen").arg(address.to_string());
        }
        if let Some(folder) = &args.data {
            command.arg("--data").arg(folder);
        }
    })?;
    match interrupt.or(|| child.ended())? {
        None => child.stop(),
        Some(status) if status.success() => {}
        Some(status) => bail!("the server ended ({status})"),
    }
    Ok(())
}
