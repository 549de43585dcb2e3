//! The command line: what it understands, and what all commands share.

mod account;
mod admin;
mod completion;
mod conflict;
mod control;
mod device;
mod drive;
mod event;
mod follow;
mod get;
mod ignore;
mod join;
mod join_code;
mod lan;
mod local_file;
mod login;
mod ls;
mod man;
mod moment;
mod order;
mod passwd;
mod place;
mod put;
mod root_list;
mod run;
mod send;
mod service;
mod session_list;
mod sign_up;
mod size;
mod span;
mod transfer;
mod ui;
mod upload;
mod wake;
mod watch;
mod word;

use std::{
    ffi::OsString,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use beckon_shared::error::{ErrorCode, Refusal};
use clap::{Parser, error::ErrorKind};

use crate::{
    http::Api,
    origin::Origin,
    output::{self, Exit, Failure, Format, Output},
    server::Server,
    state::{Controller, StateDir},
};

/// What scripts may rely on.
const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not signed in or not allowed, 4 machine away, 5 partly done";

/// Reaches your files on every machine that you ever used.
#[derive(Debug, Parser)]
#[command(name = "beckon", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where they stand in the help of each command: behind its own.
const EVERYWHERE: &str = "Options of all commands";

#[derive(Debug, clap::Args)]
struct Global {
    /// Folder of this device's own state [default: $XDG_STATE_HOME/beckon or ~/.local/state/beckon]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "DIR", env = "BECKON_STATE")]
    state: Option<PathBuf>,
    /// Print results as JSON on standard output, errors as JSON on standard error
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Give up after so many seconds (events: end after so many)
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "S", value_parser = span::seconds)]
    timeout: Option<Duration>,
    /// PEM file of a certificate authority to trust besides the system's
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE", env = "BECKON_CA")]
    ca: Option<PathBuf>,
    /// Reach machines by way of the server only, never straight
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "BECKON_RELAY", value_parser = clap::builder::FalseyValueParser::new())]
    relay: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make an account: the first one of a server, or by an invitation
    SignUp(sign_up::Args),
    /// Sign in: this device may command your machines
    Login(login::Args),
    /// Sign out
    Logout,
    /// Change the password
    Passwd(passwd::Args),
    /// Choose a new password by the 24 recovery words
    Recover(passwd::RecoverArgs),
    /// List who is signed in, or end a session
    Sessions(session_list::Args),
    /// Make a code by which machines join your account
    JoinCode(join_code::Args),
    /// Make this device a machine of the account that made the code
    Join(join::Args),
    /// Serve this machine's roots until stopped
    Run(run::Args),
    /// Stop the agent that runs with this state folder
    Stop,
    /// Say what this device is, and whether its agent runs
    Status,
    /// Say where this machine is reached directly, past the server, or change it
    Lan(lan::Args),
    /// List, open or close folders of this machine
    Roots(root_list::Args),
    /// List the machines whose files can be reached
    Machines,
    /// List all devices that ever visited
    Devices,
    /// Look at one device, rename, confirm or revoke it
    #[command(subcommand)]
    Device(device::Command),
    /// Wake a sleeping machine through one that is awake in its network, and wait until it is online
    Wake(wake::Args),
    /// List a folder of a live machine
    Ls(ls::Args),
    /// Have a machine upload what it holds
    Upload(upload::Args),
    /// Have a machine keep a root stored, from now on
    Watch(watch::Args),
    /// Have a machine hold a copy of what another one stored, and keep it current
    Follow(follow::Args),
    /// Bring files of this device onto a machine
    Send(send::Args),
    /// List files of copies that were changed where the copy is, and choose which side stays
    Conflicts(conflict::Args),
    /// Say what a root leaves out of uploads, or change it
    Ignore(ignore::Args),
    /// List transfers, show one or steer it
    Transfers(transfer::Args),
    #[command(flatten)]
    Steer(transfer::Steering),
    /// Wait until a transfer is over; of one that goes on by itself, until it is up to date
    Wait(transfer::WaitArgs),
    /// Print what changes, as it happens
    Events,
    /// Look at what is stored, and keep it in order
    #[command(subcommand)]
    Drive(drive::Command),
    /// Store files of this device in the drive, below Files
    Put(put::Args),
    /// Fetch a file or folder from the drive, or straight from a machine
    Get(get::Args),
    /// Serve the web app out of this program to the browsers of this computer: with direct ways to machines, and out of a
    /// server's reach
    Ui(ui::Args),
    /// Have the system start the agent and keep it running
    #[command(subcommand)]
    Service(service::Command),
    /// Print completions of commands for a shell
    Completions(completion::Args),
    /// Write the manual, a page for each command
    Man(man::Args),
    /// Administer the server: accounts, invitations, quotas, how it is
    #[command(subcommand)]
    Admin(admin::Command),
}

