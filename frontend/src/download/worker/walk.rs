//! Everything below a few entries of a machine, folder by folder, each folder before what is in it.

use beckon_shared::{
    browse::{Answer, Ask, ListAsk, PAGE_MAX, Page},
    entry::{Direction, Entry, EntryKind, SortKey},
    error::{ErrorCode, Refusal},
};
use futures_util::{Stream, stream};

use super::{
    leftover::is_of_entry,
    source::{Machine, Source},
};
use crate::{
    download::message::{Place, Top},
    session,
    text::download as words,
};

/// A folder of more entries is left out: its listing would not fit into memory.
const ENTRIES_MAX: u64 = 1_000_000;

/// Something that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) place: Place,
    /// Its path in the archive.
    pub(super) path: Vec<u8>,
    pub(super) entry: Entry,
}

/// A step of the walk.
#[derive(Debug)]
pub(super) enum Step {
    /// An entry.
    Found(Found),
    /// It is not known what lies below this path in the archive, or at it.
    Left(Vec<u8>, Refusal),
}

/// Walks below these. An error that concerns more than one entry ends it.
pub(super) fn walk<'a, M: Machine>(
    source: &'a Source<M>,
    tops: &[Top],
) -> impl Stream<Item = Result<Step, Refusal>> + 'a {
    let found = tops.iter().map(|top| {
        Step::Found(Found {
            place: top.place.clone(),
            path: top.entry.name.as_bytes().to_vec(),
            entry: top.entry.clone(),
        })
    });
    // What is on top comes next.
    let stack: Vec<Step> = found.rev().collect();
    stream::try_unfold((stack, None), move |(mut stack, inside)| async move {
        if let Some(folder) = inside {
            enter(source, &folder, &mut stack).await?;
        }
        let Some(step) = stack.pop() else {
            return Ok(None);
        };
        let inside = match &step {
            Step::Found(found) if found.entry.kind == EntryKind::Folder => Some(found.clone()),
            _ => None,
        };
        Ok(Some((step, (stack, inside))))
    })
}

/// Puts what is in a folder onto the stack, the first on top.
async fn enter<M: Machine>(source: &Source<M>, folder: &Found, stack: &mut Vec<Step>) -> Result<(), Refusal> {
    let entries = match list(source, &folder.place).await {
        Ok(entries) => entries,
        Err(refusal) if is_of_entry(&refusal) => {
            stack.push(Step::Left(folder.path.clone(), refusal));
            return Ok(());
        }
        Err(refusal) => return Err(refusal),
    };
    stack.extend(entries.into_iter().rev().map(|entry| {
        let path = [&folder.path, b"/".as_slice(), entry.name.as_bytes()].concat();
        match folder.place.path.join(&entry.name) {
            Ok(below) => Step::Found(Found {
                place: Place {
                    root: folder.place.root,
                    path: below,
                },
                path,
                entry,
            }),
            Err(bad) => Step::Left(path, Refusal::new(ErrorCode::BadRequest, bad.to_string())),
        }
    }));
    Ok(())
}

/// All entries of a folder. A snapshot belongs to the session that took it: if that ends meanwhile, all is read anew.
async fn list<M: Machine>(source: &Source<M>, place: &Place) -> Result<Vec<Entry>, Refusal> {
    match list_once(source, place).await {
        Err((refusal, true)) if is_of_entry(&refusal) => list_once(source, place).await,
        other => other,
    }
    .map_err(|(refusal, _)| refusal)
}

/// An error says too whether a part had come already.
async fn list_once<M: Machine>(source: &Source<M>, place: &Place) -> Result<Vec<Entry>, (Refusal, bool)> {
    let first = page(source, place, 0, None).await.map_err(|refusal| (refusal, false))?;
    let (snapshot, total, mut next) = (first.snapshot, first.total, first.next);
    let mut entries = first.entries;
    while next < total {
        let some = page(source, place, next, Some(snapshot))
            .await
            .map_err(|refusal| (refusal, true))?;
        if some.next <= next {
            return Err((session::misunderstood(), true));
        }
        next = some.next;
        entries.extend(some.entries);
    }
    Ok(entries)
}

async fn page<M: Machine>(
    source: &Source<M>,
    place: &Place,
    offset: u64,
    snapshot: Option<u64>,
) -> Result<Page, Refusal> {
    let ask = Ask::List(ListAsk {
        root: place.root,
        path: place.path.clone(),
        sort: SortKey::Name,
        direction: Direction::Ascending,
        offset,
        max_bytes: PAGE_MAX,
        snapshot,
    });
    match source.ask(&ask).await? {
        Answer::Page(page) if page.total > ENTRIES_MAX => Err(Refusal::new(ErrorCode::TooLarge, words::too_many())),
        Answer::Page(page) => Ok(page),
        _ => Err(session::misunderstood()),
    }
}
