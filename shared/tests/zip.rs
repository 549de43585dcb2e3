//! Archives as other programs see them, and ranges against the whole.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
    process::Command,
};

use beckon_shared::{
    id::Hash,
    zip::{Entry, Kind, Layout, PATH_MAX, PathTooLong, Segment, Stream},
};
use proptest::prelude::*;

fn file(path: impl Into<Vec<u8>>, content: &[u8]) -> Entry {
    let kind = Kind::File {
        size: content.len() as u64,
        crc32: crc32fast::hash(content),
        hash: Hash::of(content),
    };
    Entry {
        path: path.into(),
        kind,
        mode: 0o640,
        mtime: 1_795_012_345,
    }
}

fn folder(path: impl Into<Vec<u8>>) -> Entry {
    Entry {
        path: path.into(),
        kind: Kind::Folder,
        mode: 0,
        mtime: 951_782_400,
    }
}

fn link(path: impl Into<Vec<u8>>, target: &str) -> Entry {
    Entry {
        path: path.into(),
        kind: Kind::Symlink(target.into()),
        mode: 0o777,
        mtime: 0,
    }
}

/// The bytes of a range, with the contents given for each entry.
fn render(layout: &Layout, contents: &[&[u8]], range: Range<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    for segment in layout.segments(range) {
        match segment {
            Segment::Bytes(bytes) => out.extend(bytes),
            Segment::Content { entry, range } => {
                out.extend_from_slice(&contents[entry][range.start as usize..range.end as usize]);
            }
        }
    }
    out
}

/// An archive of these files on the disk.
fn written(dir: &Path, files: &[(&[u8], &[u8])]) -> std::path::PathBuf {
    let layout = Layout::new(files.iter().map(|(path, content)| file(*path, content))).unwrap();
    let contents: Vec<_> = files.iter().map(|(_, content)| *content).collect();
    let bytes = render(&layout, &contents, 0..u64::MAX);
    assert_eq!(bytes.len() as u64, layout.total_len());
    let path = dir.join("archive.zip");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn run(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// What a Python program prints that sees the archive as `z`.
fn python(archive: &Path, program: &str) -> String {
    let program = format!("import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n{program}");
    run(Command::new("python3").arg("-c").arg(program).arg(archive))
}

#[test]
fn unzip_finds_no_fault_and_gets_every_kind_back() {
    let dir = tempfile::tempdir().unwrap();
    let entries = [
        folder("top"),
        file("top/a.txt", b"hello"),
        link("top/to-a", "a.txt"),
        file("top/empty", b""),
        folder("top/bare"),
    ];
    let layout = Layout::new(entries).unwrap();
    let archive = dir.path().join("archive.zip");
    std::fs::write(&archive, render(&layout, &[b"", b"hello", b"", b"", b""], 0..u64::MAX)).unwrap();
    run(Command::new("unzip").arg("-t").arg(&archive));
    run(Command::new("unzip").arg("-q").arg(&archive).arg("-d").arg(dir.path()));
    let top = dir.path().join("top");
    assert_eq!(std::fs::read(top.join("a.txt")).unwrap(), b"hello");
    assert_eq!(std::fs::read_link(top.join("to-a")).unwrap(), Path::new("a.txt"));
    assert_eq!(std::fs::read(top.join("empty")).unwrap(), b"");
    assert!(top.join("bare").is_dir());
    let modified = std::fs::metadata(top.join("a.txt")).unwrap().modified().unwrap();
    assert_eq!(
        modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
        1_795_012_345
    );
    assert_eq!(
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(top.join("a.txt")).unwrap()),
        0o100_640
    );
}

#[test]
fn names_of_any_unicode_come_back_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["日本語/файл.txt", "e\u{301}", "é", "😀", " leading", "-dash"];
    let files: Vec<(&[u8], &[u8])> = names.iter().map(|name| (name.as_bytes(), name.as_bytes())).collect();
    let archive = written(dir.path(), &files);
    run(Command::new("unzip").arg("-t").arg(&archive));
    assert_eq!(
        python(
            &archive,
            "print(all(z.read(n).decode() == n for n in z.namelist()), len(z.namelist()))"
        ),
        "True 6\n"
    );
    run(Command::new("unzip").arg("-q").arg(&archive).arg("-d").arg(dir.path()));
    for name in names {
        assert_eq!(
            std::fs::read(dir.path().join(name)).unwrap(),
            name.as_bytes(),
            "{name:?}"
        );
    }
}