/// What all commands share.
#[derive(Debug)]
struct Here {
    state: StateDir,
    out: Output,
    ca: Option<PathBuf>,
    timeout: Option<Duration>,
    /// Machines are not reached straight.
    is_relay_only: bool,
    /// The machine for which the command waits, while it is away.
    awaited: Mutex<Option<String>>,
}

impl Here {
    fn new(global: &Global) -> Result<Self, Failure> {
        let path = global.state.clone().or_else(StateDir::default_path);
        let path = path.ok_or_else(|| Failure::usage("neither HOME nor XDG_STATE_HOME is set; give --state DIR"))?;
        let format = if global.json { Format::Json } else { Format::Text };
        let state = StateDir::open(&path)?;
        Ok(Self {
            state,
            out: Output { format },
            ca: global.ca.clone(),
            timeout: global.timeout,
            is_relay_only: global.relay,
            awaited: Mutex::default(),
        })
    }

    /// Keeps in mind which machine is waited for, or that none is.
    fn waits_for_machine(&self, name: Option<&String>) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = name.cloned();
    }

    /// Why the time was not enough.
    fn out_of_time(&self) -> Failure {
        match self.awaited.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(name) => {
                let name = output::visible(name.as_bytes());
                let advice =
                    format!("{name} is away; the order waits for it: start it and see that beckon run runs there");
                Refusal::new(ErrorCode::Away, advice).into()
            }
            None => Failure::timeout(),
        }
    }

    fn server(&self, origin: Origin) -> Result<Server, Failure> {
        Ok(Server::new(origin, self.ca.as_deref())?)
    }

    /// Who is signed in here.
    fn controller(&self) -> Result<Controller, Failure> {
        let controller = self
            .state
            .controller()?
            .filter(|controller| controller.sign_in.is_some());
        controller.ok_or_else(Failure::not_signed_in)
    }

    /// The server's HTTP interface in the controller's session.
    fn api(&self, controller: &Controller) -> Result<Api, Failure> {
        let sign_in = controller.sign_in.as_ref().ok_or_else(Failure::not_signed_in)?;
        Api::signed_in(&self.server(controller.server.clone())?, &sign_in.cookie)
    }
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    // Only fails if it was done before; there is one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let args = match Args::try_parse_from(&arguments) {
        Ok(args) => args,
        Err(error) => return exit_code(not_understood(&error, &arguments)),
    };
    start_log(&args.command);
    let format = if args.global.json { Format::Json } else { Format::Text };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(cause) => {
            return end(
                Err(Failure::local(
                    "runtime",
                    format!("the program cannot start: {cause}; free some memory or threads"),
                )),
                format,
            );
        }
    };
    let result = runtime.block_on(in_time(args));
    // What still waits for input or the network has nothing left to do.
    runtime.shutdown_background();
    end(result, format)
}

/// What clap says of arguments that it does not take; help and version are no errors.
fn not_understood(error: &clap::Error, arguments: &[OsString]) -> Exit {
    let json = arguments.iter().any(|argument| argument == "--json");
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nothing is left to be done if standard output is closed.
            let _ = error.print();
            Exit::Done
        }
        _ if json => {
            let text = error.render().to_string();
            output::report(&Failure::usage(text.trim().trim_start_matches("error: ")), Format::Json);
            Exit::Usage
        }
        _ => {
            let _ = error.print();
            Exit::Usage
        }
    }
}

fn end(result: Result<Exit, Failure>, format: Format) -> ExitCode {
    exit_code(result.unwrap_or_else(|failure| {
        output::report(&failure, format);
        failure.exit
    }))
}

