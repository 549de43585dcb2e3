//! What a person chose in a file field or dropped onto the page, folders with all that is in them.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemDirectoryReader, FileSystemEntry,
    FileSystemFileEntry,
};

use super::{message::Facts, plan::Wish};

/// A file, or a folder that is empty, with its names from the top of what was chosen.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    names: Vec<String>,
    file: Option<File>,
}

impl Chosen {
    /// What the plan is made of.
    pub(super) fn wish(&self) -> Wish {
        Wish {
            names: self.names.clone(),
            file: self.file.as_ref().map(facts),
        }
    }

    /// The file, or null.
    pub(super) fn value(&self) -> JsValue {
        self.file.clone().map_or(JsValue::NULL, JsValue::from)
    }
}

fn facts(file: &File) -> Facts {
    Facts {
        size: file.size() as u64,
        modified: file.last_modified() as i64,
    }
}

/// What stands in a file field; a field for folders gives each file with its path.
pub(crate) fn of_field(files: &FileList) -> Vec<Chosen> {
    (0..files.length())
        .filter_map(|at| files.get(at))
        .map(of_file)
        .collect()
}

fn of_file(file: File) -> Chosen {
    let path = Reflect::get(&file, &"webkitRelativePath".into())
        .ok()
        .and_then(|path| path.as_string());
    let names = match path.filter(|path| !path.is_empty()) {
        Some(path) => path.split('/').map(str::to_owned).collect(),
        None => vec![file.name()],
    };
    let file = Some(file);
    Chosen { names, file }
}

/// What was dropped, as far as it can be told at once; a browser forgets it when the event is over.
#[derive(Debug)]
pub(crate) struct Dropped {
    entries: Vec<FileSystemEntry>,
    files: Vec<File>,
}

/// Whether files are dragged, rather than rows or text.
pub(crate) fn has_files(data: &DataTransfer) -> bool {
    data.types()
        .iter()
        .any(|kind| kind.as_string().as_deref() == Some("Files"))
}

/// Takes what was dropped out of its event.
pub(crate) fn of_drop(data: &DataTransfer) -> Dropped {
    let items = data.items();
    let (mut entries, mut files) = (Vec::new(), Vec::new());
    for item in (0..items.length()).filter_map(|at| items.get(at)) {
        if item.kind() != "file" {
            continue;
        }
        match item.webkit_get_as_entry() {
            Ok(Some(entry)) => entries.push(entry),
            _ => files.extend(item.get_as_file().ok().flatten()),
        }
    }
    Dropped { entries, files }
}

impl Dropped {
    /// Looks into all folders. What cannot be read any more is left out.
    pub(crate) async fn gather(self) -> Vec<Chosen> {
        let mut chosen: Vec<_> = self.files.into_iter().map(of_file).collect();
        let mut open: Vec<_> = self.entries.into_iter().map(|entry| (Vec::new(), entry)).collect();
        while let Some((above, entry)) = open.pop() {
            let mut names: Vec<String> = above;
            names.push(entry.name());
            if entry.is_directory() {
                let inside = children(entry.unchecked_ref()).await;
                if inside.is_empty() {
                    chosen.push(Chosen { names, file: None });
                    continue;
                }
                open.extend(inside.into_iter().map(|entry| (names.clone(), entry)));
            } else if let Some(file) = file_of(entry.unchecked_ref()).await {
                let file = Some(file);
                chosen.push(Chosen { names, file });
            }
        }
        chosen
    }
}

async fn children(folder: &FileSystemDirectoryEntry) -> Vec<FileSystemEntry> {
    let reader: FileSystemDirectoryReader = folder.create_reader();
    let mut all = Vec::new();
    // A reader gives at most 100 at a time, and none when there are no more.
    while let Some(some) = next_children(&reader).await {
        all.extend(some.iter().map(|entry| entry.unchecked_into::<FileSystemEntry>()));
    }
    all
}

async fn next_children(reader: &FileSystemDirectoryReader) -> Option<Array> {
    let asked = promised(|done, failed| reader.read_entries_with_callback_and_callback(done, failed).is_ok());
    let some: Array = asked.await.ok()?.dyn_into().ok()?;
    (some.length() > 0).then_some(some)
}

async fn file_of(entry: &FileSystemFileEntry) -> Option<File> {
    let asked = promised(|done, failed| {
        entry.file_with_callback_and_callback(done, failed);
        true
    });
    asked.await.ok()?.dyn_into().ok()
}

fn promised(ask: impl Fn(&Function, &Function) -> bool) -> JsFuture {
    Promise::new(&mut |done, failed| {
        if !ask(&done, &failed) {
            let _ = failed.call0(&JsValue::NULL);
        }
    })
    .into()
}
