//! `beckon service`: the system starts the agent and keeps it running, by systemd, launchd or as a service of Windows.

mod unit;
#[cfg(windows)]
mod windows;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use beckon_shared::error::{ErrorCode, Refusal};
use serde::Serialize;
use service_manager::{
    RestartPolicy, ServiceInstallCtx, ServiceLabel, ServiceLevel, ServiceManager, ServiceManagerKind, ServiceStartCtx,
    ServiceStatus, ServiceStatusCtx, ServiceStopCtx, ServiceUninstallCtx, TypedServiceManager,
};
use tokio::time::Instant;

use self::unit::Unit;
use super::{Here, root_list, word::word};
use crate::{
    host, local,
    output::{Exit, Failure, remark},
    state::{Machine, RootConfig, read_small_file},
};

/// What the system calls it.
const NAME: &str = "beckon";
/// Where systemd has it, as a service of the system.
const UNIT: &str = "/etc/systemd/system/beckon.service";
/// A unit is no larger. Bytes.
const UNIT_MAX: usize = 256 << 10;
/// A service that ended badly is started again after so many seconds.
const AGAIN_AFTER: u32 = 5;
/// An agent that was started answers within this time, unless it has much to check.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// An agent that was stopped ends within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// How often an agent that starts or ends is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// How to look at what the agent said.
const LOG: &str = if cfg!(target_os = "linux") {
    "journalctl -u beckon (of a user's own service: journalctl --user -u beckon)"
} else {
    "what beckon run says, started by hand"
};
/// Ends the help of `service install`.
const EXAMPLES: &str = "\
Examples:
  beckon service install                                               # while you are signed in
  sudo beckon --state ~/.local/state/beckon service install --system   # always, as you";

/// What `service` is told.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Have the system start the agent, now and whenever it starts itself
    #[command(after_help = EXAMPLES)]
    Install(Install),
    /// Have the system start the agent no longer
    Uninstall(Level),
    /// Say whether the system starts the agent, and whether it runs
    Status(Level),
    /// What the service of Windows runs
    #[cfg(windows)]
    #[command(hide = true)]
    Run,
}

/// What `service install` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Install {
    #[command(flatten)]
    level: Level,
    /// The user that a service of the system runs as [default: the one whose state folder this is]
    #[arg(long, value_name = "USER", conflicts_with = "user")]
    run_as: Option<String>,
    /// Install nothing; print the unit for systemd
    #[arg(long)]
    print: bool,
}

/// Who starts it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Level {
    /// While this user is signed in [default, but for root and on Windows]
    #[arg(long)]
    user: bool,
    /// With the system, before anybody signs in [default for root and on Windows]
    #[arg(long, conflicts_with = "user")]
    system: bool,
}

impl Level {
    fn is_system(self) -> bool {
        self.system || !self.user && (cfg!(windows) || host::is_root())
    }
}

/// What is known of the service, for programs.
#[derive(Debug, Serialize)]
struct StatusJson {
    level: &'static str,
    installed: bool,
    running: bool,
}

/// Installs, removes or looks at the service.
pub(crate) async fn run(here: &Here, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Install(args) => install(here, args).await,
        Command::Uninstall(level) => uninstall(here, level),
        Command::Status(level) => status(here, level),
        #[cfg(windows)]
        Command::Run => windows::run(here),
    }
}

async fn install(here: &Here, args: Install) -> Result<Exit, Failure> {
    let is_system = args.level.is_system();
    let machine = here.state.machine()?.ok_or_else(|| no_machine(here))?;
    let user = args
        .run_as
        .clone()
        .or_else(|| here.state.owner().map(|uid| uid.to_string()));
    let plan = Plan {
        program: std::env::current_exe().map_err(|cause| not_done(&cause))?,
        args: arguments(here),
        user: is_system.then_some(user).flatten(),
    };
    if args.print {
        here.out.line(plan.unit(here, &machine)?.trim_end())?;
        return Ok(Exit::Done);
    }
    must_be_allowed(here, is_system)?;
    let manager = manager(is_system)?;
    if is_system && args.run_as.is_none() && matches!(manager, TypedServiceManager::Launchd(_)) {
        return Err(Failure::usage(
            "it would run as root, which may read everything; name a user with --run-as USER",
        ));
    }
    let context = plan.context(here, &machine, &manager)?;
    make_way(here, &manager).await?;
    manager.install(context).map_err(|cause| not_done(&cause))?;
    #[cfg(windows)]
    windows::start_again_after(Duration::from_secs(AGAIN_AFTER.into()))?;
    manager
        .start(ServiceStartCtx { label: label() })
        .map_err(|cause| not_done(&cause))?;
    await_agent(here, &manager).await?;
    told(here, is_system, &ServiceStatus::Running)?;
    if matches!(plan.user.as_deref(), Some("0" | "root")) {
        remark(
            here.out,
            "it runs as root, which may read everything; to have less, join as another user and install with that state folder",
        );
    }
    if !is_system && cfg!(target_os = "linux") {
        remark(
            here.out,
            "it runs while this user is signed in; to have it run always: loginctl enable-linger",
        );
    }
    Ok(Exit::Done)
}

