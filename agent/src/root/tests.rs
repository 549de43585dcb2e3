//! What can be reached below a root, and what cannot.
#![allow(clippy::disallowed_methods, reason = "a test makes the folder that it looks into")]

use std::{fs, io::Read};

use super::*;

fn name(bytes: impl Into<Vec<u8>>) -> Name {
    Name::new(bytes).unwrap()
}

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

pub(super) fn root(folder: &Path) -> Root {
    let path = fs::canonicalize(folder).unwrap();
    Root::new(&RootConfig {
        id: RootId([1; 16]),
        name: Label::new("home").unwrap(),
        path,
        writable: false,
        ignore: String::new(),
    })
}

#[test]
fn files_are_read_by_names_from_the_root_down() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::write(folder.path().join("a/b/file"), b"content").unwrap();
    let (parent, name) = root(folder.path()).parent(&path("a/b/file")).unwrap();
    let entry = parent.stat(&name).unwrap();
    let mut opened = parent.open_file(&name).unwrap();
    assert_eq!((entry.kind, entry.stamp.size), (EntryKind::File, 7));
    assert_eq!(opened.meta.stamp, entry.stamp);
    assert_eq!(meta_of(&opened.file).unwrap().stamp, entry.stamp);
    let mut content = String::new();
    opened.file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
}

#[test]
fn a_folder_says_names_and_kinds() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("file"), b"").unwrap();
    let mut names = root(folder.path()).folder(&RootPath::root()).unwrap().names().unwrap();
    names.sort();
    assert_eq!(
        names,
        [(name("file"), EntryKind::File), (name("folder"), EntryKind::Folder)]
    );
}

#[test]
fn a_root_that_is_gone_is_said_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let root = root(&disk);
    assert!(root.folder(&RootPath::root()).is_ok());
    fs::remove_dir(&disk).unwrap();
    let gone = root.folder(&RootPath::root()).unwrap_err();
    assert_eq!(gone.code, ErrorCode::NotFound);
    assert!(gone.message.contains("home"), "{gone}");
    fs::create_dir(&disk).unwrap();
    assert!(root.folder(&RootPath::root()).is_ok());
}

#[test]
fn a_folder_with_the_programs_own_keys_is_never_entered_whatever_path_leads_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("local/state");
    fs::create_dir_all(state.join("below")).unwrap();
    fs::write(state.join("machine.json"), b"keys").unwrap();
    fs::write(folder.path().join("local/letter"), b"").unwrap();
    let closed: Arc<[FolderId]> = Arc::new([FolderId::at(&state).unwrap()]);
    let home = root(folder.path()).without(Arc::clone(&closed));
    for moved in ["state", "elsewhere"] {
        let reached = format!("local/{moved}");
        for reached in [path(&reached), path(&format!("{reached}/below"))] {
            assert_eq!(home.folder(&reached).unwrap_err().code, ErrorCode::NotReadable);
        }
        assert!(home.parent(&path(&format!("{reached}/machine.json"))).is_err());
        let (above, name) = home.parent(&path(&reached)).unwrap();
        assert_eq!(above.stat(&name).unwrap().kind, EntryKind::Other);
        assert_eq!(above.open_file(&name).unwrap_err().code, ErrorCode::NotAFile);
        assert!(above.folder(&name).unwrap_err().message.contains("own keys"));
        assert_eq!(above.stat(&super::tests::name("letter")).unwrap().kind, EntryKind::File);
        if moved == "state" {
            fs::rename(&state, folder.path().join("local/elsewhere")).unwrap();
        }
    }
    for inside in ["local/elsewhere", "local/elsewhere/below"] {
        let inside = root(&folder.path().join(inside)).without(Arc::clone(&closed));
        assert_eq!(
            inside.folder(&RootPath::root()).unwrap_err().code,
            ErrorCode::NotReadable
        );
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn no_symlink_is_followed_anywhere() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), b"secret").unwrap();
        let folder = tempfile::tempdir().unwrap();
        symlink(outside.path(), folder.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        symlink("in", folder.path().join("also-in")).unwrap();
        let root = root(folder.path());
        for below in ["out", "also-in"] {
            assert_eq!(
                root.folder(&path(below)).unwrap_err().code,
                ErrorCode::NotFound,
                "{below}"
            );
        }
        let (top, link) = root.parent(&path("file")).unwrap();
        assert_eq!(top.open_file(&link).unwrap_err().code, ErrorCode::NotAFile);
        let entry = top.stat(&link).unwrap();
        assert_eq!(entry.kind, EntryKind::Symlink);
        assert_eq!(
            entry.target,
            Some(outside.path().join("secret").as_os_str().as_encoded_bytes().to_vec())
        );
    }

    #[test]
    fn a_root_that_became_a_symlink_is_not_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let opened = folder.path().join("opened");
        fs::create_dir(&opened).unwrap();
        let root = root(&opened);
        fs::remove_dir(&opened).unwrap();
        symlink(outside.path(), &opened).unwrap();
        assert_eq!(root.folder(&RootPath::root()).unwrap_err().code, ErrorCode::NotFound);
    }

    #[test]
    fn pipes_sockets_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path().join("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let top = root(folder.path()).folder(&RootPath::root()).unwrap();
        for odd in ["pipe", "socket"] {
            assert_eq!(top.stat(&name(odd)).unwrap().kind, EntryKind::Other);
            assert_eq!(
                top.open_file(&name(odd)).unwrap_err().code,
                ErrorCode::NotAFile,
                "{odd}"
            );
        }
        let devices = root(Path::new("/dev")).folder(&RootPath::root()).unwrap();
        assert_eq!(devices.open_file(&name("null")).unwrap_err().code, ErrorCode::NotAFile);
    }

    #[test]
    fn names_of_any_bytes_are_addressed() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let long = "ä".repeat(127) + "x";
        let names: [&[u8]; 4] = [b"two\nlines", b"\xff\xfe\x80", b"back\\slash:colon", long.as_bytes()];
        for bytes in names {
            fs::write(folder.path().join(OsStr::from_bytes(bytes)), bytes).unwrap();
        }
        let top = root(folder.path()).folder(&RootPath::root()).unwrap();
        assert_eq!(top.names().unwrap().len(), names.len());
        for (name, _) in top.names().unwrap() {
            let mut content = Vec::new();
            top.open_file(&name).unwrap().file.read_to_end(&mut content).unwrap();
            assert_eq!(content, name.as_bytes());
        }
    }

    #[test]
    fn what_may_not_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::write(&closed, b"").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        let top = root(folder.path()).folder(&RootPath::root()).unwrap();
        match top.open_file(&name("closed")) {
            // Root may read everything.
            Ok(_) => assert_eq!(fs::metadata("/proc/self").unwrap().uid(), 0),
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::NotReadable),
        }
        let causes = [
            (io::ErrorKind::PermissionDenied, ErrorCode::NotReadable),
            (io::ErrorKind::NotFound, ErrorCode::NotFound),
            (io::ErrorKind::NotADirectory, ErrorCode::NotFound),
        ];
        for (cause, code) in causes {
            assert_eq!(refusal(&cause.into()).code, code);
        }
    }
}
