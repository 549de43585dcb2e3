//! What a person chose in a file field or dropped onto the page, folders with all that is in them.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemDirectoryReader, FileSystemEntry,
    FileSystemFileEntry,
};

use super::{
    message::Facts,
    plan::{Found, Wish},
};

/// An entry with its names from the top of what was chosen.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    names: Vec<String>,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    File(File),
    /// That is empty: others show by what is in them.
    Folder,
    /// A file, or a folder with at least a part of what is in it.
    Unreadable,
}

impl Chosen {
    /// What the plan is made of.
    pub(super) fn wish(&self) -> Wish {
        Wish {
            names: self.names.clone(),
            found: match &self.what {
                What::File(file) => Found::File(facts(file)),
                What::Folder => Found::Folder,
                What::Unreadable => Found::Unreadable,
            },
        }
    }

    /// The file, or null.
    pub(super) fn value(&self) -> JsValue {
        match &self.what {
            What::File(file) => file.into(),
            What::Folder | What::Unreadable => JsValue::NULL,
        }
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
    let what = What::File(file);
    Chosen { names, what }
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
    /// Looks into all folders.
    pub(crate) async fn gather(self) -> Vec<Chosen> {
        let mut chosen: Vec<_> = self.files.into_iter().map(of_file).collect();
        let mut open: Vec<_> = self.entries.into_iter().map(|entry| (Vec::new(), entry)).collect();
        while let Some((above, entry)) = open.pop() {
            let mut names: Vec<String> = above;
            names.push(entry.name());
            if entry.is_directory() {
                let (inside, read) = children(entry.unchecked_ref()).await;
                open.extend(inside.iter().map(|entry| (names.clone(), entry.clone())));
                let what = match read {
                    Ok(()) => inside.is_empty().then_some(What::Folder),
                    Err(_) => Some(What::Unreadable),
                };
                chosen.extend(what.map(|what| Chosen { names, what }));
            } else {
                let file = file_of(entry.unchecked_ref()).await;
                let what = file.map_or(What::Unreadable, What::File);
                chosen.push(Chosen { names, what });
            }
        }
        chosen
    }
}

/// What is in a folder, as far as it could be read, and whether that is all.
async fn children(folder: &FileSystemDirectoryEntry) -> (Vec<FileSystemEntry>, Result<(), JsValue>) {
    let reader: FileSystemDirectoryReader = folder.create_reader();
    let mut all = Vec::new();
    loop {
        match next_children(&reader).await {
            // A reader gives at most 100 at a time, and none when there are no more.
            Ok(some) if some.length() == 0 => return (all, Ok(())),
            Ok(some) => all.extend(some.iter().map(|entry| entry.unchecked_into::<FileSystemEntry>())),
            Err(cause) => return (all, Err(cause)),
        }
    }
}

async fn next_children(reader: &FileSystemDirectoryReader) -> Result<Array, JsValue> {
    let asked = promised(|done, failed| reader.read_entries_with_callback_and_callback(done, failed).is_ok());
    asked.await?.dyn_into()
}

async fn file_of(entry: &FileSystemFileEntry) -> Result<File, JsValue> {
    let asked = promised(|done, failed| {
        entry.file_with_callback_and_callback(done, failed);
        true
    });
    asked.await?.dyn_into()
}

fn promised(ask: impl Fn(&Function, &Function) -> bool) -> JsFuture {
    Promise::new(&mut |done, failed| {
        if !ask(&done, &failed) {
            let _ = failed.call0(&JsValue::NULL);
        }
    })
    .into()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// Stands in for what a browser gives for something that is dropped.
    fn entry(code: &str) -> FileSystemEntry {
        let made = Function::new_no_args(code).call0(&JsValue::NULL);
        made.unwrap().unchecked_into()
    }

    #[wasm_bindgen_test]
    async fn what_cannot_be_read_is_told_and_never_taken_for_an_empty_folder() {
        let folder = entry(
            "const gone = { isDirectory: false, name: 'gone', file: (done, failed) => failed() };
            const reads = [[gone]];
            const readEntries = (done, failed) => reads.length > 0 ? done(reads.shift()) : failed();
            return { isDirectory: true, name: 'docs', createReader: () => ({ readEntries }) };",
        );
        let dropped = Dropped {
            entries: vec![folder],
            files: Vec::new(),
        };
        let chosen = dropped.gather().await;
        let told = |one: &Chosen| matches!(one.what, What::Unreadable).then(|| one.names.join("/"));
        let told: Vec<_> = chosen.iter().map(told).collect();
        assert_eq!(told, [Some("docs".to_owned()), Some("docs/gone".to_owned())]);
    }
}
