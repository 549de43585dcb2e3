//! An upload from its beginning to its end.

use std::{convert::Infallible, pin::pin, rc::Rc};

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId},
    transfer::{Problem, TransferState},
    wire::{self, PART_MAX},
};
use futures_channel::mpsc;
use futures_util::{
    StreamExt,
    future::{Either, select, try_join, try_join3},
};

use super::{
    Item,
    batch::Filler,
    chain::Chain,
    counters::Counters,
    measure,
    page::{self, Page},
    pause::until_answered,
    read::Reader,
    remote::Remote,
    store::store_all,
};
use crate::{
    dom,
    upload::message::{Errand, FromWorker, Job},
};

/// What the server lost is read again so often at the most.
const ROUNDS: u32 = 6;
/// Progress is told four times a second. Milliseconds.
const TELL: u32 = 250;

/// Does with everything what is wanted, and tells the page how it ended.
pub(super) async fn run(job: Job, items: Vec<Item>, page: Rc<Page>) {
    let sizes = items.iter().filter_map(|item| item.entry.file).map(|facts| facts.size);
    let (files, bytes) = sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size));
    let sent = match &job.errand {
        Errand::Store { sent, .. } => *sent,
        Errand::Measure { .. } | Errand::Send => 0,
    };
    let remote = Remote::new(job.transfer, page, Counters::new(files, bytes, sent));
    let work = work(&job.errand, &items, &remote);
    let ended = match select(pin!(work), pin!(tell_progress(&remote))).await {
        Either::Left((ended, _)) => ended,
        Either::Right((never, _)) => match never {},
    };
    let (state, error) = match ended {
        Err(refusal) => (TransferState::Failed, Some(refusal)),
        Ok(None) => (TransferState::Done, None),
        Ok(Some(_)) if remote.counters.holds_some() => (TransferState::Partly, None),
        Ok(Some(Problem { code, message, .. })) => (TransferState::Failed, Some(Refusal::new(code, message))),
    };
    let progress = remote.counters.progress();
    page::say(&FromWorker::Ended { state, progress, error });
}

async fn tell_progress(remote: &Remote) -> Infallible {
    let mut told = None;
    loop {
        let now = (remote.counters.hold(), remote.counters.live());
        if told != Some(now) && !remote.page.gate.is_closed() {
            page::progress(now.0, now.1);
            told = Some(now);
        }
        dom::sleep(TELL).await;
    }
}

/// Does it; answers the first problem, if there was one.
async fn work(errand: &Errand, items: &[Item], remote: &Remote) -> Result<Option<Problem>, Refusal> {
    match errand {
        Errand::Measure { key } => Ok(measure::measure(key, items, remote).await),
        Errand::Send => {
            let grant = until_answered(remote, async || remote.begin().await).await?;
            measure::send(grant.chunk_key, items, remote).await
        }
        Errand::Store {
            device, root, problems, ..
        } => upload((*device, *root), problems, items, remote).await,
    }
}

/// Uploads everything; answers the first problem, if there was one.
async fn upload(
    (device, root): (DeviceId, RootId),
    planned: &[Problem],
    items: &[Item],
    remote: &Remote,
) -> Result<Option<Problem>, Refusal> {
    let grant = until_answered(remote, async || remote.begin().await).await?;
    let (problems, reported) = mpsc::unbounded();
    for problem in planned.iter().cloned() {
        remote.counters.failed();
        let _ = problems.unbounded_send(problem);
    }
    let mut chain = Chain {
        remote,
        space: grant.space,
        root,
        device,
        head: grant.head,
    };
    let rounds = async {
        let mut wanted: Vec<usize> = (0..items.len()).collect();
        for _ in 0..ROUNDS {
            let (out, batches) = mpsc::channel(0);
            let (durable, finished) = mpsc::channel(4);
            let reader = Reader {
                remote,
                items,
                problems: problems.clone(),
                out,
            };
            let filler = Filler::new(grant.chunk_key.clone());
            let read = async {
                reader.read_all(wanted, filler).await;
                Ok(())
            };
            let stored = store_all(remote, batches, durable);
            let ((), (), again) = try_join3(read, stored, chain.commit_all(finished)).await?;
            if again.is_empty() {
                drop(problems);
                return Ok(());
            }
            wanted = again;
        }
        Err(lossy())
    };
    let (first, ()) = try_join(report_all(remote, reported), rounds).await?;
    Ok(first)
}

/// Tells all problems that come, and forgets first what an earlier run told. The answer is the first of them.
async fn report_all(
    remote: &Remote,
    mut problems: mpsc::UnboundedReceiver<Problem>,
) -> Result<Option<Problem>, Refusal> {
    report(remote, 0, &[]).await?;
    let (mut first, mut told) = (None, 0);
    let mut part: Vec<Problem> = Vec::new();
    while let Some(problem) = problems.next().await {
        first.get_or_insert_with(|| problem.clone());
        part.push(problem);
        while let Ok(problem) = problems.try_recv() {
            if wire::encode(&part).len() + wire::encode(&problem).len() > PART_MAX {
                report(remote, told, &part).await?;
                told += part.len() as u64;
                part.clear();
            }
            part.push(problem);
        }
        report(remote, told, &part).await?;
        told += part.len() as u64;
        part.clear();
    }
    Ok(first)
}

async fn report(remote: &Remote, offset: u64, problems: &[Problem]) -> Result<(), Refusal> {
    until_answered(remote, async || remote.report(offset, problems.to_vec()).await).await
}

fn lossy() -> Refusal {
    Refusal::new(
        ErrorCode::Damaged,
        "the server lost again and again what it had stored; let its owner run: beckon-server check --read-data",
    )
}