/// `sudo` looks into the state folder of root, where mostly nothing is.
fn no_machine(here: &Here) -> Failure {
    if !host::is_root() {
        return root_list::not_joined();
    }
    let advice = format!(
        "{} holds no machine; with sudo, name the state folder of the user who joined: \
         sudo beckon --state ~/.local/state/beckon service install --system",
        here.state.path().display()
    );
    Refusal::new(ErrorCode::NotSignedIn, advice).into()
}

/// Ends an agent that an earlier service runs. Two cannot run with one state folder.
async fn make_way(here: &Here, manager: &TypedServiceManager) -> Result<(), Failure> {
    if end(manager)? {
        let end = Instant::now() + ENDS_WITHIN;
        while local::status(&here.state).await?.is_some() && Instant::now() < end {
            tokio::time::sleep(LOOK).await;
        }
    }
    if let Some(agent) = local::status(&here.state).await? {
        let advice = format!(
            "an agent runs already (process {}), and two cannot; end it with beckon stop, then install again",
            agent.pid
        );
        return Err(Failure::local("conflict", advice));
    }
    // Windows takes no second service of the same name.
    if matches!(manager, TypedServiceManager::Sc(_)) && state_of(manager)? != ServiceStatus::NotInstalled {
        manager
            .uninstall(ServiceUninstallCtx { label: label() })
            .map_err(|cause| not_done(&cause))?;
    }
    Ok(())
}