#[test]
fn names_that_are_no_text_are_readable_and_their_bytes_stand_in_the_extra_field() {
    let dir = tempfile::tempdir().unwrap();
    let archive = written(
        dir.path(),
        &[(b"d\xff/x\xfe", b"1"), (b"d\xfe/x\xfe", b"2"), (b"d\xff/plain", b"3")],
    );
    run(Command::new("unzip").arg("-t").arg(&archive));
    let program = "names = z.namelist()\nprint(len({n.split('/')[0] for n in names}), len(set(names)))\n\
                   for i in z.infolist(): print(i.extra[i.extra.index(b'BK') + 4:])";
    let lines = ["2 3", r"b'd\xff/x\xfe'", r"b'd\xfe/x\xfe'", r"b'd\xff/plain'"];
    assert_eq!(python(&archive, program).lines().collect::<Vec<_>>(), lines);
}

/// Writes an archive whose large contents are zeros, as holes.
fn write_sparse(layout: &Layout, small: usize, content: &[u8], path: &Path) {
    let mut out = File::create(path).unwrap();
    for segment in layout.segments(0..u64::MAX) {
        match segment {
            Segment::Bytes(bytes) => out.write_all(&bytes).unwrap(),
            Segment::Content { entry, .. } if entry == small => out.write_all(content).unwrap(),
            Segment::Content { range, .. } => {
                out.seek(SeekFrom::Current((range.end - range.start) as i64)).unwrap();
            }
        }
    }
    assert_eq!(out.metadata().unwrap().len(), layout.total_len());
}

fn of_size(path: &str, size: u64) -> Entry {
    Entry {
        kind: Kind::File {
            size,
            crc32: 7,
            hash: Hash::of(b""),
        },
        ..folder(path)
    }
}

#[test]
fn a_file_and_offsets_beyond_4_gib_stand_in_zip64_fields() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    let layout = Layout::new([
        of_size("huge", 5 << 30),
        of_size("edge", 0xffff_fffe),
        file("small", b"after them"),
    ])
    .unwrap();
    write_sparse(&layout, 2, b"after them", &archive);
    let program = "print([(i.filename, i.file_size, i.compress_size) for i in z.infolist()])\n\
                   print(z.read('small'), z.open('huge').read(1), z.open('edge').read(1))";
    let expected = "[('huge', 5368709120, 5368709120), ('edge', 4294967294, 4294967294), ('small', 10, 10)]\n\
                    b'after them' b'\\x00' b'\\x00'\n";
    assert_eq!(python(&archive, program), expected);
    run(Command::new("unzip").arg("-t").arg(&archive).arg("small"));
}

/// Not asked of unzip 6.0, which reads the ZIP64 field of such a file twice and calls it corrupt.
#[test]
fn a_size_that_equals_the_mark_of_zip64_is_read_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    let layout = Layout::new([of_size("exact", 0xffff_ffff), file("small", b"after it")]).unwrap();
    write_sparse(&layout, 1, b"after it", &archive);
    let program = "print(z.infolist()[0].file_size, z.read('small'), z.open('exact').read(1))";
    assert_eq!(python(&archive, program), "4294967295 b'after it' b'\\x00'\n");
}

