//! Aligned columns.

use std::fmt;

use unicode_width::UnicodeWidthStr;

/// Rows of cells; every column is as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    right: &'static [usize],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head; the columns numbered in `right` hold numbers.
    pub(crate) fn new(head: &[&str], right: &'static [usize]) -> Self {
        Self {
            right,
            rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    /// Adds a row, with as many cells as the head.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width_of = |at: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.width())
                .max()
        };
        let widths: Vec<usize> = (0..columns).map(|at| width_of(at).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width.saturating_sub(cell.width()));
                match self.right.contains(&at) {
                    true => line.extend([gap.as_str(), cell]),
                    false => line.extend([cell, gap.as_str()]),
                }
                line.push_str("  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_also_where_characters_are_wide() {
        let mut table = Table::new(&["NAME", "SIZE", "STATE"], &[1]);
        table.row(["写真".to_owned(), "7".to_owned(), "safe".to_owned()]);
        table.row(["ab".to_owned(), "1024".to_owned(), "no".to_owned()]);
        assert_eq!(
            table.to_string(),
            "NAME  SIZE  STATE\n写真     7  safe\nab    1024  no\n"
        );
    }
}
