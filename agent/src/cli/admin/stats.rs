//! `beckon admin stats`: how the server is.

use std::time::Duration;

use beckon_shared::api::admin::{Finding, Level, RunningTransfer, Stats, WorkerView};

use super::Here;
use crate::{
    http::Api,
    output::{Failure, count, size, time, visible, visible_text},
};

/// Shows the state of the server.
pub(super) async fn show(here: &Here, api: &Api) -> Result<(), Failure> {
    let stats: Stats = api.get("/api/admin/stats").await?;
    here.out.one(&stats, || text(&stats))
}

fn text(stats: &Stats) -> String {
    let mut lines: Vec<String> = stats.health.iter().map(finding).collect();
    lines.extend([String::new(), program(stats), people(stats), stored(stats), disk(stats)]);
    lines.push(format!(
        "traffic    {} in, {} out since the start",
        size(stats.received),
        size(stats.sent)
    ));
    lines.extend(stats.workers.iter().map(worker));
    lines.push(format!(
        "transfers  {} not over",
        count(stats.transfers_total.into(), "transfer")
    ));
    lines.extend(stats.transfers.iter().map(transfer));
    lines.join("\n")
}

fn finding(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Well => "well  ",
        Level::Look => "LOOK  ",
        Level::Broken => "BROKEN",
    };
    format!("{level}  {}", visible_text(&finding.text))
}

fn program(stats: &Stats) -> String {
    let memory = stats
        .memory
        .map(|bytes| format!(", {} of memory", size(bytes)))
        .unwrap_or_default();
    format!(
        "server     beckon {}, up for {}{memory}",
        visible_text(&stats.version),
        hours(stats.now.since(stats.started))
    )
}

fn hours(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match minutes {
        0..60 => count(minutes, "minute"),
        60..2880 => count(minutes / 60, "hour"),
        _ => count(minutes / 1440, "day"),
    }
}

fn people(stats: &Stats) -> String {
    format!(
        "accounts   {}; {} of {} online, {} of {} among them",
        stats.accounts,
        stats.online,
        count(stats.devices.into(), "device"),
        stats.machines_online,
        count(stats.machines.into(), "machine")
    )
}

fn stored(stats: &Stats) -> String {
    let stored = &stats.stored;
    format!(
        "stored     {} in all versions, {} without repeats, {} on the disk",
        size(stored.content),
        size(stored.unique),
        size(stored.disk)
    )
}

fn disk(stats: &Stats) -> String {
    match (stats.disk_free, stats.disk_total) {
        (Some(free), Some(total)) => format!("disk       {} free of {}", size(free), size(total)),
        (Some(free), None) => format!("disk       {} free", size(free)),
        (None, _) => "disk       without a limit of its own".to_owned(),
    }
}

fn worker(worker: &WorkerView) -> String {
    let state = match (worker.busy, worker.last) {
        (true, _) => "works now".to_owned(),
        (false, Some(last)) => format!("{}: {}", time(last), visible_text(&worker.outcome)),
        (false, None) => "has not worked yet".to_owned(),
    };
    format!("worker     {}, {state}", visible_text(&worker.name))
}

fn transfer(transfer: &RunningTransfer) -> String {
    format!(
        "transfer   {} of {}: {} of {}",
        visible(transfer.machine.as_bytes()),
        visible(transfer.account.as_bytes()),
        size(transfer.progress.bytes_done),
        size(transfer.progress.bytes_total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        let told = [59, 90, 7200, 172_800].map(|seconds| hours(Duration::from_secs(seconds)));
        assert_eq!(told, ["0 minutes", "1 minute", "2 hours", "2 days"]);
    }
}
