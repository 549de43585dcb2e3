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
    pub(crate) fn gone(&self, selection: &[RootPath], seen: impl Fn(&[u8]) -> bool) -> Gone {
        let mut gone = Gone::default();
        self.each_row(selection, |key, path, kind| {
            let is_gone = !seen(path);
            let count = u64::from(kind == EntryKind::File);
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
        self.each_row(selection, |_, _, kind| {
            any = kind == EntryKind::File;
            if any {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        any
    }

    /// Shows the rows of what was selected and of all that is below it, whether or not they count.
    fn each_row(&self, selection: &[RootPath], mut show: impl FnMut(&[u8], &[u8], EntryKind) -> ControlFlow<()>) {
        let Some(rows) = &self.rows else { return };
        for selected in selection {
            let first = row_key(self.source.number, selected);
            let Ok(range) = rows.range(first.as_slice()..) else {
                return;
            };
            // An index that cannot be read knows nothing, here as elsewhere.
            for (key, row) in range.map_while(Result::ok) {
                let (key, row) = (key.value(), row.value());
                let Some(path) = key.strip_prefix(&self.source.number.to_be_bytes()) else {
                    break;
                };
                if !path.starts_with(selected.as_bytes()) {
                    break;
                }
                let rest = &path[selected.as_bytes().len()..];
                // `photos` does not hold `photos.zip`, which stands between it and what is below it.
                let is_below = selected.is_root() || rest.is_empty() || rest.starts_with(b"/");
                if is_below
                    && let Some((_, row)) = Row::decode(row)
                    && show(key, path, row.kind).is_break()
                {
                    return;
                }
            }
        }
    }
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
