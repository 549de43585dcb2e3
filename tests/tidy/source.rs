//! The repository's text files, as the rules see them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders with a leading dot that belong to the project; all others are left out.
const DOTTED: &[&str] = &[".ci", ".cargo", ".github"];

/// Folders that hold what was built or fetched.
const FOREIGN: &[&str] = &["target", "node_modules"];

/// A text file: its path from the root of the repository, with `/`, and its content.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Lines of Rust with their numbers from 1, comments cut off. A `//` in a string cuts too: good enough here.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(index, line)| (index + 1, line.split_once("//").map_or(line, |(code, _)| code)))
    }

    /// A violation at a line.
    pub(crate) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

/// All text files of the repository.
pub(crate) fn all() -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() && is_ours(&entry.file_name().to_string_lossy()) {
                open.push(path);
            } else if kind.is_file() {
                sources.extend(read(&root, &path));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn is_ours(folder: &str) -> bool {
    !FOREIGN.contains(&folder) && (!folder.starts_with('.') || DOTTED.contains(&folder))
}

/// A file that is not text has no rules.
fn read(root: &Path, path: &Path) -> Option<Source> {
    let text = fs::read_to_string(path).ok()?;
    let path = path.strip_prefix(root).ok()?.to_str()?.replace('\\', "/");
    Some(Source { path, text })
}
