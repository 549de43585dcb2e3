//! How the entries of a folder stand to the drive.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    api::drive::{self, HeadView},
    browse::{Answer, Ask},
    entry::{Entry, InDrive},
    in_drive,
    path::{Name, RootPath},
};

use super::misunderstood;
use crate::{cli::place::LiveRef, http::Api, output::Failure, session::Session};

/// One ask names at most so many paths (`browse::Ask::States`).
const ASK_MAX: usize = 1000;
/// Heads in one answer of the server.
const HEADS_PAGE: usize = 1000;

/// What the drive holds of a machine's folder.
pub(super) struct Heads(HashMap<Name, HeadView>);

impl Heads {
    /// Reads them all.
    pub(super) async fn read(api: &Api, place: &LiveRef, folder: &RootPath) -> Result<Self, Failure> {
        let path = URL_SAFE_NO_PAD.encode(folder.as_bytes());
        let base = format!("/api/drive/heads?device={}&root={}&path={path}&limit={HEADS_PAGE}", place.device, place.root);
        let mut heads = HashMap::new();
        let mut url = base.clone();
        loop {
            let page: drive::Heads = api.get(&url).await?;
            heads.extend(page.heads.into_iter().map(|head| (head.name.clone(), head)));
            let Some(next) = page.next else { return Ok(Self(heads)) };
            url = format!("{base}&after={}", URL_SAFE_NO_PAD.encode(next.as_bytes()));
        }
    }
}

/// A folder, and who can say what of it.
pub(super) struct Folder<'a> {
    pub(super) session: &'a Session,
    pub(super) place: &'a LiveRef,
    pub(super) path: &'a RootPath,
    pub(super) heads: Heads,
    /// A transfer of this root is under way.
    pub(super) is_busy: bool,
}

impl Folder<'_> {
    /// The state of each entry, in order. What the heads do not prove the machine is asked for.
    pub(super) async fn states(&self, entries: &[Entry]) -> Result<Vec<InDrive>, Failure> {
        let compared: Vec<Option<InDrive>> = entries.iter().map(|entry| self.by_heads(entry)).collect();
        let open = |state: &Option<InDrive>| match state {
            None => true,
            // What is not safe yet may be on its way.
            Some(InDrive::No | InDrive::Changed) => self.is_busy,
            Some(_) => false,
        };
        let asked: Vec<usize> = compared.iter().enumerate().filter(|(_, state)| open(state)).map(|(at, _)| at).collect();
        let mut states: Vec<InDrive> = compared.into_iter().map(|state| state.unwrap_or(InDrive::Unknown)).collect();
        for part in asked.chunks(ASK_MAX) {
            let answers = self.ask_machine(part.iter().map(|at| &entries[*at])).await?;
            for (at, answer) in part.iter().zip(answers) {
                if let (Some(state), true) = (states.get_mut(*at), answer != InDrive::Unknown) {
                    *state = answer;
                }
            }
        }
        Ok(states)
    }

    fn by_heads(&self, entry: &Entry) -> Option<InDrive> {
        in_drive::compare(entry, self.heads.0.get(&entry.name))
    }

    async fn ask_machine(&self, entries: impl Iterator<Item = &Entry>) -> Result<Vec<InDrive>, Failure> {
        let paths = entries.map(|entry| self.path.join(&entry.name)).collect::<Result<Vec<_>, _>>();
        // A name so deep that its path is too long cannot be addressed, and is not known to the drive either.
        let Ok(folders) = paths else { return Ok(Vec::new()) };
        match self.session.ask(Ask::States { root: self.place.root, folders }).await? {
            Answer::States(states) => Ok(states),
            _ => Err(misunderstood()),
        }
    }
}
