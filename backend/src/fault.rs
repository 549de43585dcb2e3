//! Crashes where a test wants one ([`beckon_shared::fault`]). Builds without the feature `faults` have nothing of it.

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!(
    "a server that crashes when it is told to is for tests: build without `--release` or without the feature `faults`"
);

use std::time::Duration;

/// A place where order matters: ends the process at once, as `SIGKILL` does, if the environment says so.
#[cfg(feature = "faults")]
pub(crate) fn point(name: &str) {
    use std::sync::LazyLock;

    use beckon_shared::fault::{COLLECTION, Plan, SERVER, START, VARIABLE};

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| Plan::parse(&std::env::var(VARIABLE).ok()?));
    assert!(
        [SERVER, START, COLLECTION].iter().any(|list| list.contains(&name)),
        "no test knows the place {name}"
    );
    if PLAN.as_ref().is_some_and(|plan| plan.is_due(name)) {
        tracing::error!(name, "crashes here, as it was told to");
        die();
    }
}

/// Nothing happens here.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}

/// How often what is of no use any more is looked for.
#[cfg(feature = "faults")]
pub(crate) fn clean_every(normal: Duration) -> Duration {
    let said = std::env::var(beckon_shared::fault::CLEAN_EVERY).ok();
    said.and_then(|ms| ms.parse().ok())
        .map_or(normal, Duration::from_millis)
}

/// How often what is of no use any more is looked for.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn clean_every(normal: Duration) -> Duration {
    normal
}

#[cfg(feature = "faults")]
fn die() -> ! {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        // It does not return where it works.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort()
}