/// Waits until the agent answers. A manager says that a service runs as soon as its program was begun.
async fn await_agent(here: &Here, manager: &TypedServiceManager) -> Result<(), Failure> {
    let end = Instant::now() + ANSWERS_WITHIN;
    while local::status(&here.state).await?.is_none() {
        if Instant::now() < end {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        if state_of(manager)? == ServiceStatus::Running {
            remark(here.out, "the agent does not answer yet; see in a while: beckon status");
            return Ok(());
        }
        return Err(Failure::local(
            "service",
            format!("it is installed, but the agent ends whenever it is started; see why: {LOG}"),
        ));
    }
    Ok(())
}

/// Says so if a service of this state folder is installed that does not reach the root as it is opened now: what it may read
/// and write stands in its unit.
pub(super) fn remind(here: &Here, root: &RootConfig) {
    let Ok(unit) = read_small_file(Path::new(UNIT), UNIT_MAX) else {
        return;
    };
    let (unit, state) = (String::from_utf8_lossy(&unit), here.state.path());
    if unit::is_of(&unit, state) && !unit::reaches(&unit, &root.path, root.writable) {
        let verb = if root.writable { "write into" } else { "see" };
        let (name, again) = (&root.name, again(state));
        remark(
            here.out,
            &format!("the service of the system cannot {verb} {name} yet; to let it: {again}"),
        );
    }
}

/// The command that installs a service of the system.
fn again(state: &Path) -> String {
    let state = word(&state.to_string_lossy());
    format!("sudo beckon --state {state} service install --system")
}

fn uninstall(here: &Here, level: Level) -> Result<Exit, Failure> {
    let is_system = level.is_system();
    must_be_allowed(here, is_system)?;
    let manager = manager(is_system)?;
    if state_of(&manager)? != ServiceStatus::NotInstalled {
        end(&manager)?;
        manager
            .uninstall(ServiceUninstallCtx { label: label() })
            .map_err(|cause| not_done(&cause))?;
    }
    told(here, is_system, &ServiceStatus::NotInstalled)
}

/// Ends the service; whether it ran. One that is about to be started again after a failure counts as stopped, and must not be.
fn end(manager: &TypedServiceManager) -> Result<bool, Failure> {
    let stop = || manager.stop(ServiceStopCtx { label: label() });
    match state_of(manager)? {
        ServiceStatus::NotInstalled => Ok(false),
        ServiceStatus::Running => stop().map(|()| true).map_err(|cause| not_done(&cause)),
        ServiceStatus::Stopped(_) => {
            // Some managers refuse to stop what does not run.
            let _ = stop();
            Ok(false)
        }
    }
}

fn must_be_allowed(here: &Here, is_system: bool) -> Result<(), Failure> {
    if !is_system || cfg!(windows) || host::is_root() {
        return Ok(());
    }
    let advice = format!(
        "a service of the system is for root: {}; or let it be your own, with --user",
        again(here.state.path())
    );
    Err(Refusal::new(ErrorCode::NotAllowed, advice).into())
}

fn status(here: &Here, level: Level) -> Result<Exit, Failure> {
    let is_system = level.is_system();
    told(here, is_system, &state_of(&manager(is_system)?)?)
}

fn told(here: &Here, is_system: bool, status: &ServiceStatus) -> Result<Exit, Failure> {
    let level = if is_system { "system" } else { "user" };
    let result = StatusJson {
        level,
        installed: *status != ServiceStatus::NotInstalled,
        running: *status == ServiceStatus::Running,
    };
    here.out.one(&result, || match status {
        ServiceStatus::NotInstalled => {
            format!("no service of the {level}; to have one: beckon service install --{level}")
        }
        ServiceStatus::Running => format!("service of the {level}, running"),
        ServiceStatus::Stopped(_) => format!("service of the {level}, not running; see why: {LOG}"),
    })?;
    Ok(Exit::Done)
}

/// What the system is to start.
struct Plan {
    program: PathBuf,
    args: Vec<OsString>,
    /// Who runs a service of the system.
    user: Option<String>,
}

impl Plan {
    fn unit(&self, here: &Here, machine: &Machine) -> Result<String, Failure> {
        let args: Vec<&Path> = self.args.iter().map(Path::new).collect();
        let roots: Vec<(&Path, bool)> = machine
            .roots
            .iter()
            .map(|root| (root.path.as_path(), root.writable))
            .collect();
        let unit = Unit {
            program: &self.program,
            args: &args,
            state: here.state.path(),
            roots: &roots,
            user: self.user.as_deref(),
        };
        unit.text()
    }

    fn context(
        &self,
        here: &Here,
        machine: &Machine,
        manager: &TypedServiceManager,
    ) -> Result<ServiceInstallCtx, Failure> {
        let contents = match manager {
            TypedServiceManager::Systemd(_) => Some(self.unit(here, machine)?),
            _ => None,
        };
        Ok(ServiceInstallCtx {
            label: label(),
            program: self.program.clone(),
            args: self.args.clone(),
            contents,
            // Only systemd takes numbers, and has the user in its unit. On Windows the system itself runs it.
            username: self.user.clone().filter(|user| user.parse::<u32>().is_err()),
            working_directory: None,
            environment: None,
            autostart: true,
            restart_policy: RestartPolicy::OnFailure {
                delay_secs: Some(AGAIN_AFTER),
                max_retries: None,
                reset_after_secs: None,
            },
        })
    }
}

/// What the program is told when the system starts it: all that this command was told itself.
fn arguments(here: &Here) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--state".into(), here.state.path().into()];
    if let Some(ca) = &here.ca {
        let full = std::path::absolute(ca).unwrap_or_else(|_| ca.clone());
        args.extend(["--ca".into(), full.into()]);
    }
    if cfg!(windows) {
        // Services there answer to the system, as no other program does.
        args.push("service".into());
    }
    args.push("run".into());
    args
}

fn label() -> ServiceLabel {
    ServiceLabel {
        qualifier: None,
        organization: None,
        application: NAME.to_owned(),
    }
}

/// The system's own manager of services. Others would run the agent as root, or do not know how services of Windows begin.
fn manager(is_system: bool) -> Result<TypedServiceManager, Failure> {
    let kind = if cfg!(windows) {
        ServiceManagerKind::Sc
    } else if cfg!(target_os = "macos") {
        ServiceManagerKind::Launchd
    } else {
        ServiceManagerKind::Systemd
    };
    let mut manager = TypedServiceManager::target(kind);
    if !manager.available().map_err(|cause| not_done(&cause))? {
        return Err(not_done(&io::Error::from(io::ErrorKind::Unsupported)));
    }
    let level = if is_system {
        ServiceLevel::System
    } else {
        ServiceLevel::User
    };
    manager.set_level(level).map_err(|cause| not_done(&cause))?;
    Ok(manager)
}

fn state_of(manager: &TypedServiceManager) -> Result<ServiceStatus, Failure> {
    manager
        .status(ServiceStatusCtx { label: label() })
        .map_err(|cause| not_done(&cause))
}

fn not_done(cause: &io::Error) -> Failure {
    let advice = match cause.kind() {
        io::ErrorKind::PermissionDenied => "a service of the system is for root: use sudo, or --user",
        _ => "see that this system has systemd, launchd or services of Windows; without one: beckon run",
    };
    let cause = cause.to_string();
    Failure::local(
        "service",
        format!("the system did not do it: {}; {advice}", cause.trim()),
    )
}
