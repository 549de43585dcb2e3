//! Removes networks: those that are dropped, and those that a killed test left behind.

use std::{fs, path::Path, sync::Once};

use rustix::process::{Pid, Signal, kill_process};

use super::{PREFIX, command::try_run};

/// Where `ip` keeps the namespaces that have names.
const NAMESPACES: &str = "/run/netns";

/// Removes what tests left behind that are no longer there. Once in the life of this process.
pub(super) fn sweep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(entries) = fs::read_dir(NAMESPACES) else {
            return;
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| is_left_behind(name)).for_each(|name| remove(&name));
    });
}

/// Ends what runs in a namespace, and removes it.
pub(super) fn remove(namespace: &str) {
    let pids = try_run(&["ip", "netns", "pids", namespace]).unwrap_or_default();
    for pid in pids.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
        // An error means that it has ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
    if let Err(error) = try_run(&["ip", "netns", "del", namespace]) {
        eprintln!("a network of a test stays behind: {error}");
    }
}

/// Whether a namespace is of a test whose process has ended.
fn is_left_behind(namespace: &str) -> bool {
    let mut parts = namespace.splitn(4, '-');
    let (prefix, pid) = (parts.next(), parts.next());
    let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else {
        return false;
    };
    prefix == Some(PREFIX) && !Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_networks_of_ended_tests_are_left_behind() {
        let own = format!("{PREFIX}-{}-0-desk", std::process::id());
        // No system hands out ids so high.
        let gone = format!("{PREFIX}-4294967295-0-a-b");
        let names = [own.as_str(), &gone, "beckon-desk", "other-4294967295-0-desk"];
        assert_eq!(names.map(is_left_behind), [false, true, false, false]);
    }
}
