//! Whether what a machine holds is in the drive: the comparison that every client makes of a listing and the drive's heads.

use crate::{
    api::drive::HeadView,
    entry::{Entry, EntryKind, InDrive},
};

/// What an entry and the drive's head of it say; nothing where only the machine can tell, by its index or by reading again.
///
/// Only the machine knows what lies below a folder, where a stored symlink pointed, as no head says so, and whether a file
/// that was written within the clock's grain of its upload is still the same.
pub fn compare(entry: &Entry, head: Option<&HeadView>) -> Option<InDrive> {
    match (entry.kind, head) {
        (EntryKind::Other, _) => Some(InDrive::Never),
        (EntryKind::Folder, _) | (EntryKind::Symlink, Some(_)) => None,
        (EntryKind::File | EntryKind::Symlink, None) => Some(InDrive::No),
        (EntryKind::File, Some(head)) if head.stamp != Some(entry.stamp) => Some(InDrive::Changed),
        (EntryKind::File, Some(head)) => head.settled.then_some(InDrive::Safe),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{entry::SourceStamp, id::NodeId, path::Name, time::Timestamp};

    const STAMP: SourceStamp = SourceStamp {
        size: 7,
        mtime_ns: 1_000,
        ctime_ns: 2_000,
        file_id: 3,
    };
    const LATER: SourceStamp = SourceStamp {
        mtime_ns: 1_001,
        ..STAMP
    };

    fn entry(kind: EntryKind) -> Entry {
        Entry {
            name: Name::new("a").unwrap(),
            kind,
            stamp: STAMP,
            target: None,
        }
    }

    fn head(stamp: Option<SourceStamp>, settled: bool) -> HeadView {
        HeadView {
            name: Name::new("a").unwrap(),
            node: NodeId::new(Timestamp(0), [0; 10]),
            stamp,
            settled,
        }
    }

    #[test]
    fn each_pair_of_entry_and_head_has_its_state() {
        use EntryKind::{File, Folder, Other, Symlink};
        let table = [
            (File, None, Some(InDrive::No)),
            (File, Some(head(Some(STAMP), true)), Some(InDrive::Safe)),
            (File, Some(head(Some(STAMP), false)), None),
            (File, Some(head(Some(LATER), true)), Some(InDrive::Changed)),
            (File, Some(head(Some(LATER), false)), Some(InDrive::Changed)),
            (File, Some(head(None, true)), Some(InDrive::Changed)),
            (Symlink, None, Some(InDrive::No)),
            (Symlink, Some(head(None, true)), None),
            (Symlink, Some(head(Some(STAMP), true)), None),
            (Folder, None, None),
            (Folder, Some(head(None, true)), None),
            (Other, None, Some(InDrive::Never)),
            (Other, Some(head(Some(STAMP), true)), Some(InDrive::Never)),
        ];
        for (kind, head, expected) in table {
            assert_eq!(compare(&entry(kind), head.as_ref()), expected, "{kind:?} with {head:?}");
        }
    }
}
