//! Tells the server of entries that could not be stored, in parts that fit a frame.

use beckon_shared::{
    error::Refusal,
    transfer::Problem,
    wire::{self, PART_MAX},
};
use tokio::sync::mpsc;

use super::{Shared, pause::Pause, remote::Remote};

/// Tells all that come, and forgets first what an earlier run told. The answer is the first of them.
pub(super) async fn report_all<R: Remote>(
    shared: &Shared<R>,
    mut problems: mpsc::Receiver<Problem>,
) -> Result<Option<Problem>, Refusal> {
    report(shared, 0, &[]).await?;
    let (mut first, mut told) = (None, 0);
    let mut part = Part::default();
    while let Some(problem) = problems.recv().await {
        first.get_or_insert_with(|| problem.clone());
        let mut next = Some(shared.placed(problem));
        while let Some(problem) = next {
            if let Err(problem) = part.add(problem) {
                told += part.tell(shared, told).await?;
                // An empty part takes any problem.
                let _ = part.add(problem);
            }
            next = problems.try_recv().ok().map(|problem| shared.placed(problem));
        }
        told += part.tell(shared, told).await?;
    }
    Ok(first)
}

impl<R> Shared<R> {
    fn placed(&self, problem: Problem) -> Problem {
        match self.told(&problem.path) {
            Some(path) => Problem { path, ..problem },
            None => problem,
        }
    }
}

async fn report<R: Remote>(shared: &Shared<R>, offset: u64, problems: &[Problem]) -> Result<(), Refusal> {
    let mut pause = Pause::new(&shared.remote, &shared.counters, shared.pace);
    while let Err(failure) = shared.remote.report(offset, problems).await {
        pause.after(failure).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Part {
    problems: Vec<Problem>,
    bytes: usize,
}

impl Part {
    fn add(&mut self, problem: Problem) -> Result<(), Problem> {
        let len = wire::encode(&problem).len();
        if self.bytes + len > PART_MAX && !self.problems.is_empty() {
            return Err(problem);
        }
        self.bytes += len;
        self.problems.push(problem);
        Ok(())
    }

    async fn tell<R: Remote>(&mut self, shared: &Shared<R>, told: u64) -> Result<u64, Refusal> {
        report(shared, told, &self.problems).await?;
        self.bytes = 0;
        Ok(std::mem::take(&mut self.problems).len() as u64)
    }
}
