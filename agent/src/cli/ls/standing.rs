//! How the entries of a folder stand to the drive.

use std::collections::HashMap;

use beckon_shared::{
    api::drive::{HeadView, Heads, HeadsOf, Outdated, OutdatedOf},
    browse::{Answer, Ask},
    entry::{Entry, EntryKind, InDrive},
    in_drive,
    path::{Name, RootPath},
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::misunderstood;
use crate::{cli::place::LiveRef, http::Api, output::Failure, session::Session};

/// One ask names at most so many entries (`browse::Ask::States`).
const ASK_MAX: usize = 1000;
/// One request names so many, of the 1,000 allowed: with the longest names it still fits into the server's limit of 1 MiB.
const HEADS_MAX: usize = 500;
/// Requests to the server under way at the same time.
const PARALLEL: usize = 4;

/// A folder, and who can say what of it.
pub(super) struct Folder<'a> {
    pub(super) api: &'a Api,
    pub(super) session: &'a Session,
    pub(super) place: &'a LiveRef,
    pub(super) path: &'a RootPath,
    /// A transfer of this root is under way.
    pub(super) is_busy: bool,
}

impl Folder<'_> {
    /// The state of each entry, in order. What the drive's heads do not prove the machine is asked for.
    pub(super) async fn states(&self, entries: &[Entry]) -> Result<Vec<InDrive>, Failure> {
        let heads = self.heads(entries).await?;
        let compared: Vec<Option<InDrive>> = entries
            .iter()
            .map(|entry| in_drive::compare(entry, heads.get(&entry.name)))
            .collect();
        let open = |state: &Option<InDrive>| match state {
            None => true,
            // What is not safe yet may be on its way.
            Some(InDrive::No | InDrive::Changed) => self.is_busy,
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
        let drive = self.outdated().await?;
        for part in asked.chunks(ASK_MAX) {
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
    async fn heads(&self, entries: &[Entry]) -> Result<HashMap<Name, HeadView>, Failure> {
        let has_head = |entry: &&Entry| matches!(entry.kind, EntryKind::File | EntryKind::Symlink);
        let names: Vec<Name> = entries
            .iter()
            .filter(has_head)
            .map(|entry| entry.name.clone())
            .collect();
        let parts: Vec<HeadsOf> = names.chunks(HEADS_MAX).map(|names| self.question(names)).collect();
        let answers =
            stream::iter(parts).map(async |question| self.api.post::<Heads>("/api/drive/heads", &question).await);
        let answers: Vec<Heads> = answers.buffer_unordered(PARALLEL).try_collect().await?;
        Ok(answers
            .into_iter()
            .flat_map(|answer| answer.heads)
            .map(|head| (head.name.clone(), head))
            .collect())
    }

    /// What the drive holds no more as the machine brought it.
    async fn outdated(&self) -> Result<Outdated, Failure> {
        let question = OutdatedOf {
            device: self.place.device,
            root: self.place.root,
            path: self.path.clone(),
        };
        self.api.post("/api/drive/outdated", &question).await
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
        match self
            .session
            .ask(Ask::States {
                root: self.place.root,
                folders,
                drive: Box::new(drive.clone()),
            })
            .await?
        {
            Answer::States(states) => Ok(states),
            _ => Err(misunderstood()),
        }
    }
}
