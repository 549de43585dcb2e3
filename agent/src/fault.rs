//! Crashes where a test wants one ([`beckon_shared::fault`]). Builds without the feature `faults` have nothing of it.

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!(
    "an agent that crashes when it is told to is for tests: build without `--release` or without the feature `faults`"
);

/// A place where order matters: ends the process at once, as `SIGKILL` does, if the environment says so.
#[cfg(feature = "faults")]
pub(crate) fn point(name: &str) {
    use std::sync::LazyLock;

    use beckon_shared::fault::{AGENT, Plan, VARIABLE};

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| Plan::parse(&std::env::var(VARIABLE).ok()?));
    assert!(AGENT.contains(&name), "no test knows the place {name}");
    if PLAN.as_ref().is_some_and(|plan| plan.is_due(name)) {
        tracing::error!(name, "crashes here, as it was told to");
        die();
    }
}

/// Nothing happens here.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}

#[cfg(feature = "faults")]
fn die() -> ! {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getpid, kill_process};
        // It does not return where it works.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort()
}
