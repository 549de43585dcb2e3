//! `beckon transfers show`: a transfer's whole story.

mod story;

use beckon_shared::{
    api::transfer::{Problems, TransferDetail, TransferEvent},
    device::DeviceView,
    error::ErrorCode,
    id::{NodeId, TransferId},
    time::Timestamp,
    transfer::{Hold, Problem, TransferState, TransferView},
};
use serde::Serialize;

use super::{
    TransferJson,
    words::{priority, reason, state, subject, task},
};
use crate::{
    cli::{Here, control::not_found, word::word},
    clock,
    http::Api,
    output::{Exit, Failure, base64, count, size, time, visible, visible_text},
};

/// So many of what was selected are printed; programs get all that the server tells.
const SELECTED: usize = 10;

/// A transfer's story for programs.
#[derive(Debug, Serialize)]
struct DetailJson<'a> {
    #[serde(flatten)]
    transfer: TransferJson<'a>,
    ordered_by: &'a str,
    given_directly: bool,
    selected: Vec<String>,
    selected_total: Option<u64>,
    node: Option<NodeId>,
    events: &'a [TransferEvent],
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<ProblemJson<'a>>>,
}

#[derive(Debug, Serialize)]
struct ProblemJson<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    code: ErrorCode,
    message: &'a str,
}

impl<'a> From<&'a Problem> for ProblemJson<'a> {
    fn from(problem: &'a Problem) -> Self {
        let bytes = problem.path.as_bytes();
        Self {
            path: problem.path.display(),
            path_bytes: std::str::from_utf8(bytes).is_err().then(|| base64(bytes)),
            code: problem.code,
            message: &problem.message,
        }
    }
}

/// Shows a transfer, on demand with the files that could not be stored or written.
pub(super) async fn show(here: &Here, api: &Api, id: TransferId, files: bool) -> Result<Exit, Failure> {
    let detail = read_detail(api, id).await?;
    let last_seen = last_seen(api, &detail.transfer).await?;
    let problems = match files {
        true => Some(read_problems(api, id).await?),
        false => None,
    };
    let result = DetailJson {
        transfer: TransferJson::seen(&detail.transfer, last_seen),
        ordered_by: &detail.ordered_by,
        given_directly: detail.given_directly,
        selected: detail.selected.iter().map(|path| path.display()).collect(),
        selected_total: detail.selected_total,
        node: detail.node,
        events: &detail.events,
        problems: problems.as_ref().map(|all| all.iter().map(ProblemJson::from).collect()),
    };
    here.out.one(&result, || {
        text(&detail, last_seen, problems.as_deref().unwrap_or_default())
    })?;
    Ok(Exit::Done)
}

/// How a transfer stands.
pub(crate) async fn read(api: &Api, id: TransferId) -> Result<TransferView, Failure> {
    Ok(read_detail(api, id).await?.transfer)
}

async fn read_detail(api: &Api, id: TransferId) -> Result<TransferDetail, Failure> {
    api.get(&format!("/api/transfers/{id}")).await.map_err(or_unknown)
}

/// When the machine was here last, where that says why its transfer waits.
pub(super) async fn last_seen(api: &Api, transfer: &TransferView) -> Result<Option<Timestamp>, Failure> {
    if transfer.hold != Hold::Away {
        return Ok(None);
    }
    let devices: Vec<DeviceView> = api.get("/api/devices").await?;
    let machine = devices.iter().find(|device| device.id == transfer.device);
    Ok(machine.map(|machine| machine.last_seen))
}

pub(super) fn or_unknown(failure: Failure) -> Failure {
    match failure.is(ErrorCode::NotFound) {
        true => unknown(),
        false => failure,
    }
}

pub(crate) fn unknown() -> Failure {
    not_found("there is no such transfer; see: beckon transfers")
}

async fn read_problems(api: &Api, id: TransferId) -> Result<Vec<Problem>, Failure> {
    let mut problems = Vec::new();
    loop {
        let page: Problems = api
            .get(&format!("/api/transfers/{id}/problems?after={}", problems.len()))
            .await?;
        let is_last = page.problems.is_empty();
        problems.extend(page.problems);
        if is_last || problems.len() as u64 >= page.total {
            return Ok(problems);
        }
    }
}

fn text(detail: &TransferDetail, last_seen: Option<Timestamp>, problems: &[Problem]) -> String {
    let transfer = &detail.transfer;
    let mut lines = description(transfer, last_seen);
    let directly = match detail.given_directly {
        true => ", given to the machine directly",
        false => "",
    };
    lines.push(format!(
        "  by       {}{directly}",
        visible(detail.ordered_by.as_bytes())
    ));
    lines.extend(selected(detail));
    lines.extend(story::lines(detail, clock::now()));
    if transfer.progress.failed > 0 && problems.is_empty() {
        lines.push(format!(
            "  {} could not be {}; see: beckon transfers show {} --files",
            transfer.progress.failed,
            if transfer.task.writes() { "written" } else { "stored" },
            transfer.id
        ));
    }
    for problem in problems {
        lines.push(format!(
            "  {}: {}",
            visible(problem.path.as_bytes()),
            visible_text(&problem.message)
        ));
    }
    lines.join("\n")
}

