//! A folder as one ZIP file: its bytes follow from what is stored, so a download goes on where it was cut off.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    sync::Arc,
};

use beckon_shared::time::Timestamp;
use cap_std::fs::Dir;
use reqwest::header::HeaderValue;

use super::{
    download::{Broken, Sink, Source, download},
    file::failure,
    local::{self, Clash, Place, part_name},
    part::{Finish, Leftover, Part, Sync},
};
use crate::{
    cli::{Here, drive::at_query, place::DrivePlace},
    http::Api,
    output::{Bar, Exit, Failure, size, visible},
};

/// No entity tag is longer. Bytes.
const ETAG_MAX: usize = 256;

/// Fetches the folder at `place` into the file at `path`.
pub(super) async fn get(
    here: &Here,
    api: &Api,
    (place, at): (&DrivePlace, Option<Timestamp>),
    path: &Path,
    clash: Clash,
) -> Result<Exit, Failure> {
    let url = match place {
        DrivePlace::Node(node) => format!("/api/drive/zip/{node}?{}", at_query(place, at)),
        DrivePlace::Path(_) => format!("/api/drive/zip?{}", at_query(place, at)),
    };
    let target = Place::of(Some(path), None).map_err(|error| Failure::file(path, &error))?;
    local::may_take(&target.folder, &target.name, clash).map_err(|error| Failure::file(path, &error))?;
    let bar = Bar::new(here.out);
    let len = fetch(api, url, Arc::new(target.folder), &target.name, clash)
        .await
        .map_err(|broken| failure(broken, path))?;
    drop(bar);
    let result = serde_json::json!({ "path": path.to_string_lossy(), "size": len });
    here.out.one(&result, || {
        format!("{}: {}", visible(path.as_os_str().as_encoded_bytes()), size(len))
    })?;
    Ok(Exit::Done)
}

async fn fetch(api: &Api, url: String, folder: Arc<Dir>, name: &OsStr, clash: Clash) -> Result<u64, Broken> {
    let tag = Tag {
        folder: Arc::clone(&folder),
        name: tag_name(name),
    };
    let known = tag.read();
    let leftover = if known.is_some() {
        Leftover::Keep
    } else {
        Leftover::Forget
    };
    let mut part = Part::open(folder, name, leftover).await?;
    let mut source = Source { url, etag: known };
    let len = download(api, &mut source, &mut part, |etag| tag.write(etag)).await?;
    debug_assert_eq!(len, part.len());
    part.finish(Finish {
        mode: 0,
        mtime: None,
        sync: Sync::Each,
        clash,
    })
    .await?;
    tag.forget();
    Ok(len)
}

/// Where the entity tag of a part is kept: only with it can the rest be asked for.
struct Tag {
    folder: Arc<Dir>,
    name: OsString,
}

fn tag_name(name: &OsStr) -> OsString {
    let mut tagged = name.to_owned();
    tagged.push(".etag");
    part_name(&tagged)
}

impl Tag {
    fn read(&self) -> Option<HeaderValue> {
        let bytes = self.folder.read(&self.name).ok()?;
        HeaderValue::from_bytes(&bytes)
            .ok()
            .filter(|tag| !tag.is_empty() && tag.len() <= ETAG_MAX)
    }

    fn write(&self, etag: &HeaderValue) -> io::Result<()> {
        if self.read().is_some_and(|known| known == etag) {
            return Ok(());
        }
        self.folder.write(&self.name, etag.as_bytes())
    }

    fn forget(&self) {
        // One that is left does no harm: no part belongs to it.
        let _ = self.folder.remove_file(&self.name);
    }
}
