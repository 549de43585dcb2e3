//! What was stored before and is not on the machine any more.

use std::ops::ControlFlow;

use beckon_shared::{entry::EntryKind, error::Refusal, path::RootPath};

use super::{Index, ROWS, Row, Source, View, row_key, unusable};

/// What the index knows of a selection, and how much of it was not seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Files that it knows.
    pub(crate) known: u64,
    /// Those of them that were not seen.
    pub(crate) files: u64,
    /// The keys of all rows that were not seen.
    keys: Vec<Vec<u8>>,
}

impl View {
    /// Compares what the index knows of the selection with what was seen. Blocks.
    pub(crate) fn gone(&self, selection: &[RootPath], seen: impl Fn(&[u8], EntryKind) -> bool) -> Gone {
        let mut gone = Gone::default();
        self.each_row(selection, |key, path, row| {
            let is_gone = !seen(path, row.kind);
            let count = u64::from(row.is_stored_file());
            gone.known += count;
            if is_gone {
                gone.files += count;
                gone.keys.push(key.to_vec());
            }
            ControlFlow::Continue(())
        });
        gone
    }

    /// Whether the index knows any file of the selection.
    pub(crate) fn knows_files(&self, selection: &[RootPath]) -> bool {
        let mut any = false;
        self.each_row(selection, |_, _, row| {
            any = row.is_stored_file();
            if any {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        any
    }

    /// Shows the rows of what was selected and of all that is below it, whether or not they count.
    fn each_row(&self, selection: &[RootPath], mut show: impl FnMut(&[u8], &[u8], Row) -> ControlFlow<()>) {
        for selected in selection {
            if self.rows_at(selected, &mut show).is_break() {
                return;
            }
        }
    }

    /// Shows the row of a path and those of all that is below it, whether or not they count, in the order of their bytes.
    pub(super) fn rows_at(
        &self,
        top: &RootPath,
        mut show: impl FnMut(&[u8], &[u8], Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(rows) = &self.rows else {
            return ControlFlow::Continue(());
        };
        let number = self.source.number.to_be_bytes();
        let mut show = |key: &[u8], row: &[u8]| match (key.strip_prefix(&number), Row::decode(row)) {
            (Some(path), Some((_, row))) => show(key, path, row),
            _ => ControlFlow::Continue(()),
        };
        let own = row_key(self.source.number, top);
        // An index that cannot be read knows nothing, here as elsewhere.
        if let Ok(Some(row)) = rows.get(own.as_slice()) {
            show(&own, row.value())?;
        }
        // `photos.zip` stands between `photos` and what is below that.
        let (first, end) = below(self.source.number, top);
        let range = match &end {
            Some(end) => rows.range(first.as_slice()..end.as_slice()),
            None => rows.range(first.as_slice()..),
        };
        let Ok(range) = range else {
            return ControlFlow::Continue(());
        };
        for (key, row) in range.map_while(Result::ok) {
            show(key.value(), row.value())?;
        }
        ControlFlow::Continue(())
    }
}

/// Where the keys of what is below a path begin, and where they end, unless that is the end of all keys.
pub(super) fn below(source: u32, top: &RootPath) -> (Vec<u8>, Option<Vec<u8>>) {
    if top.is_root() {
        let end = source.checked_add(1).map(|next| next.to_be_bytes().to_vec());
        // The root itself has no row.
        return ([source.to_be_bytes().as_slice(), &[0]].concat(), end);
    }
    let own = row_key(source, top);
    ([own.as_slice(), b"/"].concat(), Some([own.as_slice(), b"0"].concat()))
}

impl Index {
    /// Knows nothing of them from now on. The server keeps what it holds.
    pub(crate) fn forget(&self, source: Source, gone: &Gone) -> Result<(), Refusal> {
        if gone.keys.is_empty() {
            return Ok(());
        }
        tracing::debug!(rows = gone.keys.len(), source = source.number, "gone from the machine");
        let write = || -> Result<(), redb::Error> {
            let write = self.db.begin_write()?;
            {
                let mut rows = write.open_table(ROWS)?;
                for key in &gone.keys {
                    rows.remove(key.as_slice())?;
                }
            }
            write.commit()?;
            Ok(())
        };
        write().map_err(|cause| unusable(&cause))
    }
}
