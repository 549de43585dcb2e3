//! The agent as a service of Windows, which has to tell the system how it is, and is told by it when to end.

use std::{ffi::OsString, path::PathBuf, sync::OnceLock, time::Duration};

use beckon_shared::error::ErrorCode;
use windows_service::{
    define_windows_service,
    service::{
        ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept, ServiceExitCode,
        ServiceFailureActions, ServiceFailureResetPeriod, ServiceState, ServiceStatus, ServiceType,
    },
    service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle},
    service_dispatcher,
    service_manager::{ServiceManager, ServiceManagerAccess},
};

use super::NAME;
use crate::{
    cli::Here,
    local,
    output::{Exit, Failure},
    run::{self, Options},
    state::StateDir,
};

/// The agent ends within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// Failures this long ago count no more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What the service is to work with: the system calls its entry without anything of ours.
static GIVEN: OnceLock<(StateDir, Option<PathBuf>)> = OnceLock::new();

define_windows_service!(entry, serve);

/// Gives this process to the system until that ends the service.
pub(super) fn run(here: &Here) -> Result<Exit, Failure> {
    // Only this command sets it, once.
    let _ = GIVEN.set((here.state.clone(), here.ca.clone()));
    service_dispatcher::start(NAME, entry).map_err(|cause| {
        Failure::local(
            "service",
            format!("only the system can start this ({cause}); use: beckon service install"),
        )
    })?;
    Ok(Exit::Done)
}

/// Has the system start the service again so long after it ended badly.
pub(super) fn start_again_after(delay: Duration) -> Result<(), Failure> {
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGOTTEN_AFTER),
        reboot_msg: None,
        command: None,
        // The last one counts for all that follow.
        actions: Some(vec![ServiceAction {
            action_type: ServiceActionType::Restart,
            delay,
        }]),
    };
    let set = || {
        let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)?;
        let service = manager.open_service(NAME, ServiceAccess::CHANGE_CONFIG | ServiceAccess::START)?;
        service.update_failure_actions(actions)?;
        service.set_failure_actions_on_non_crash_failures(true)
    };
    set().map_err(|cause: windows_service::Error| {
        let advice =
            format!("it is installed, but would not be started again after a failure: {cause}; install it again");
        Failure::local("service", advice)
    })
}

fn serve(_: Vec<OsString>) {
    let Some((state, ca)) = GIVEN.get().cloned() else {
        return;
    };
    let stopping = state.clone();
    let handler = move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            stop(stopping.clone());
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    let Ok(handle) = service_control_handler::register(NAME, handler) else {
        return;
    };
    tell(handle, ServiceState::Running, 0);
    let options = Options { state, ca, limit: None };
    let ended = tokio::runtime::Runtime::new().map(|runtime| runtime.block_on(run::run(options, |_, _| {})));
    // A machine that was revoked, or that never joined, would end in the same way again.
    let code = match ended {
        Ok(Ok(())) => 0,
        Ok(Err(refusal)) if matches!(refusal.code, ErrorCode::Revoked | ErrorCode::NotSignedIn) => 0,
        _ => 1,
    };
    tell(handle, ServiceState::Stopped, code);
}

/// The agent is asked to end as `beckon stop` asks it, from a thread of its own: the system waits for this call.
fn stop(state: StateDir) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            let _ = runtime.block_on(local::stop(&state));
        }
    });
}

fn tell(handle: ServiceStatusHandle, current_state: ServiceState, code: u32) {
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted: ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
        exit_code: ServiceExitCode::Win32(code),
        checkpoint: 0,
        wait_hint: ENDS_WITHIN,
        process_id: None,
    };
    if let Err(cause) = handle.set_service_status(status) {
        tracing::warn!(%cause, "the system could not be told how the service is");
    }
}
