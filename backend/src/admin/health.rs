//! How the server is: what was looked at, and what to do about it.

use std::time::Duration;

use beckon_shared::api::admin::{Finding, Level, Topic};

use super::{Disk, board::Trouble};
use crate::{app::App, config::Origin, store::meta::stat::Counts};

/// Transfers that failed are told for so long.
pub(super) const LOOK_BACK: Duration = Duration::from_secs(24 * 3600);

/// A database that lets nobody write for so long is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// All that was looked at, worst first.
pub(super) async fn findings(app: &App, counts: &Counts, disk: &Disk) -> Vec<Finding> {
    let mut findings = vec![
        database(app).await,
        disk_obeys(app.store.is_healthy()),
        room(disk, app.store.reserve),
        workers(&app.watch.workers.troubles(app.clock.now())),
        tls(app.origins.main(), app.origins.listen()),
        transfers(counts.failed),
    ];
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

fn finding(topic: Topic, level: Level, text: impl Into<String>) -> Finding {
    Finding {
        topic,
        level,
        text: text.into(),
    }
}

async fn database(app: &App) -> Finding {
    let (level, text) = match tokio::time::timeout(PATIENCE, app.meta().write()).await {
        Ok(Ok(_unused)) => (Level::Well, "The database answers and takes changes."),
        Ok(Err(error)) => {
            tracing::error!(cause = %error, "the database takes no changes");
            let text =
                "The database takes no changes: look into the server's log, and whether its disk is full or read-only.";
            (Level::Broken, text)
        }
        Err(_) => {
            let text = "The database is busy and lets changes wait for more than 2 s: see whether its disk is slow.";
            (Level::Look, text)
        }
    };
    finding(Topic::Database, level, text)
}

fn disk_obeys(healthy: bool) -> Finding {
    if healthy {
        return finding(Topic::Disk, Level::Well, "The disk does what it is told.");
    }
    let text = "The disk failed to store what it was given: check it and the server's log. Nothing that was called safe is \
        lost; uploads go on once it works again.";
    finding(Topic::Disk, Level::Broken, text)
}

fn room(disk: &Disk, reserve: u64) -> Finding {
    let Some(free) = disk.free else {
        return finding(Topic::Room, Level::Well, "The store has no limit of its own.");
    };
    if free < reserve {
        let text = "The disk is full: uploads wait. Free room on the server, or give it a larger disk.";
        return finding(Topic::Room, Level::Broken, text);
    }
    let scarce = reserve.saturating_mul(4).max(disk.total.unwrap_or(0) / 20);
    if free < scarce {
        let text = "The disk is nearly full: free room soon, before uploads have to wait.";
        return finding(Topic::Room, Level::Look, text);
    }
    finding(Topic::Room, Level::Well, "There is room on the disk.")
}

fn workers(troubles: &[(&'static str, Trouble)]) -> Finding {
    if troubles.is_empty() {
        return finding(Topic::Workers, Level::Well, "Background work is done in time.");
    }
    let tell = |(name, trouble): &(&str, Trouble)| match trouble {
        Trouble::Failed => format!("{name} failed"),
        Trouble::Late => format!("{name} is late"),
    };
    let told: Vec<String> = troubles.iter().map(tell).collect();
    let text = format!(
        "Background work is not done: {}. Look into the server's log; it is tried again by itself.",
        told.join(", ")
    );
    finding(Topic::Workers, Level::Look, text)
}

fn tls(main: &Origin, listen: &Origin) -> Finding {
    if main.is_secure() {
        return finding(Topic::Tls, Level::Well, "Browsers come by TLS.");
    }
    if [main, listen].into_iter().all(Origin::is_this_machine) {
        let text = "Only this very machine reaches the server, so it needs no TLS.";
        return finding(Topic::Tls, Level::Well, text);
    }
    let text = "Browsers come without TLS, so whoever is on the way can read and change what travels: give --tls-cert and \
        --tls-key, or put a TLS proxy before the server and give --public-url https://...";
    finding(Topic::Tls, Level::Look, text)
}

fn transfers(failed: u32) -> Finding {
    match failed {
        0 => finding(Topic::Transfers, Level::Well, "No upload failed in the last 24 hours."),
        1 => finding(
            Topic::Transfers,
            Level::Look,
            "1 upload failed in the last 24 hours; its owner sees why among the transfers.",
        ),
        _ => finding(
            Topic::Transfers,
            Level::Look,
            format!("{failed} uploads failed in the last 24 hours; their owners see why among the transfers."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_disk_that_fills_up_is_told_before_it_is_full() {
        let level = |free, total| {
            let disk = Disk {
                free: Some(free),
                total: Some(total),
            };
            room(&disk, GIB / 4).level
        };
        assert_eq!(level(GIB / 5, 100 * GIB), Level::Broken);
        assert_eq!(level(4 * GIB, 100 * GIB), Level::Look);
        assert_eq!(level(GIB / 2, 2 * GIB), Level::Look);
        assert_eq!(level(50 * GIB, 100 * GIB), Level::Well);
    }

    #[test]
    fn a_server_on_the_network_without_tls_is_told_so() {
        let level = |main: &str, listen: &str| tls(&main.parse().unwrap(), &listen.parse().unwrap()).level;
        let local = "http://127.0.0.1:8440";
        assert_eq!(level(local, local), Level::Well);
        assert_eq!(level("http://[::1]:8440", "http://[::1]:8440"), Level::Well);
        assert_eq!(level("https://b.example", local), Level::Well);
        assert_eq!(level("http://b.example", local), Level::Look);
        assert_eq!(level("http://0.0.0.0:8440", "http://0.0.0.0:8440"), Level::Look);
    }

    #[test]
    fn troubles_of_workers_and_transfers_are_named() {
        let found = workers(&[("collect", Trouble::Failed), ("stats", Trouble::Late)]);
        assert_eq!(found.level, Level::Look);
        assert!(found.text.contains("collect failed, stats is late"), "{}", found.text);
        assert_eq!([0, 1, 7].map(|failed| transfers(failed).level as u8), [0, 1, 1]);
    }
}
