//! An older state of which something is kept no more: what came next at the same path takes its place.

use std::collections::BTreeMap;

use beckon_shared::{
    commit::Change,
    error::{ErrorCode, Refusal},
    order::Extent,
    path::RootPath,
    transfer::Problem,
};

use super::{
    Follow, Round,
    learn::{later, manifests},
    write::Batch,
};
use crate::copy::{diff::Put, server::Remote, source::Lines};

impl<R: Remote, L: Lines> Follow<R, L> {
    /// Finds the next state that can be had of what is kept no more. Where the newest state is wanted, that comes with the next
    /// commits.
    pub(super) async fn fall_forward(&mut self) -> Result<(), Refusal> {
        let mut lost = std::mem::take(&mut self.lost);
        if !matches!(self.job.order.extent, Extent::At(_)) {
            self.waits.append(&mut lost);
            return Ok(());
        }
        let mut history = self.history.clone();
        // No order names what came later, so it counts only as long as what its device signs does.
        while !lost.is_empty() && self.look_at_origin().is_ok() {
            let commits = later(&*self.remote, self.pace, &mut history).await?;
            if commits.is_empty() {
                break;
            }
            for changes in commits {
                let next: BTreeMap<_, _> = changes
                    .into_iter()
                    .filter_map(|change| match change {
                        Change::Put { path, manifest } if lost.contains(&path) => Some((path, manifest)),
                        _ => None,
                    })
                    .collect();
                let mut batch = Batch::default();
                for (origin, manifest) in next {
                    let Some(local) = self.mapping.local(&origin) else {
                        continue;
                    };
                    let answered = manifests(&*self.remote, self.pace, &[manifest]).await?;
                    let Some((_, Some(bytes))) = answered.into_iter().next() else {
                        continue;
                    };
                    lost.remove(&origin);
                    let put = Put {
                        origin,
                        local,
                        manifest,
                    };
                    batch.add(put, Some(&bytes));
                }
                if let Round::Paused | Round::Asks | Round::Full = self.put(Some(batch)).await? {
                    return Ok(());
                }
            }
        }
        for origin in lost {
            self.give_up(
                &origin,
                "this state of it is kept no more, and nothing newer is stored either",
            );
        }
        Ok(())
    }

    /// What cannot be had is a problem, with the advice to look for it elsewhere.
    pub(super) fn give_up(&mut self, origin: &RootPath, why: &str) {
        let advice = match self.job.order.extent {
            Extent::At(_) => "choose another date",
            Extent::Once => "store it again where it comes from, then give the order again",
            Extent::Kept => "it is asked for again; if that does not help, store it again where it comes from",
        };
        if let Some(path) = self.mapping.local(origin) {
            let problem = Problem {
                path: path.clone(),
                code: ErrorCode::NotFound,
                message: format!("{why}; {advice}"),
            };
            self.problem(path, problem);
        }
    }
}
