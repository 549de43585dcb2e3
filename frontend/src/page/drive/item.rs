//! What stands in a row of the drive.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use beckon_shared::{
    api::drive::{NodeView, TreeRow},
    entry::EntryKind,
    id::NodeId,
    path::{Name, RootPath},
};

use crate::{
    component::{file_list::Row, selection::Key},
    format,
};

/// A node with what its row needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) node: NodeView,
    /// From the top, where the list is not of one folder.
    pub(super) path: Option<RootPath>,
    pub(super) key: Key,
    /// Its name as people read it.
    pub(super) label: String,
    version: u64,
}

impl Item {
    /// In a list of one folder.
    pub(super) fn of(node: NodeView) -> Arc<Self> {
        Arc::new(Self::new(node, None))
    }

    /// In a list of many places.
    pub(super) fn of_row(row: TreeRow) -> Arc<Self> {
        Arc::new(Self::new(row.node, Some(row.path)))
    }

    fn new(node: NodeView, path: Option<RootPath>) -> Self {
        let mut hasher = DefaultHasher::new();
        let facts = (
            &node.name,
            node.size,
            node.head,
            node.stored,
            node.versions,
            node.torn,
            node.deleted,
        );
        facts.hash(&mut hasher);
        Self {
            key: key(node.id),
            label: format::name(&node.name),
            version: hasher.finish(),
            node,
            path,
        }
    }

    /// As the list wants it.
    pub(super) fn row(&self) -> Row {
        Row {
            key: self.key.clone(),
            label: self.label.clone(),
            version: self.version,
        }
    }

    /// Its name, all bytes of it; nothing where the server sent none.
    pub(super) fn name(&self) -> Option<Name> {
        name(&self.node)
    }

    /// The same node under another name.
    pub(super) fn renamed(&self, name: &Name) -> Arc<Self> {
        let node = NodeView {
            name: name.display(),
            name_bytes: name.as_str().is_none().then(|| name.clone()),
            ..self.node.clone()
        };
        Arc::new(Self::new(node, self.path.clone()))
    }

    /// Whether it can be opened as a folder.
    pub(super) fn is_folder(&self) -> bool {
        self.node.kind == EntryKind::Folder
    }

    /// The icon of its kind, and of its name's ending.
    pub(super) fn icon(&self) -> &'static str {
        icon(&self.node)
    }
}

/// A node's key in the list.
pub(crate) fn key(id: NodeId) -> Key {
    Key::new(id.as_bytes())
}

/// A node's name, all bytes of it.
pub(crate) fn name(node: &NodeView) -> Option<Name> {
    match &node.name_bytes {
        Some(bytes) => Some(bytes.clone()),
        None => Name::new(node.name.as_bytes()).ok(),
    }
}

/// The icon of a node.
pub(crate) fn icon(node: &NodeView) -> &'static str {
    match node.kind {
        EntryKind::Folder => "folder",
        EntryKind::Symlink => "link",
        EntryKind::File | EntryKind::Other => of_ending(&node.name),
    }
}

fn of_ending(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .unwrap_or_default();
    match ending.as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "heic" | "svg" | "tif" | "tiff" | "bmp" => "image",
        "txt" | "md" | "doc" | "docx" | "odt" | "rtf" | "xls" | "xlsx" | "ods" | "csv" | "ppt" | "pptx" | "log" => {
            "text"
        }
        "rs" | "py" | "js" | "ts" | "c" | "h" | "cpp" | "go" | "java" | "sh" | "html" | "css" | "json" | "toml"
        | "xml" | "yaml" | "yml" => "code",
        "zip" | "tar" | "gz" | "xz" | "zst" | "bz2" | "7z" | "rar" | "iso" => "archive",
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn an_ending_names_the_icon_in_any_case() {
        assert_eq!(of_ending("Elevation.PNG"), "image");
        assert_eq!(of_ending("backup.tar.gz"), "archive");
        assert_eq!(of_ending("README"), "file");
        assert_eq!(of_ending(".md"), "text");
    }
}