#[test]
fn more_than_65_535_entries_are_all_found() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    for count in [65_534, 65_535, 70_000] {
        let layout = Layout::new((0..count).map(|index| file(format!("{index}"), b""))).unwrap();
        std::fs::write(&archive, render(&layout, &[], 0..u64::MAX)).unwrap();
        assert_eq!(
            python(&archive, "print(len(z.infolist()), z.infolist()[-1].filename)"),
            format!("{count} {}\n", count - 1)
        );
        run(Command::new("unzip").arg("-tq").arg(&archive));
    }
}

#[test]
fn an_empty_archive_is_one() {
    let layout = Layout::new([]).unwrap();
    assert_eq!(render(&layout, &[], 0..u64::MAX).len(), 22);
}

#[test]
fn the_hash_changes_with_content_name_mode_and_time() {
    let hash = |entry: Entry| Layout::new([entry]).unwrap().hash();
    let base = file("a", b"one");
    let Kind::File { size, crc32, .. } = base.kind else {
        unreachable!()
    };
    let other = Entry {
        kind: Kind::File {
            size,
            crc32,
            hash: Hash::of(b"same crc, say"),
        },
        ..base.clone()
    };
    let changed = [
        other,
        file("b", b"one"),
        Entry {
            mode: 0o600,
            ..base.clone()
        },
        Entry {
            mtime: 5,
            ..base.clone()
        },
    ];
    assert_eq!(hash(base.clone()), hash(base.clone()));
    assert!(changed.into_iter().all(|entry| hash(entry) != hash(base.clone())));
}

#[test]
fn a_path_that_does_not_fit_is_refused() {
    let fits = Layout::new([folder(
        [0xff, b'/']
            .repeat(PATH_MAX / 2 - 1)
            .into_iter()
            .chain([0xff])
            .collect::<Vec<_>>(),
    )])
    .unwrap();
    assert_eq!(render(&fits, &[], 0..u64::MAX).len() as u64, fits.total_len());
    assert_eq!(
        Layout::new([folder(vec![b'a'; PATH_MAX + 1])]).unwrap_err(),
        PathTooLong
    );
}

/// An archive of files whose checksums come behind their contents, and of all else.
fn streamed(entries: Vec<(Entry, &[u8])>) -> Vec<u8> {
    let (mut stream, mut out) = (Stream::default(), Vec::new());
    for (entry, content) in entries {
        let Kind::File { size, .. } = entry.kind else {
            out.extend(stream.add(entry).unwrap());
            continue;
        };
        if size < 2 {
            out.extend(stream.whole(entry.path, entry.mode, entry.mtime, content).unwrap());
            out.extend_from_slice(content);
            continue;
        }
        out.extend(stream.open(entry.path, entry.mode, entry.mtime, size).unwrap());
        for piece in content.chunks(3) {
            stream.content(piece);
            out.extend_from_slice(piece);
        }
        out.extend(stream.close());
    }
    stream.end().for_each(|piece| out.extend(piece));
    out
}

fn whole<'a>(path: &str, content: &'a [u8]) -> (Entry, &'a [u8]) {
    (file(path, content), content)
}

#[test]
fn an_archive_written_as_its_content_comes_is_unpacked_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    let bytes = streamed(vec![
        (folder("top"), b""),
        whole("top/a.txt", b"hello, stream"),
        (link("top/to-a", "a.txt"), b""),
        whole("top/empty", b""),
        whole("top/日本.txt", b"text"),
    ]);
    std::fs::write(&archive, bytes).unwrap();
    run(Command::new("unzip").arg("-t").arg(&archive));
    assert_eq!(python(&archive, "print(z.testzip(), len(z.namelist()))"), "None 5\n");
    run(Command::new("unzip").arg("-q").arg(&archive).arg("-d").arg(dir.path()));
    let top = dir.path().join("top");
    assert_eq!(std::fs::read(top.join("a.txt")).unwrap(), b"hello, stream");
    assert_eq!(std::fs::read(top.join("empty")).unwrap(), b"");
    assert_eq!(std::fs::read_link(top.join("to-a")).unwrap(), Path::new("a.txt"));
}

