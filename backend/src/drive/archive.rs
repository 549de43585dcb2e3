//! A folder of the drive as a ZIP file.

use beckon_shared::{
    error::ErrorCode,
    id::VersionId,
    zip::{Entry, Kind, Layout},
};

use super::view::{content_hash, mode, version_id};
use crate::store::{
    Error,
    meta::{
        Meta,
        drive::{
            Row,
            past::When,
            walk::{Step, Walk},
        },
        entity::{self, version},
    },
};

/// A ZIP file of a folder, ready to be sent.
#[derive(Debug)]
pub(crate) struct Archive {
    /// What the file is called.
    pub(crate) name: String,
    /// Where everything stands in it.
    pub(crate) layout: Layout,
    /// The version that holds the content, for each entry that is a file.
    pub(crate) versions: Vec<Option<VersionId>>,
}

/// Lays out everything that a folder holds or held at a moment, under the folder's own name.
pub(crate) async fn of_folder(meta: &Meta, folder: Row, when: When) -> Result<Archive, Error> {
    if !folder.is_folder() {
        return Err(Error::refused(
            ErrorCode::NotAFile,
            "only folders come as a ZIP file; get this one by /api/drive/file",
        ));
    }
    let top = folder.node.name.clone();
    let name = if top.is_empty() {
        "drive".to_owned()
    } else {
        String::from_utf8_lossy(&top).into_owned()
    };
    let (mut entries, mut versions) = (Vec::new(), Vec::new());
    if !folder.is_top() {
        entries.push(entry(&folder, top.clone(), Kind::Folder));
        versions.push(None);
    }
    let mut walk = Walk::below(folder, when);
    while let Some(Step { path, row }) = walk.next(meta.read()).await? {
        let path = if top.is_empty() {
            path
        } else {
            [&top, b"/".as_slice(), &path].concat()
        };
        let Some(kind) = kind(&row)? else { continue };
        let is_file = matches!(kind, Kind::File { .. });
        versions.push(row.head.as_ref().filter(|_| is_file).map(version_id).transpose()?);
        entries.push(entry(&row, path, kind));
    }
    let layout = Layout::new(entries).map_err(|error| Error::refused(ErrorCode::TooLarge, error.to_string()))?;
    Ok(Archive {
        name: format!("{name}.zip"),
        layout,
        versions,
    })
}

/// What stands in the archive for a node; nothing for a file of which no version is complete yet.
fn kind(row: &Row) -> Result<Option<Kind>, Error> {
    Ok(match row.node.kind {
        entity::Kind::Folder => Some(Kind::Folder),
        entity::Kind::Symlink => row.target.clone().map(Kind::Symlink),
        entity::Kind::File => row.head.as_ref().map(file).transpose()?,
    })
}

fn file(head: &version::Model) -> Result<Kind, Error> {
    let hash = content_hash(head).ok_or_else(|| Error::bad_row("content hash"))??;
    let crc32 = head
        .crc32
        .and_then(|crc32| u32::try_from(crc32).ok())
        .ok_or_else(|| Error::bad_row("checksum"))?;
    Ok(Kind::File {
        size: head.size.cast_unsigned(),
        crc32,
        hash,
    })
}

fn entry(row: &Row, path: Vec<u8>, kind: Kind) -> Entry {
    let mtime = row.head.as_ref().map_or(row.node.created.div_euclid(1000), |head| {
        head.mtime_ns.div_euclid(1_000_000_000)
    });
    Entry {
        path,
        kind,
        mode: row.head.as_ref().map_or(0, mode),
        mtime,
    }
}
