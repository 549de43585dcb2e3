//! A row of a machine's folder.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use beckon_shared::{
    device::RootView,
    entry::{Entry, EntryKind, SourceStamp},
    id::RootId,
    path::{Name, RootPath},
    time::Timestamp,
};

use crate::{
    component::{file_list::Row, selection::Key},
    format,
    text::machine as words,
};

/// An entry, or at a machine's top one of its roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Key,
    pub(super) entry: Entry,
    /// The root that this is, at a machine's top.
    root: Option<RootId>,
}

impl Item {
    pub(super) fn of_entry(entry: Entry) -> Arc<Self> {
        Arc::new(Self {
            key: Key::new(entry.name.as_bytes()),
            entry,
            root: None,
        })
    }

    /// A root is shown as a folder; its name holds nothing that a name may not.
    pub(super) fn of_root(root: &RootView) -> Option<Arc<Self>> {
        let entry = Entry {
            name: Name::new(root.name.as_str().as_bytes()).ok()?,
            kind: EntryKind::Folder,
            stamp: SourceStamp {
                size: 0,
                mtime_ns: 0,
                ctime_ns: 0,
                file_id: 0,
            },
            target: None,
        };
        Some(Arc::new(Self {
            key: Key::new(root.id.as_bytes()),
            entry,
            root: Some(root.id),
        }))
    }

    /// Its root and path, where `place` is the folder that it stands in.
    pub(super) fn address(&self, place: Option<&(RootId, RootPath)>) -> Option<(RootId, RootPath)> {
        match (self.root, place) {
            (Some(root), _) => Some((root, RootPath::root())),
            (None, Some((root, folder))) => Some((*root, folder.join(&self.entry.name).ok()?)),
            (None, None) => None,
        }
    }

    pub(super) fn label(&self) -> String {
        format::name(&self.entry.name.display())
    }

    /// With where it points, of a symlink.
    pub(super) fn title(&self) -> String {
        match &self.entry.target {
            Some(target) => format!("{} → {}", self.label(), format::name(&String::from_utf8_lossy(target))),
            None => self.label(),
        }
    }

    pub(super) fn row(&self) -> Row {
        Row {
            key: self.key.clone(),
            label: self.label(),
            version: self.version(),
        }
    }

    /// Another one when the entry has other facts.
    pub(super) fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.entry.kind, &self.entry.stamp, &self.entry.target).hash(&mut hasher);
        hasher.finish()
    }

    /// When it was modified; of a root that is not asked for.
    pub(super) fn modified(&self) -> Option<Timestamp> {
        let at = Timestamp(self.entry.stamp.mtime_ns.div_euclid(1_000_000));
        self.root.is_none().then_some(at)
    }

    pub(super) fn is_folder(&self) -> bool {
        self.entry.kind == EntryKind::Folder
    }

    pub(super) fn is_file(&self) -> bool {
        self.entry.kind == EntryKind::File
    }

    pub(super) fn icon(&self) -> &'static str {
        match self.entry.kind {
            EntryKind::Folder => "folder",
            EntryKind::Symlink => "symlink",
            EntryKind::Other => "file",
            EntryKind::File => of_ending(&self.entry.name.display()),
        }
    }

    /// The size of a file, the word of another kind.
    pub(super) fn size(&self) -> String {
        match self.entry.kind {
            EntryKind::File => format::bytes(self.entry.stamp.size),
            EntryKind::Folder => words::folder().to_owned(),
            EntryKind::Symlink => words::link().to_owned(),
            EntryKind::Other => words::special().to_owned(),
        }
    }
}

fn of_ending(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref().unwrap_or_default() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "svg" | "bmp" | "tif" | "tiff" | "heic" | "ico" => "image",
        "mp4" | "mov" | "mkv" | "webm" | "avi" | "m4v" | "mp3" | "flac" | "wav" | "ogg" | "m4a" | "aac" => "video",
        "zip" | "7z" | "rar" | "tar" | "gz" | "xz" | "zst" | "bz2" | "tgz" => "archive",
        "rs" | "py" | "js" | "ts" | "c" | "h" | "cpp" | "go" | "java" | "sh" | "html" | "css" | "json" | "toml"
        | "yaml" | "yml" => "code",
        "txt" | "md" | "pdf" | "doc" | "docx" | "odt" | "xls" | "xlsx" | "ods" | "ppt" | "pptx" | "csv" | "log" => {
            "text"
        }
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    const STAMP: SourceStamp = SourceStamp {
        size: 7,
        mtime_ns: 1_000,
        ctime_ns: 2_000,
        file_id: 3,
    };

    fn version(kind: EntryKind, stamp: SourceStamp, target: Option<&[u8]>) -> u64 {
        let entry = Entry {
            name: Name::new("a").unwrap(),
            kind,
            stamp,
            target: target.map(<[u8]>::to_vec),
        };
        Item::of_entry(entry).version()
    }

    #[wasm_bindgen_test]
    fn content_written_anew_under_its_old_time_is_another_version() {
        let written = SourceStamp {
            ctime_ns: 2_001,
            ..STAMP
        };
        let before = version(EntryKind::File, STAMP, None);
        assert_eq!(version(EntryKind::File, STAMP, None), before);
        assert_ne!(version(EntryKind::File, written, None), before);
    }

    #[wasm_bindgen_test]
    fn a_link_that_points_elsewhere_is_another_version() {
        let to = |target: &[u8]| version(EntryKind::Symlink, STAMP, Some(target));
        assert_ne!(to(b"x"), to(b"y"));
    }
}
