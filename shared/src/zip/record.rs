//! The records of a ZIP file as bytes: local header, central header, end. Numbers stand little-endian.

use super::{
    Entry, Kind,
    name::{self, Shown},
};

/// Sizes and offsets from here on, and counts from 0xffff on, stand in ZIP64 fields (APPNOTE 4.4.1.4).
const BIG: u64 = 0xffff_ffff;

/// Bit 11: the name is UTF-8 (APPNOTE 4.4.4).
const UTF8: u16 = 1 << 11;
/// Bit 3: the checksum stands behind the content.
const BEHIND: u16 = 1 << 3;
/// Made on Unix (the upper byte), by version 6.3 of the specification: then modes stand in the external attributes.
const MADE_BY: u16 = (3 << 8) | 63;
/// MS-DOS attribute of a directory, in the lower half of the external attributes.
const DOS_DIRECTORY: u32 = 0x10;

/// What the two headers of one entry say.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: Box<str>,
    /// The path's bytes where the name is not made of them.
    raw: Option<Box<[u8]>>,
    attributes: u32,
    mtime: i64,
    /// Of the content; in a record of a [stream](super::Stream) 0 until the content was seen.
    pub(super) crc32: u32,
    /// Whether the checksum stands behind the content, as it was not known before.
    pub(super) is_behind: bool,
    /// Bytes of content.
    pub(super) size: u64,
    /// Where the local header stands.
    pub(super) offset: u64,
    /// The content of a symlink.
    pub(super) target: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn new(entry: Entry, offset: u64) -> Self {
        let shown = name::shown(&entry.path);
        Self::shown_as(shown, entry, offset)
    }

    /// With another name than that of its path.
    pub(super) fn shown_as(mut shown: Shown, entry: Entry, offset: u64) -> Self {
        let raw = shown.altered.then(|| entry.path.into_boxed_slice());
        let attributes = attributes(&entry.kind, entry.mode);
        let (size, crc32, target) = match entry.kind {
            Kind::Folder => {
                shown.path.push('/');
                (0, 0, None)
            }
            Kind::File { size, crc32, .. } => (size, crc32, None),
            Kind::Symlink(target) => (target.len() as u64, crc32fast::hash(&target), Some(target)),
        };
        Self {
            name: shown.path.into(),
            raw,
            attributes,
            mtime: entry.mtime,
            crc32,
            is_behind: false,
            size,
            offset,
            target,
        }
    }

    /// What stands before the content (APPNOTE 4.3.7).
    pub(super) fn local_header(&self) -> Vec<u8> {
        let sizes = [self.size; 2];
        let big = if self.size >= BIG { sizes.as_slice() } else { &[] };
        let extra = self.extra(big);
        let mut out = Vec::with_capacity(30 + self.name.len() + extra.len());
        put4(&mut out, 0x0403_4b50);
        put2(&mut out, if big.is_empty() { 20 } else { 45 });
        self.put_common(&mut out, if self.is_behind { 0 } else { self.crc32 }, extra.len());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&extra);
        out
    }

    /// What stands behind content whose checksum was not known before (APPNOTE 4.3.9).
    pub(super) fn descriptor(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        put4(&mut out, 0x0807_4b50);
        put4(&mut out, self.crc32);
        for size in [self.size; 2] {
            match u32::try_from(size) {
                Ok(size) if u64::from(size) < BIG => put4(&mut out, size),
                _ => put8(&mut out, size),
            }
        }
        out
    }

    /// What stands in the central directory (APPNOTE 4.3.12).
    pub(super) fn central_header(&self) -> Vec<u8> {
        let mut big = Vec::new();
        if self.size >= BIG {
            big.extend([self.size, self.size]);
        }
        if self.offset >= BIG {
            big.push(self.offset);
        }
        let extra = self.extra(&big);
        let mut out = Vec::with_capacity(46 + self.name.len() + extra.len());
        put4(&mut out, 0x0201_4b50);
        put2(&mut out, MADE_BY);
        put2(&mut out, if big.is_empty() { 20 } else { 45 });
        self.put_common(&mut out, self.crc32, extra.len());
        put2(&mut out, 0); // no comment
        put2(&mut out, 0); // on the first disk
        put2(&mut out, 0); // nothing known of its being text
        put4(&mut out, self.attributes);
        put4(&mut out, short4(self.offset));
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&extra);
        out
    }

    /// The fields that both headers have in the same order: from the flags to the lengths of name and extra field.
    fn put_common(&self, out: &mut Vec<u8>, crc32: u32, extra_len: usize) {
        let (date, time) = dos_time(self.mtime);
        put2(out, if self.is_behind { UTF8 | BEHIND } else { UTF8 });
        put2(out, 0); // stored
        put2(out, time);
        put2(out, date);
        put4(out, crc32);
        put4(out, short4(self.size));
        put4(out, short4(self.size));
        put2(out, short2(self.name.len() as u64));
        put2(out, short2(extra_len as u64));
    }

    /// Extra fields: ZIP64, Info-ZIP's time in UTC, and `BK`, ours, with the path's bytes where the name lost some.
    fn extra(&self, big: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        if !big.is_empty() {
            put2(&mut out, 0x0001);
            put2(&mut out, short2(big.len() as u64 * 8));
            big.iter().for_each(|number| put8(&mut out, *number));
        }
        if let Ok(seconds) = i32::try_from(self.mtime) {
            put2(&mut out, 0x5455);
            put2(&mut out, 5);
            out.push(1); // the modification time alone
            out.extend_from_slice(&seconds.to_le_bytes());
        }
        if let Some(raw) = &self.raw {
            out.extend_from_slice(b"BK");
            put2(&mut out, short2(raw.len() as u64));
            out.extend_from_slice(raw);
        }
        out
    }
}