fn exit_code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// The log goes to standard error: the agent tells its state, other commands only what went wrong.
fn start_log(command: &Command) {
    let default = if matches!(command, Command::Run(_)) {
        "info"
    } else {
        "error"
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("BECKON_LOG").unwrap_or_else(|_| default.into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Only fails if a log was started before, in tests.
    let _ = log
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}

async fn in_time(args: Args) -> Result<Exit, Failure> {
    let out = Output {
        format: if args.global.json { Format::Json } else { Format::Text },
    };
    // These tell of the program itself: no state is made for them.
    match &args.command {
        Command::Completions(args) => return completion::run(out, args),
        Command::Man(args) => return man::run(out, args),
        _ => {}
    }
    let here = Here::new(&args.global)?;
    // These end by themselves when the time is over: listening so long was all that was asked, or they know what was missing.
    let ends_itself = matches!(args.command, Command::Events | Command::Wake(_));
    let Some(timeout) = here.timeout.filter(|_| !ends_itself) else {
        return run_command(&here, args.command).await;
    };
    tokio::time::timeout(timeout, run_command(&here, args.command))
        .await
        .unwrap_or_else(|_| Err(here.out_of_time()))
}

async fn run_command(here: &Here, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::SignUp(args) => sign_up::run(here, args).await,
        Command::Login(args) => login::run(here, args).await,
        Command::Logout => login::log_out(here).await,
        Command::Passwd(args) => passwd::run(here, args).await,
        Command::Recover(args) => passwd::recover(here, args).await,
        Command::Sessions(args) => session_list::run(here, args).await,
        Command::JoinCode(args) => join_code::run(here, args).await,
        Command::Join(args) => join::run(here, args).await,
        Command::Run(args) => run::run(here, args).await,
        Command::Stop => run::stop(here).await,
        Command::Status => run::status(here).await,
        Command::Lan(args) => lan::run(here, args).await,
        Command::Roots(args) => root_list::run(here, args).await,
        Command::Machines => device::list(here, device::Which::Machines).await,
        Command::Devices => device::list(here, device::Which::All).await,
        Command::Device(command) => device::run(here, command).await,
        Command::Wake(args) => wake::run(here, args).await,
        Command::Ls(args) => ls::run(here, args).await,
        Command::Upload(args) => upload::run(here, args).await,
        Command::Watch(args) => watch::run(here, args).await,
        Command::Follow(args) => follow::run(here, args).await,
        Command::Send(args) => send::run(here, args).await,
        Command::Conflicts(args) => conflict::run(here, args).await,
        Command::Ignore(args) => ignore::run(here, args).await,
        Command::Transfers(args) => transfer::run(here, args).await,
        Command::Steer(steering) => transfer::steer(here, steering).await,
        Command::Wait(args) => transfer::wait(here, args).await,
        Command::Events => event::run(here).await,
        Command::Drive(command) => drive::run(here, command).await,
        Command::Put(args) => put::run(here, args).await,
        Command::Get(args) => get::run(here, args).await,
        Command::Ui(args) => ui::run(here, args).await,
        Command::Service(command) => service::run(here, command).await,
        Command::Completions(args) => completion::run(here.out, &args),
        Command::Man(args) => man::run(here.out, &args),
        Command::Admin(command) => admin::run(here, command).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// HTTP clients need one provider of TLS in the process; whichever test comes first installs it.
    pub(super) fn install_tls() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_time_that_was_spent_waiting_for_a_machine_ends_as_away() {
        let folder = tempfile::tempdir().unwrap();
        let global = Global {
            state: Some(folder.path().to_owned()),
            json: true,
            ca: None,
            timeout: None,
            relay: false,
        };
        let here = Here::new(&global).unwrap();
        assert_eq!(here.out_of_time().code, "timeout");
        here.waits_for_machine(Some(&"desk".to_owned()));
        assert_eq!(here.out_of_time().exit, Exit::Away);
        here.waits_for_machine(Some(&"desk".to_owned()));
        here.waits_for_machine(None);
        assert_eq!(here.out_of_time().exit, Exit::Failed);
    }

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        for line in [["beckon", "--json", "machines"], ["beckon", "machines", "--json"]] {
            assert!(Args::try_parse_from(line).unwrap().global.json);
        }
    }

    #[test]
    fn wrong_usage_ends_with_2_and_help_with_0() {
        let exit = |line: &[&str]| {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            not_understood(&Args::try_parse_from(&line).unwrap_err(), &line)
        };
        assert_eq!(exit(&["beckon", "no-such-command"]), Exit::Usage);
        assert_eq!(exit(&["beckon", "wait", "not-an-id", "--json"]), Exit::Usage);
        assert_eq!(exit(&["beckon", "--help"]), Exit::Done);
    }
}
