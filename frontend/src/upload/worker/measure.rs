//! What goes onto a machine: measured for the list that is signed, then sent. Nothing of it is committed.

use beckon_shared::{chunk::ChunkKey, error::Refusal, transfer::Problem};
use futures_channel::mpsc;
use futures_util::{StreamExt, future, future::join3};

use super::{
    Item,
    batch::{Filler, Finished},
    page,
    read::Reader,
    remote::Remote,
    store::store_all,
};
use crate::upload::message::FromWorker;

/// Reads everything and tells the page the manifests; answers the first problem, if there was one.
pub(super) async fn measure(key: &ChunkKey, items: &[Item], remote: &Remote) -> Option<Problem> {
    let (out, mut batches) = mpsc::channel(0);
    let (problems, unread) = mpsc::unbounded();
    let reader = Reader {
        remote,
        items,
        problems,
        out,
    };
    let found = async {
        while let Some(batch) = batches.next().await {
            remote.counters.durable(batch.content_len());
            settle(remote, &batch.finished);
            let told = batch.finished.into_iter().map(|one| (one.entry as u32, one.manifest));
            page::say(&FromWorker::Measured(told.collect()));
        }
    };
    let all = (0..items.len()).collect();
    let ((), (), first) = join3(reader.read_all(all, Filler::new(key.clone())), found, tell(unread)).await;
    first
}

/// Sends what the server lacks of everything; answers the first problem, if there was one.
pub(super) async fn send(key: ChunkKey, items: &[Item], remote: &Remote) -> Result<Option<Problem>, Refusal> {
    let (out, batches) = mpsc::channel(0);
    let (durable, mut finished) = mpsc::channel::<Vec<Finished>>(4);
    let (problems, unread) = mpsc::unbounded();
    let reader = Reader {
        remote,
        items,
        problems,
        out,
    };
    let all = (0..items.len()).collect();
    let read = reader.read_all(all, Filler::new(key));
    let settled = async {
        while let Some(some) = finished.next().await {
            settle(remote, &some);
        }
    };
    let (stored, ((), (), first)) =
        future::join(store_all(remote, batches, durable), join3(read, settled, tell(unread))).await;
    stored.map(|()| first)
}

fn settle(remote: &Remote, finished: &[Finished]) {
    for one in finished {
        remote.counters.settled(one.size);
        match one.is_file {
            true => remote.counters.done_file(one.size),
            false => remote.counters.held(),
        }
    }
}

/// Tells the page what could not be read; answers the first of it.
async fn tell(mut unread: mpsc::UnboundedReceiver<Problem>) -> Option<Problem> {
    let mut first = None;
    while let Some(problem) = unread.next().await {
        first.get_or_insert_with(|| problem.clone());
        page::say(&FromWorker::Unread(vec![problem]));
    }
    first
}
