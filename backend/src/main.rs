//! The Beckon server program.

use std::{
    io::{self, ErrorKind, IsTerminal, Stdout, Write},
    process::ExitCode,
};

use beckon_server::config::{self, Cli, Command, Config};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    // One provider for the whole process; a second call would only say that it is set already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    keep_files_private();
    let cli = match Cli::load(std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    log(&cli.config);
    open_many_files();
    match run(cli).await {
        Ok(code) => code,
        Err(error) => {
            // The causes too: whoever starts a server is the one to mend it.
            complain(&format!("beckon-server: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whatever the server writes holds what its accounts stored: only its own user reads it.
fn keep_files_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Takes as many open files as the system grants: each connection is one, and 1,024, the usual soft limit, are few.
fn open_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = maximum.map_or(FILES, |most| most.min(FILES));
        if current.is_some_and(|current| current < wanted) {
            let raised = setrlimit(
                Resource::Nofile,
                Rlimit {
                    current: Some(wanted),
                    maximum,
                },
            );
            tracing::debug!(wanted, ?raised, "asked for more open files");
        }
    }
}

/// More open files than this the server never needs.
#[cfg(unix)]
const FILES: u64 = 65_536;

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => {
            // A server whose starter does not listen serves nevertheless.
            beckon_server::run(cli.config, |line| drop(say(&line)), stopped()?).await?;
        }
        Some(Command::Openapi) => say(&beckon_server::openapi())?,
        Some(Command::ConfigDocs) => say(config::markdown().trim_end())?,
        Some(Command::ResetSetup) => return reset_setup(&cli.config).await,
        Some(Command::Check {
            read_data,
            rebuild_index,
        }) => {
            return check(&cli.config, read_data, rebuild_index).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(config: &Config, read_data: bool, rebuild_index: bool) -> anyhow::Result<ExitCode> {
    let sound = beckon_server::check(config, read_data, rebuild_index, &mut out()).await?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn reset_setup(config: &Config) -> anyhow::Result<ExitCode> {
    match beckon_server::reset_setup(config).await? {
        beckon_server::Reset::Code(code) => {
            let running = beckon_server::running_at(config);
            if running.is_none() {
                complain(
                    "beckon-server: it is not known where the server of this data listens; put its address before /setup if it is another one",
                );
            }
            let configured = || {
                config
                    .public_url
                    .as_ref()
                    .map_or_else(|| format!("http://{}", config.listen), ToString::to_string)
            };
            say(&format!(
                "set up at {}/setup#{code}",
                running.unwrap_or_else(configured)
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        beckon_server::Reset::HasAccount => {
            complain(
                "beckon-server: this server has its account already; sign in, or use the recovery words if the password is lost",
            );
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Completes when the process is told to end.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Logs to standard error; standard output is for the lines that scripts wait for.
fn log(config: &Config) {
    // Not the start of each worker and step (of the database's library, whose targets begin with "sea"): whoever wants
    // those names them.
    let quiet = "actix_server=warn,sea=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", config.log)).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if config.log_json {
        log.json().init();
    } else {
        log.init();
    }
}

/// Standard output is for the lines that scripts wait for.
fn say(line: &str) -> io::Result<()> {
    writeln!(out(), "{line}")
}

fn out() -> Out {
    Out(io::stdout())
}

/// Standard output. What is written after its reader has gone, as behind `| head`, is lost, and that is no error.
struct Out(Stdout);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

#[expect(clippy::print_stderr, reason = "for whoever started the program")]
fn complain(line: &str) {
    eprintln!("{line}");
}