/// What stands after the central directory: with ZIP64 records where the numbers need them (APPNOTE 4.3.14-16).
#[derive(Debug)]
pub(super) struct End {
    pub(super) count: u64,
    pub(super) central_offset: u64,
    pub(super) central_len: u64,
}

impl End {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.count >= 0xffff || self.central_offset >= BIG || self.central_len >= BIG {
            self.put_zip64(&mut out);
        }
        put4(&mut out, 0x0605_4b50);
        put4(&mut out, 0); // the first disk, twice
        put2(&mut out, short2(self.count));
        put2(&mut out, short2(self.count));
        put4(&mut out, short4(self.central_len));
        put4(&mut out, short4(self.central_offset));
        put2(&mut out, 0); // no comment
        out
    }

    fn put_zip64(&self, out: &mut Vec<u8>) {
        put4(out, 0x0606_4b50);
        put8(out, 44); // bytes that follow in this record
        put2(out, MADE_BY);
        put2(out, 45);
        put8(out, 0); // the first disk, twice
        put8(out, self.count);
        put8(out, self.count);
        put8(out, self.central_len);
        put8(out, self.central_offset);
        // The locator.
        put4(out, 0x0706_4b50);
        put4(out, 0);
        put8(out, self.central_offset + self.central_len);
        put4(out, 1);
    }
}

/// Unix type and permissions in the upper half; without set-uid and the like, which nobody expects of a download.
fn attributes(kind: &Kind, mode: u32) -> u32 {
    let (file_type, usual, dos) = match kind {
        Kind::Folder => (0o040_000, 0o755, DOS_DIRECTORY),
        Kind::File { .. } => (0o100_000, 0o644, 0),
        Kind::Symlink(_) => (0o120_000, 0o777, 0),
    };
    let permissions = if mode == 0 { usual } else { mode & 0o777 };
    ((file_type | permissions) << 16) | dos
}

/// Date and time as MS-DOS counts them, from 1980 to 2107 in steps of 2 s. In UTC: the reader's zone is not known.
fn dos_time(seconds: i64) -> (u16, u16) {
    const FIRST: i64 = 315_532_800; // 1980-01-01T00:00:00Z
    const LAST: i64 = 4_354_819_198; // 2107-12-31T23:59:58Z
    let seconds = seconds.clamp(FIRST, LAST);
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    let date = ((year - 1980) << 9) | (month << 5) | day;
    let time = ((of_day / 3600) << 11) | ((of_day / 60 % 60) << 5) | (of_day % 60 / 2);
    (date as u16, time as u16)
}

/// Year, month and day of a day since 1970, by Howard Hinnant's `civil_from_days`: years begin in March there.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The number, or the mark that it stands in a ZIP64 field.
fn short4(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn short2(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn put2(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put4(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put8(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: i64) -> String {
        let (date, time) = dos_time(seconds);
        let (year, month, day) = (1980 + (date >> 9), date >> 5 & 15, date & 31);
        format!(
            "{year}-{month:02}-{day:02} {:02}:{:02}:{:02}",
            time >> 11,
            time >> 5 & 63,
            (time & 31) * 2
        )
    }

    #[test]
    fn times_are_those_of_utc_within_what_ms_dos_can_say() {
        assert_eq!(text(1_795_012_345), "2026-11-18 14:32:24");
        assert_eq!(text(951_782_399), "2000-02-28 23:59:58");
        assert_eq!(text(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(text(-5), "1980-01-01 00:00:00");
        assert_eq!(text(i64::MAX), "2107-12-31 23:59:58");
    }
}
