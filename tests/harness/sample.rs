//! Makes files to test with. The same call makes the same bytes.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

/// How much of a big file is made at a time.
const PIECE: usize = 1 << 20;

/// A tree as a person has it: folders in folders, an empty file and folder, symlinks, a program, a file of several
/// chunks, and the names of [`odd_names`].
pub fn small_tree(folder: &Path) {
    text(&folder.join("notes/today.md"), "# Today\n\n- call the dentist\n");
    text(&folder.join("notes/2024/january.md"), &"snow again\n".repeat(400));
    text(&folder.join("tables/trips.csv"), "date,km\n2024-01-03,12.5\n");
    text(&folder.join("empty.txt"), "");
    fs::create_dir_all(folder.join("empty folder")).expect("room for a folder");
    text(&folder.join("bin/hello"), "#!/bin/sh\necho hello\n");
    fs::set_permissions(folder.join("bin/hello"), fs::Permissions::from_mode(0o755)).expect("permissions can be set");
    random_file(&folder.join("video.bin"), 3 * PIECE as u64 + 17, 1);
    symlink("notes/today.md", folder.join("today")).expect("a symlink");
    symlink("/etc/passwd", folder.join("leads out")).expect("a symlink");
    symlink("nowhere", folder.join("dangles")).expect("a symlink");
    odd_names(&folder.join("odd"));
}

/// One small file for each of [`ODD_NAMES`], and one with a name of 255 bytes. Returns the names.
pub fn odd_names(folder: &Path) -> Vec<OsString> {
    fs::create_dir_all(folder).expect("room for a folder");
    let longest = "n".repeat(255);
    let names = ODD_NAMES.iter().copied().chain([longest.as_bytes()]);
    names
        .map(|name| {
            let name = OsStr::from_bytes(name);
            fs::write(folder.join(name), name.as_bytes()).expect("room for a file");
            name.to_owned()
        })
        .collect()
}

/// Names that are allowed on Linux and break careless programs.
pub const ODD_NAMES: &[&[u8]] = &[
    b"two\nlines",
    b"tab\tand\rreturn",
    b"  blanks  ",
    b"-rf",
    b"--help",
    b"back\\slash",
    b"quote\"and'quote",
    b"colon:in the middle",
    b"percent%2Fslash",
    b"star*and?mark",
    b"...",
    b".hidden",
    b"CON",
    b"invalid \xff\xfe utf-8",
    b"half of \xe4\xb8 a letter",
    "右から左\u{202e}txt.exe".as_bytes(),
    "简体中文 报告.txt".as_bytes(),
    // One letter, composed and decomposed: two files.
    "caf\u{e9}".as_bytes(),
    "cafe\u{301}".as_bytes(),
    "family \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}".as_bytes(),
];

/// `count` files of 1 to 64 KiB in `folders` folders, half of them random, half text.
pub fn many_files(folder: &Path, count: u64, folders: u64) {
    for number in 0..count {
        let path = folder.join(format!("folder-{:03}/file-{number:06}", number % folders));
        let seed = blake3::hash(&number.to_le_bytes());
        let bytes = seed.as_bytes();
        let size = 1024 + u64::from(u16::from_le_bytes([bytes[0], bytes[1]])) % (63 * 1024);
        if number % 2 == 0 {
            random_file(&path, size, number);
        } else {
            let line = format!("line of file {number}, as dull as any other\n");
            let text = line.repeat(size as usize / line.len() + 1);
            self::text(&path, &text[..size as usize]);
        }
    }
}

/// `count` empty files in one folder, for long listings.
pub fn long_folder(folder: &Path, count: u64) {
    fs::create_dir_all(folder).expect("room for a folder");
    for number in 0..count {
        File::create(folder.join(format!("entry-{number:06}"))).expect("room for a file");
    }
}

/// A file of bytes that cannot be compressed, the same for the same `seed`. Makes the folders that it needs.
pub fn random_file(path: &Path, size: u64, seed: u64) {
    let mut file = create(path);
    let mut stream = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        let length = left.min(PIECE as u64) as usize;
        stream.fill(&mut piece[..length]);
        file.write_all(&piece[..length]).expect("room for a file");
        left -= length as u64;
    }
}

/// A file that holds `text`. Makes the folders that it needs.
pub fn text(path: &Path, text: &str) {
    create(path).write_all(text.as_bytes()).expect("room for a file");
}

/// Overwrites the byte at `offset` with another one.
pub fn change_byte(path: &Path, offset: u64) {
    use std::os::unix::fs::FileExt;
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("the file is there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)
        .expect("the offset lies in the file");
    file.write_all_at(&[byte[0] ^ 0xff], offset).expect("room for a byte");
}

/// Inserts `bytes` at `offset`; what stood there moves back.
pub fn insert(path: &Path, offset: u64, bytes: &[u8]) {
    let grown = PathBuf::from(format!("{}.grown", path.display()));
    let mut from = File::open(path).expect("the file is there");
    let mut to = create(&grown);
    io::copy(&mut io::Read::take(&mut from, offset), &mut to).expect("room for a file");
    to.write_all(bytes).expect("room for a file");
    from.seek(SeekFrom::Start(offset)).expect("the offset lies in the file");
    io::copy(&mut from, &mut to).expect("room for a file");
    fs::rename(grown, path).expect("a file can be replaced");
}

/// A FIFO named `fifo` and a socket named `socket`: opening the first for reading blocks, the second fails.
pub fn special_files(folder: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    fs::create_dir_all(folder).expect("room for a folder");
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, folder.join("fifo"), FileType::Fifo, mode, 0).expect("a FIFO");
    // The file stays when its listener is dropped.
    drop(UnixListener::bind(folder.join("socket")).expect("a socket"));
}

fn create(path: &Path) -> File {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("room for a folder");
    }
    File::create(path).expect("room for a file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insertion_moves_the_rest_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        text(&path, "abcd");
        insert(&path, 1, b"XY");
        assert_eq!(fs::read(&path).unwrap(), b"aXYbcd");
        change_byte(&path, 0);
        assert_eq!(fs::read(&path).unwrap()[0], b'a' ^ 0xff);
    }

    #[test]
    fn many_files_have_the_sizes_that_they_are_to_have() {
        let folder = tempfile::tempdir().unwrap();
        many_files(folder.path(), 50, 7);
        let tree = crate::tree::tree_hashes(folder.path());
        let sizes = tree.values().filter_map(|entry| match entry {
            crate::tree::Entry::File(size, _) => Some(*size),
            _ => None,
        });
        let sizes: Vec<_> = sizes.collect();
        assert_eq!(sizes.len(), 50);
        assert!(sizes.iter().all(|size| (1024..=64 * 1024).contains(size)), "{sizes:?}");
    }

    #[test]
    fn a_file_with_a_seed_is_always_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        random_file(&a, 70_000, 7);
        random_file(&b, 70_000, 7);
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
        assert_eq!(fs::metadata(a).unwrap().len(), 70_000);
    }

    #[test]
    fn special_files_are_not_regular() {
        let folder = tempfile::tempdir().unwrap();
        special_files(folder.path());
        let tree = crate::tree::tree_hashes(folder.path());
        assert_eq!(
            tree.into_values().collect::<Vec<_>>(),
            [crate::tree::Entry::Special, crate::tree::Entry::Special,]
        );
    }
}