#[test]
fn names_that_only_case_tells_apart_are_told_apart_and_so_is_what_lies_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    let bytes = streamed(vec![
        (folder("a"), b""),
        whole("a/x", b"1"),
        (folder("A"), b""),
        whole("A/x", b"2"),
        whole("A/X.TXT", b"3"),
        whole("A/x.txt", b"4"),
    ]);
    std::fs::write(&archive, bytes).unwrap();
    let program = "names = [n.lower() for n in z.namelist()]\nprint(len(set(names)))\n\
                   print([n for n in z.namelist() if z.read(n) == b'2'][0].split('~')[0])\n\
                   print([i.extra[i.extra.index(b'BK') + 4:] for i in z.infolist() if b'BK' in i.extra])";
    let expected = "6\nA\n[b'A', b'A/x', b'A/X.TXT', b'A/x.txt']\n";
    assert_eq!(python(&archive, program), expected);
}

#[test]
fn a_streamed_file_beyond_4_gib_has_long_numbers_before_and_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    let mut out = File::create(&archive).unwrap();
    let mut stream = Stream::default();
    let zeros = vec![0; 1 << 20];
    out.write_all(&stream.open(b"huge".to_vec(), 0, 0, 5 << 30).unwrap())
        .unwrap();
    // Zeros as holes; their checksum is made without writing them.
    (0..5 << 10).for_each(|_| stream.content(&zeros));
    out.seek(SeekFrom::Current(5 << 30)).unwrap();
    out.write_all(&stream.close()).unwrap();
    out.write_all(&stream.open(b"small".to_vec(), 0, 0, 5).unwrap())
        .unwrap();
    stream.content(b"after");
    out.write_all(b"after").unwrap();
    out.write_all(&stream.close()).unwrap();
    stream.end().for_each(|piece| out.write_all(&piece).unwrap());
    let program = "print([(i.filename, i.file_size, i.CRC) for i in z.infolist()], z.read('small'))";
    let crc = {
        let mut hasher = crc32fast::Hasher::new();
        (0..5 << 10).for_each(|_| hasher.update(&zeros));
        hasher.finalize()
    };
    let small = crc32fast::hash(b"after");
    let expected = format!("[('huge', 5368709120, {crc}), ('small', 5, {small})] b'after'\n");
    assert_eq!(python(&archive, program), expected);
}

#[test]
fn a_streamed_archive_of_many_entries_names_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive.zip");
    for count in [0, 1, 70_000] {
        let mut stream = Stream::default();
        let mut bytes = Vec::new();
        for index in 0..count {
            bytes.extend(stream.add(folder(format!("{index}"))).unwrap());
        }
        stream.end().for_each(|piece| bytes.extend(piece));
        std::fs::write(&archive, bytes).unwrap();
        assert_eq!(python(&archive, "print(len(z.infolist()))"), format!("{count}\n"));
    }
}

proptest! {
    #[test]
    fn any_range_is_that_slice_of_the_whole(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..12), cuts in proptest::collection::vec(0u64..3000, 2)) {
        let entries = contents.iter().enumerate().map(|(index, content)| match index % 4 {
            1 => link(format!("{index}"), "where/it/points"),
            2 if content.is_empty() => folder(format!("{index}")),
            _ => file(format!("n\u{e9}{index}"), content),
        });
        let layout = Layout::new(entries).unwrap();
        let contents: Vec<_> = contents.iter().map(Vec::as_slice).collect();
        let whole = render(&layout, &contents, 0..u64::MAX);
        prop_assert_eq!(whole.len() as u64, layout.total_len());
        let (from, to) = (cuts[0].min(cuts[1]).min(layout.total_len()), cuts[0].max(cuts[1]).min(layout.total_len()));
        prop_assert_eq!(render(&layout, &contents, from..to), &whole[from as usize..to as usize]);
    }
}
