//! Everything below a folder, one after the other: a folder before what is in it, names in the order of their bytes.

use std::collections::VecDeque;

use beckon_shared::path::RootPath;
use sea_orm::ConnectionTrait;

use super::{Row, past::When};
use crate::store::meta::Error;

/// Rows read at once of a folder.
const PAGE: u64 = 500;

/// A walk through what lies below a folder.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The moment whose tree it is.
    when: When,
    /// The folders from the start down to where the walk is.
    open: Vec<Open>,
}

/// A folder that the walk is in.
#[derive(Debug)]
struct Open {
    folder: Row,
    path: Vec<u8>,
    /// Read and not yet given out.
    waiting: VecDeque<Row>,
    /// Everything up to this name was read.
    after: Option<Vec<u8>>,
    /// All was read.
    complete: bool,
}

/// Something below the folder.
#[derive(Debug)]
pub(crate) struct Step {
    /// Names from below the folder down, joined by `/`.
    pub(crate) path: Vec<u8>,
    /// The node.
    pub(crate) row: Row,
}

impl Walk {
    /// From the start; below a file there is nothing.
    pub(crate) fn below(folder: Row, when: When) -> Self {
        Self {
            when,
            open: vec![Open::new(folder, Vec::new(), None)],
        }
    }

    /// Goes on behind the path that an earlier walk came to, also if it was moved or deleted meanwhile.
    pub(crate) async fn resume(
        on: &impl ConnectionTrait,
        folder: Row,
        when: When,
        after: &RootPath,
    ) -> Result<Self, Error> {
        let mut open = Vec::new();
        let mut next = Some((folder, Vec::new()));
        for name in after.names() {
            let Some((folder, path)) = next.take() else { break };
            let inner = when.child(on, &folder, &name).await?.filter(Row::is_folder);
            next = inner.map(|inner| (inner, joined(&path, name.as_bytes())));
            open.push(Open::new(folder, path, Some(name.as_bytes().to_vec())));
        }
        open.extend(next.map(|(folder, path)| Open::new(folder, path, None)));
        Ok(Self { when, open })
    }

    /// The next one; nothing at the end.
    pub(crate) async fn next(&mut self, on: &impl ConnectionTrait) -> Result<Option<Step>, Error> {
        while let Some(last) = self.open.last_mut() {
            let Some(row) = last.take(on, self.when).await? else {
                self.open.pop();
                continue;
            };
            let path = joined(&last.path, &row.node.name);
            if row.is_folder() {
                self.open.push(Open::new(row.clone(), path.clone(), None));
            }
            return Ok(Some(Step { path, row }));
        }
        Ok(None)
    }
}

impl Open {
    fn new(folder: Row, path: Vec<u8>, after: Option<Vec<u8>>) -> Self {
        let complete = !folder.is_folder();
        Self {
            folder,
            path,
            waiting: VecDeque::new(),
            after,
            complete,
        }
    }

    async fn take(&mut self, on: &impl ConnectionTrait, when: When) -> Result<Option<Row>, Error> {
        if self.waiting.is_empty() && !self.complete {
            let page = when.children(on, &self.folder, self.after.as_deref(), PAGE).await?;
            self.complete = (page.len() as u64) < PAGE;
            self.after = page.last().map(|row| row.node.name.clone());
            self.waiting = page.into();
        }
        Ok(self.waiting.pop_front())
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() {
        name.to_vec()
    } else {
        [folder, b"/", name].concat()
    }
}
