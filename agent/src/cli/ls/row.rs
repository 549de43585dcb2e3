//! One entry of a listing, for programs and for people.

use beckon_shared::{
    entry::{Entry, EntryKind, InDrive},
    path::RootPath,
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    cli::place::LiveRef,
    output::{Failure, base64, size, time, visible},
};

/// An entry for programs.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    kind: EntryKind,
    size: u64,
    mtime: Timestamp,
    in_drive: InDrive,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(rename = "ref")]
    token: String,
    #[serde(skip)]
    entry: &'a Entry,
}

impl<'a> Row<'a> {
    /// `entry` stands in `folder`, in the root of `place`.
    pub(super) fn new(
        place: &LiveRef,
        folder: &RootPath,
        entry: &'a Entry,
        in_drive: InDrive,
    ) -> Result<Self, Failure> {
        let path = folder
            .join(&entry.name)
            .map_err(|cause| Failure::local("path", cause.to_string()))?;
        Ok(Self {
            name: entry.name.display(),
            name_bytes: entry.name.as_str().is_none().then(|| base64(entry.name.as_bytes())),
            kind: entry.kind,
            size: entry.stamp.size,
            mtime: Timestamp(entry.stamp.mtime_ns.div_euclid(1_000_000)),
            in_drive,
            target: entry
                .target
                .as_ref()
                .map(|target| String::from_utf8_lossy(target).into_owned()),
            token: LiveRef { path, ..place.clone() }.token(),
            entry,
        })
    }

    /// A line for people: fixed columns, because rows are printed before the last one is known.
    pub(super) fn text(&self) -> String {
        let size = if self.kind == EntryKind::File {
            size(self.size)
        } else {
            String::new()
        };
        let name = visible(self.entry.name.as_bytes());
        let end = match self.kind {
            EntryKind::Folder => "/".to_owned(),
            EntryKind::Symlink => format!(" -> {}", visible(self.entry.target.as_deref().unwrap_or_default())),
            EntryKind::File | EntryKind::Other => String::new(),
        };
        format!(
            "{:<9}  {size:>10}  {}  {name}{end}",
            word(self.in_drive),
            time(self.mtime)
        )
    }
}

/// The state in one word, as in JSON.
fn word(state: InDrive) -> &'static str {
    match state {
        InDrive::Safe => "safe",
        InDrive::Uploading => "uploading",
        InDrive::Changed => "changed",
        InDrive::No => "no",
        InDrive::Unknown => "unknown",
        InDrive::Never => "never",
        InDrive::Ignored => "ignored",
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{
        entry::SourceStamp,
        id::{DeviceId, RootId},
        path::Name,
    };

    use super::*;

    const PLACE: LiveRef = LiveRef {
        device: DeviceId([1; 32]),
        root: RootId([2; 16]),
        path: RootPath::root(),
    };

    fn entry(name: &[u8], kind: EntryKind) -> Entry {
        let stamp = SourceStamp {
            size: 2048,
            mtime_ns: 1_795_357_800_999_999_999,
            ctime_ns: 0,
            file_id: 0,
        };
        Entry {
            name: Name::new(name).unwrap(),
            kind,
            stamp,
            target: (kind == EntryKind::Symlink).then(|| b"../x".to_vec()),
        }
    }

    fn json(entry: &Entry) -> serde_json::Value {
        serde_json::to_value(Row::new(&PLACE, &RootPath::root(), entry, InDrive::Safe).unwrap()).unwrap()
    }

    #[test]
    fn a_row_for_programs_has_the_fixed_fields() {
        let row = json(&entry(b"a.txt", EntryKind::File));
        assert_eq!(row["name"], "a.txt");
        assert_eq!(row["kind"], "file");
        assert_eq!(row["size"], 2048);
        assert_eq!(row["mtime"], "2026-11-22T14:30:00.999Z");
        assert_eq!(row["in_drive"], "safe");
        assert!(row["ref"].as_str().unwrap().starts_with("ref:"));
        assert!(row.get("name_bytes").is_none());
    }

    #[test]
    fn a_name_that_is_not_utf8_keeps_its_bytes() {
        let row = json(&entry(b"caf\xe9", EntryKind::File));
        assert_eq!(
            (row["name"].as_str(), row["name_bytes"].as_str()),
            (Some("caf\u{fffd}"), Some("Y2Fm6Q=="))
        );
    }

    #[test]
    fn a_line_for_people_shows_what_it_is() {
        let line = |name: &[u8], kind| {
            Row::new(&PLACE, &RootPath::root(), &entry(name, kind), InDrive::No)
                .unwrap()
                .text()
        };
        assert_eq!(
            line(b"a\nb", EntryKind::File),
            "no            2.0 KiB  2026-11-22T14:30:00Z  a\\nb"
        );
        assert_eq!(
            line(b"d", EntryKind::Folder),
            "no                     2026-11-22T14:30:00Z  d/"
        );
        assert_eq!(
            line(b"l", EntryKind::Symlink),
            "no                     2026-11-22T14:30:00Z  l -> ../x"
        );
    }
}