/// What was selected, where its short form leaves something out.
fn selected(detail: &TransferDetail) -> Vec<String> {
    let total = detail.selected_total.unwrap_or(0);
    if total < 2 {
        return Vec::new();
    }
    let shown = detail.selected.iter().take(SELECTED);
    let mut lines: Vec<String> = shown.map(|path| format!("    {}", visible(path.as_bytes()))).collect();
    lines.insert(0, "  selected".to_owned());
    let more = total.saturating_sub(lines.len() as u64 - 1);
    lines.extend((more > 0).then(|| format!("    and {more} more")));
    lines
}

/// How a transfer stands, line by line.
pub(super) fn description(transfer: &TransferView, last_seen: Option<Timestamp>) -> Vec<String> {
    let progress = &transfer.progress;
    let unchanged = match progress.files_unchanged {
        0 => String::new(),
        files => format!(", {files} of them unchanged and not read again"),
    };
    let mut lines = vec![
        format!("{}: {}", subject(transfer), state(transfer)),
        format!("  id       {}", transfer.id),
        format!("  task     {}", task(transfer.task)),
        format!(
            "  files    {} of {}{unchanged}",
            progress.files_done, progress.files_total
        ),
        format!(
            "  content  {} of {}",
            size(progress.bytes_done),
            size(progress.bytes_total)
        ),
    ];
    lines.extend(travelled(transfer));
    lines.extend([
        format!("  priority {}", priority(transfer.priority)),
        format!("  ordered  {}", time(transfer.created)),
    ]);
    match transfer.ended {
        Some(ended) => lines.push(format!("  ended    {}", time(ended))),
        // What goes on by itself lapses only before its machine took it on.
        None if transfer.task.is_standing() && transfer.state != TransferState::Queued => {}
        None => lines.push(format!("  lapses   {}", time(transfer.expires))),
    }
    lines.extend(reason(transfer, last_seen, clock::now()).map(|reason| format!("  why      {reason}")));
    if progress.torn > 0 {
        let files = count(progress.torn, "file");
        lines.push(format!(
            "  {files} changed while being read; upload again when they are at rest"
        ));
    }
    if progress.conflicts > 0 {
        let (files, machine) = (count(progress.conflicts, "file"), visible(transfer.machine.as_bytes()));
        lines.push(format!(
            "  {files} changed on {machine} itself; see: beckon conflicts {}",
            word(&machine)
        ));
    }
    lines
}

/// Where its bytes went, or came from.
fn travelled(transfer: &TransferView) -> Vec<String> {
    let progress = &transfer.progress;
    if transfer.task.writes() {
        return vec![format!(
            "  came     {} from the machine itself, {} straight from others, {} from the server",
            size(progress.bytes_own),
            size(progress.bytes_direct),
            size(progress.bytes_server)
        )];
    }
    vec![
        format!("  sent     {}", size(progress.bytes_sent)),
        format!("  there    {} were in the drive before", size(progress.bytes_present)),
    ]
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        path::RootPath,
        transfer::{Progress, Task, TransferState},
    };

    use super::{super::tests::transfer, *};

    fn detail(transfer: TransferView, selected: usize) -> TransferDetail {
        let path = |at| RootPath::new(format!("f{at}")).unwrap();
        TransferDetail {
            transfer,
            ordered_by: "phone\u{1b}".to_owned(),
            selected: (0..selected).map(path).collect(),
            selected_total: Some(selected as u64),
            node: None,
            events: Vec::new(),
            given_directly: false,
        }
    }

    #[test]
    fn what_could_not_be_stored_is_named_and_nothing_plays_with_the_terminal() {
        let problem = Problem {
            path: RootPath::new("x\ny").unwrap(),
            code: ErrorCode::NotReadable,
            message: "let beckon read it".to_owned(),
        };
        let partly = detail(transfer(TransferState::Partly), 1);
        let told = text(&partly, None, &[problem]);
        assert!(told.contains(r"x\ny: let beckon read it"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
        assert!(text(&partly, None, &[]).contains("--files"));
    }

    #[test]
    fn what_was_not_sent_says_why() {
        let progress = Progress {
            files_done: 9,
            files_unchanged: 7,
            bytes_present: 2048,
            torn: 1,
            ..Progress::default()
        };
        let done = TransferView {
            progress,
            ..transfer(TransferState::Done)
        };
        let told = description(&done, None).join("\n");
        for part in [
            "9 of 0, 7 of them unchanged",
            "2.0 KiB were in the drive before",
            "1 file changed while being read",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn a_copy_says_where_its_content_came_from_and_what_was_changed_where_it_is() {
        let follow = TransferView {
            task: Task::Follow,
            hold: Hold::Current,
            progress: Progress {
                bytes_own: 1024,
                bytes_direct: 2048,
                bytes_server: 4096,
                conflicts: 2,
                ..Progress::default()
            },
            ..transfer(TransferState::Running)
        };
        let told = description(&follow, None).join("\n");
        for part in [
            "1.0 KiB from the machine itself, 2.0 KiB straight from others, 4.0 KiB from the server",
            "2 files changed on laptop itself; see: beckon conflicts laptop",
            "task     follow",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        for absent in ["lapses", "in the drive before"] {
            assert!(!told.contains(absent), "{absent}: {told}");
        }
    }

    #[test]
    fn of_a_long_selection_the_first_are_printed() {
        assert!(selected(&detail(transfer(TransferState::Done), 1)).is_empty());
        let lines = selected(&detail(transfer(TransferState::Done), 12));
        assert_eq!((lines.len(), lines[11].as_str()), (12, "    and 2 more"));
    }
}
