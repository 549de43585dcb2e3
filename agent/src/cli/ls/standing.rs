//! How the entries of a folder stand to the drive.

use std::collections::HashMap;

use beckon_shared::{
    api::drive::{HeadView, Heads, HeadsOf, Outdated, OutdatedOf},
    browse::{Answer, Ask},
    entry::{Entry, EntryKind, InDrive},
    error::ErrorCode,
    in_drive,
    path::{Name, RootPath},
    session::MESSAGE_MAX,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::misunderstood;
use crate::{cli::place::LiveRef, http::Api, output::Failure, session::Reach};

/// One ask names at most so many entries (`browse::Ask::States`).
const ASK_MAX: usize = 1000;
/// Paths of so many bytes leave room in an ask for what the drive holds no more.
const ASK_BYTES_MAX: usize = MESSAGE_MAX / 2;
/// One request names so many, of the 1,000 allowed: with the longest names it still fits into the server's limit of 1 MiB.
const HEADS_MAX: usize = 500;
/// Requests to the server under way at the same time.
const PARALLEL: usize = 4;

/// A folder, and who can say what of it.
pub(super) struct Folder<'a> {
    /// Absent while the server cannot be reached: then nothing is known.
    pub(super) api: Option<&'a Api>,
    pub(super) reach: &'a Reach,
    pub(super) place: &'a LiveRef,
    pub(super) path: &'a RootPath,
    /// What the drive does not hold may be on its way, or left out: only the machine knows.
    pub(super) asks_machine: bool,
}

impl Folder<'_> {
    /// The state of each entry, in order. What the drive's heads do not prove the machine is asked for.
    pub(super) async fn states(&self, entries: &[Entry]) -> Result<Vec<InDrive>, Failure> {
        let Some(api) = self.api else {
            return Ok(vec![InDrive::Unknown; entries.len()]);
        };
        let heads = self.heads(api, entries).await?;
        let compared: Vec<Option<InDrive>> = entries
            .iter()
            .map(|entry| in_drive::compare(entry, heads.get(&entry.name)))
            .collect();
        let open = |state: &Option<InDrive>| match state {
            None => true,
            Some(InDrive::No | InDrive::Changed) => self.asks_machine,
            Some(_) => false,
        };
        let asked: Vec<usize> = compared
            .iter()
            .enumerate()
            .filter(|(_, state)| open(state))
            .map(|(at, _)| at)
            .collect();
        let mut states: Vec<InDrive> = compared
            .into_iter()
            .map(|state| state.unwrap_or(InDrive::Unknown))
            .collect();
        if asked.is_empty() {
            return Ok(states);
        }
        let drive = self.outdated(api).await?;
        for part in parts(&asked, |at| {
            self.path.as_bytes().len() + 1 + entries[at].name.as_bytes().len()
        }) {
            let answers = self.ask_machine(part.iter().map(|at| &entries[*at]), &drive).await?;
            for (at, answer) in part.iter().zip(answers) {
                if let (Some(state), true) = (states.get_mut(*at), answer != InDrive::Unknown) {
                    *state = answer;
                }
            }
        }
        Ok(states)
    }

    /// What the drive holds of these entries; of a folder only the machine can tell, so no head of it is read.
    async fn heads(&self, api: &Api, entries: &[Entry]) -> Result<HashMap<Name, HeadView>, Failure> {
        let has_head = |entry: &&Entry| matches!(entry.kind, EntryKind::File | EntryKind::Symlink);
        let names: Vec<Name> = entries
            .iter()
            .filter(has_head)
            .map(|entry| entry.name.clone())
            .collect();
        let parts: Vec<HeadsOf> = names.chunks(HEADS_MAX).map(|names| self.question(names)).collect();
        let answers = stream::iter(parts).map(async |question| api.post::<Heads>("/api/drive/heads", &question).await);
        let answers: Vec<Heads> = answers.buffer_unordered(PARALLEL).try_collect().await?;
        Ok(answers
            .into_iter()
            .flat_map(|answer| answer.heads)
            .map(|head| (head.name.clone(), head))
            .collect())
    }

    /// What the drive holds no more as the machine brought it.
    async fn outdated(&self, api: &Api) -> Result<Outdated, Failure> {
        let question = OutdatedOf {
            device: self.place.device,
            root: self.place.root,
            path: self.path.clone(),
        };
        api.post("/api/drive/outdated", &question).await
    }

    fn question(&self, names: &[Name]) -> HeadsOf {
        HeadsOf {
            device: self.place.device,
            root: self.place.root,
            path: self.path.clone(),
            names: names.to_vec(),
        }
    }

    async fn ask_machine(
        &self,
        entries: impl Iterator<Item = &Entry>,
        drive: &Outdated,
    ) -> Result<Vec<InDrive>, Failure> {
        let paths = entries
            .map(|entry| self.path.join(&entry.name))
            .collect::<Result<Vec<_>, _>>();
        // A name so deep that its path is too long cannot be addressed, and is not known to the drive either.
        let Ok(folders) = paths else { return Ok(Vec::new()) };
        let ask = Ask::States {
            root: self.place.root,
            folders,
            drive: Box::new(drive.clone()),
        };
        match self.reach.ask(ask).await {
            Ok(Answer::States(states)) => Ok(states),
            Ok(_) => Err(misunderstood()),
            // What the drive holds no more is too much to be told, so nothing is learnt of these.
            Err(refusal) if refusal.code == ErrorCode::TooLarge => Ok(Vec::new()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// Cuts what is asked into parts that fit into one ask each; `size` is the length of a path.
fn parts(mut asked: &[usize], size: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut parts = Vec::new();
    while !asked.is_empty() {
        let mut bytes = 0;
        let fits = asked.iter().take(ASK_MAX).take_while(|at| {
            // With its length before it.
            bytes += size(**at) + 3;
            bytes <= ASK_BYTES_MAX
        });
        let (part, rest) = asked.split_at(fits.count().max(1));
        parts.push(part);
        asked = rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_names_no_more_than_fits_into_it() {
        let asked: Vec<usize> = (0..2500).collect();
        let lengths = |size: usize| -> Vec<usize> { parts(&asked, |_| size).iter().map(|part| part.len()).collect() };
        assert_eq!(lengths(20), [1000, 1000, 500]);
        assert_eq!(lengths(2045), [256, 256, 256, 256, 256, 256, 256, 256, 256, 196]);
        assert_eq!(lengths(MESSAGE_MAX).len(), 2500);
        assert_eq!(parts(&asked, |_| 2045).concat(), asked);
        assert!(parts(&[], |_| 1).is_empty());
    }
}
