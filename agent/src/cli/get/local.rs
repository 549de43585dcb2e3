//! Where a download goes on this machine: folders by handles and never through a symlink, so that no name or link that came
//! with the download leads out of the target.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use beckon_shared::{
    path::{Name, RootPath},
    time::Timestamp,
};
use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions},
};

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// It came.
    New,
    /// It was there already, the same.
    Same,
}

/// What is done where another file or symlink stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// It stays, and that is an error.
    Refuse,
    /// It goes.
    Replace,
}

/// Whether something may take this place. Nothing takes the place of a device, a socket or a folder.
pub(super) fn may_take(folder: &Dir, name: &OsStr, clash: Clash) -> io::Result<()> {
    let kind = match folder.symlink_metadata(name) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.file_type(),
    };
    match clash {
        _ if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ if !kind.is_file() && !kind.is_symlink() => {
            let advice =
                "it is no regular file and is not replaced; to write into it use -o - and redirect standard output";
            Err(io::Error::new(io::ErrorKind::Unsupported, advice))
        }
        Clash::Refuse => Err(io::ErrorKind::AlreadyExists.into()),
        Clash::Replace => Ok(()),
    }
}

/// The folder that a tree becomes: `output`, or one of its own name below it where that is written `.`, `..` or `DIR/`
/// and is there, or in the working directory if there is no `output`.
pub(super) fn tree_target(output: Option<&Path>, own_name: Option<OsString>) -> Option<PathBuf> {
    let Some(output) = output else {
        return own_name.map(PathBuf::from);
    };
    let text = output.as_os_str().as_encoded_bytes();
    let is_above = text.ends_with(b"/") || text.ends_with(b"/.") || text == b"." || output.file_name().is_none();
    match own_name {
        Some(name) if is_above && open_folder(output).is_ok() => Some(output.join(name)),
        _ => Some(output.to_owned()),
    }
}

/// Opens a folder that the user named.
pub(super) fn open_folder(path: &Path) -> io::Result<Dir> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    Dir::open_ambient_dir(path, ambient_authority())
}

/// Opens a folder that the user named, and makes it if it is not there.
pub(super) fn make_folder(path: &Path) -> io::Result<Dir> {
    Dir::create_ambient_dir_all(path, ambient_authority())?;
    open_folder(path)
}

/// Where a single file goes: its folder and its name in it.
pub(super) struct Place {
    /// The folder.
    pub(super) folder: Dir,
    /// The name.
    pub(super) name: OsString,
    /// As it is told to people.
    pub(super) path: PathBuf,
}

impl Place {
    /// At `output`; below its own name if that is a folder, or in the working directory if there is none.
    pub(super) fn of(output: Option<&Path>, own_name: Option<OsString>) -> io::Result<Self> {
        let nameless = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "this has no name of its own here: name a file with -o",
            )
        };
        let output = output.unwrap_or(Path::new("."));
        let ends_as_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let folder = open_folder(output);
        if let (Ok(folder), name) = (folder, &own_name) {
            let name = name.clone().ok_or_else(nameless)?;
            return Ok(Self {
                folder,
                path: output.join(&name),
                name,
            });
        }
        let name = output
            .file_name()
            .filter(|_| !ends_as_folder)
            .ok_or(io::ErrorKind::NotFound)?
            .to_owned();
        let folder = open_folder(output.parent().unwrap_or(Path::new(".")))?;
        Ok(Self {
            folder,
            name,
            path: output.to_owned(),
        })
    }
}

/// A name as this platform writes it, if that is harmless here: one of a temporary file would be taken for that.
pub(super) fn os_name(name: &Name) -> Option<OsString> {
    if is_temporary(name.as_bytes()) {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        Some(OsString::from_vec(name.as_bytes().to_vec()))
    }
    #[cfg(not(unix))]
    {
        let text = name.as_str()?;
        is_safe_on_windows(text).then(|| OsString::from(text))
    }
}

/// Windows takes some names for devices, streams or other names (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
#[cfg(any(not(unix), test))]
fn is_safe_on_windows(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let port = |prefix: &str| {
        let number = stem.strip_prefix(prefix).unwrap_or_default();
        number.chars().count() == 1 && number.chars().all(|c| c.is_ascii_digit() || "¹²³".contains(c))
    };
    let reserved = DEVICES.contains(&stem.as_str()) || port("com") || port("lpt");
    let forbidden = |c: char| c.is_control() || r#"<>:"/\|?*"#.contains(c);
    !reserved && !name.ends_with(['.', ' ']) && !name.chars().any(forbidden)
}

/// Opens the folder at `path` below `top`, making what is missing. A symlink on the way is an error.
pub(super) fn folder_below(top: &Dir, path: &RootPath) -> io::Result<Dir> {
    let mut folder = top.try_clone()?;
    for name in path.names() {
        let name = os_name(&name).ok_or_else(unusable)?;
        folder = match folder.open_dir_nofollow(&name) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                folder.create_dir(&name)?;
                folder.open_dir_nofollow(&name)?
            }
            opened => opened?,
        };
    }
    Ok(folder)
}

pub(super) fn unusable() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidFilename,
        "this name cannot be used here; fetch the folder with --zip FILE",
    )
}

/// Options to open a file by its name in a folder, not following a symlink there.
pub(super) fn no_follow() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.follow(FollowSymlinks::No);
    options
}

/// Opens what stands there for reading, if it is a regular file of this size.
pub(super) fn open_same_size(folder: &Dir, name: &OsStr, size: u64) -> Option<std::fs::File> {
    let meta = folder.symlink_metadata(name).ok()?;
    if !meta.is_file() || meta.len() != size {
        return None;
    }
    folder.open_with(name, no_follow().read(true)).ok().map(File::into_std)
}

/// Permission bits that a download may have: those of owner, group and others, without set-id and sticky bits.
#[cfg(unix)]
pub(super) fn permissions(mode: u32) -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    (mode != 0).then(|| std::fs::Permissions::from_mode(mode & 0o777))
}

/// Where files have no permission bits, they keep the default.
#[cfg(not(unix))]
pub(super) fn permissions(_: u32) -> Option<std::fs::Permissions> {
    None
}

/// A time as file systems take it.
pub(super) fn system_time(at: Timestamp) -> SystemTime {
    let span = Duration::from_millis(at.0.unsigned_abs());
    if at.0 < 0 { UNIX_EPOCH - span } else { UNIX_EPOCH + span }
}

/// A time in nanoseconds since 1970 as file systems take it.
pub(super) fn system_time_of_nanos(at: i64) -> SystemTime {
    let span = Duration::from_nanos(at.unsigned_abs());
    if at < 0 { UNIX_EPOCH - span } else { UNIX_EPOCH + span }
}

/// Gives a folder its time and permissions, once all that goes into it is there.
pub(super) fn finish_folder(top: &Dir, path: &RootPath, mtime: SystemTime, mode: u32) -> io::Result<()> {
    let Some((above, name)) = path.split_last() else {
        return Ok(());
    };
    let above = folder_below(top, &above)?;
    let name = os_name(&name).ok_or_else(unusable)?;
    let folder = above.open_dir_nofollow(&name)?;
    // The handle of a `Dir` may be one that only names the folder (O_PATH); changing it takes one that reads it.
    let folder = folder.open(".")?.into_std();
    folder.set_modified(mtime)?;
    permissions(mode).map_or(Ok(()), |permissions| folder.set_permissions(permissions))
}

/// Makes a symlink that says exactly `target`, unless it is there already.
#[cfg(unix)]
pub(super) fn make_symlink(folder: &Dir, name: &OsStr, target: &[u8], clash: Clash) -> io::Result<Fetched> {
    use std::os::unix::ffi::OsStrExt;
    let target = Path::new(OsStr::from_bytes(target));
    if folder.read_link_contents(name).is_ok_and(|old| old == target) {
        return Ok(Fetched::Same);
    }
    may_take(folder, name, clash)?;
    let temporary = part_name(name);
    let _ = folder.remove_file(&temporary);
    folder.symlink_contents(target, &temporary)?;
    folder.rename(&temporary, folder, name)?;
    Ok(Fetched::New)
}

/// Windows tells links to files and folders apart and asks for a privilege.
#[cfg(not(unix))]
pub(super) fn make_symlink(_: &Dir, _: &OsStr, _: &[u8], _: Clash) -> io::Result<Fetched> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "symbolic links are not made on this system; fetch the folder with --zip FILE",
    ))
}

/// What a file is called while it comes.
const PART: &str = ".beckon-part";
/// What the note of its pieces is called.
const NOTE: &str = ".beckon-pieces";
/// What a range of it is called while it comes.
const RANGE: &str = ".beckon-range";

/// The temporary name beside a file.
pub(super) fn part_name(name: &OsStr) -> OsString {
    beside(name, PART)
}

/// The name of the note of its pieces beside a file.
pub(super) fn note_name(name: &OsStr) -> OsString {
    beside(name, NOTE)
}

/// The temporary name beside a file of which a range comes.
pub(super) fn range_name(name: &OsStr) -> OsString {
    beside(name, RANGE)
}

/// A hash stands for a name that would get too long.
fn beside(name: &OsStr, suffix: &str) -> OsString {
    const NAME_MAX: usize = 255;
    let mut full = OsString::from(".");
    full.push(name);
    full.push(suffix);
    if full.len() <= NAME_MAX {
        return full;
    }
    let hash = blake3::hash(name.as_encoded_bytes()).to_hex();
    OsString::from(format!(".{}{suffix}", &hash[..32]))
}

/// Whether a name could be one that a download has beside another file; some systems take no notice of case.
fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(b".")
        && [PART, NOTE, RANGE].into_iter().any(|suffix| {
            let end = name.len().checked_sub(suffix.len()).and_then(|at| name.get(at..));
            end.is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_hidden_and_short_enough() {
        assert_eq!(part_name(OsStr::new("a.txt")), ".a.txt.beckon-part");
        let long = "x".repeat(255);
        assert!(part_name(OsStr::new(&long)).len() <= 255);
        assert_ne!(
            part_name(OsStr::new(&long)),
            part_name(OsStr::new(&format!("y{}", &long[1..])))
        );
    }

    #[test]
    fn no_file_has_the_temporary_name_of_another() {
        let names = ["x", "x.pieces", "x.beckon-part", "x.beckon-pieces"].map(OsStr::new);
        let all = names
            .iter()
            .flat_map(|name| [part_name(name), note_name(name), range_name(name)]);
        let all: std::collections::HashSet<_> = all.collect();
        assert_eq!(all.len(), 3 * names.len());
        for name in all {
            let name = Name::new(name.as_encoded_bytes()).unwrap();
            assert_eq!(os_name(&name), None);
        }
        for name in [".X.Beckon-Part", ".beckon-pieces"] {
            assert_eq!(os_name(&Name::new(name).unwrap()), None, "{name}");
        }
        for name in ["x.beckon-part", ".beckon", ".x.pieces"] {
            assert!(os_name(&Name::new(name).unwrap()).is_some(), "{name}");
        }
    }

    #[test]
    fn windows_is_not_led_to_devices_streams_or_other_names() {
        for name in [
            "con",
            "NUL.txt",
            "com1",
            "LPT¹.log",
            "a:b",
            "a\\b",
            "a.",
            "a ",
            "what?",
            "a\tb",
            "aux .txt",
        ] {
            assert!(!is_safe_on_windows(name), "{name}");
        }
        for name in ["console", "a.b.c", "com", "com10", "résumé.pdf", ".hidden"] {
            assert!(is_safe_on_windows(name), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_on_the_way_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        let top = open_folder(inside.path()).unwrap();
        make_symlink(
            &top,
            OsStr::new("out"),
            outside.path().as_os_str().as_encoded_bytes(),
            Clash::Refuse,
        )
        .unwrap();
        let path = |text: &str| RootPath::new(text).unwrap();
        assert!(folder_below(&top, &path("out")).is_err());
        assert!(folder_below(&top, &path("out/deep")).is_err());
        assert!(finish_folder(&top, &path("out/deep"), UNIX_EPOCH, 0o777).is_err());
        assert_eq!(open_folder(outside.path()).unwrap().entries().unwrap().count(), 0);
        folder_below(&top, &path("in/deep")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_says_exactly_what_it_said_at_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let top = open_folder(folder.path()).unwrap();
        for target in ["../../etc/passwd", "/absolute", "beside", "beside"] {
            make_symlink(&top, OsStr::new("link"), target.as_bytes(), Clash::Replace).unwrap();
            assert_eq!(top.read_link_contents("link").unwrap(), Path::new(target));
        }
        assert_eq!(top.entries().unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_replaced_only_where_that_is_wanted_and_sockets_and_folders_never() {
        let folder = tempfile::tempdir().unwrap();
        let top = open_folder(folder.path()).unwrap();
        top.write("file", b"mine").unwrap();
        top.create_dir("folder").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let take = |name: &str, clash| may_take(&top, OsStr::new(name), clash).map_err(|cause| cause.kind());
        assert_eq!(take("absent", Clash::Refuse), Ok(()));
        assert_eq!(take("file", Clash::Refuse), Err(io::ErrorKind::AlreadyExists));
        assert_eq!(take("file", Clash::Replace), Ok(()));
        assert_eq!(take("folder", Clash::Replace), Err(io::ErrorKind::IsADirectory));
        assert_eq!(take("socket", Clash::Replace), Err(io::ErrorKind::Unsupported));
    }

    #[test]
    fn a_tree_goes_below_a_folder_that_is_named_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let target = |output: &str| tree_target(Some(Path::new(output)), Some("own".into())).unwrap();
        assert_eq!(target("."), Path::new("./own"));
        assert_eq!(target(&format!("{path}/")), folder.path().join("own"));
        assert_eq!(target(&path), folder.path());
        assert_eq!(target(&format!("{path}/absent/")), folder.path().join("absent"));
        assert_eq!(tree_target(None, Some("own".into())), Some("own".into()));
        assert_eq!(tree_target(None, None), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_gets_its_time_and_permissions() {
        use cap_std::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let top = open_folder(folder.path()).unwrap();
        let path = RootPath::new("a/b").unwrap();
        folder_below(&top, &path).unwrap();
        finish_folder(&top, &path, system_time(Timestamp(1_577_836_800_000)), 0o750).unwrap();
        let finished = top.metadata("a/b").unwrap();
        assert_eq!((finished.mtime(), finished.mode() & 0o7777), (1_577_836_800, 0o750));
    }

    #[cfg(unix)]
    #[test]
    fn set_id_bits_do_not_come_along() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(permissions(0o104_755 & 0o7777).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(permissions(0), None);
    }

    #[test]
    fn a_file_goes_into_a_folder_by_its_own_name_and_else_where_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let own = || Some(OsString::from("own"));
        let place = Place::of(Some(folder.path()), own()).unwrap();
        assert_eq!((place.name, place.path), ("own".into(), folder.path().join("own")));
        let place = Place::of(Some(&folder.path().join("other")), own()).unwrap();
        assert_eq!(place.name, "other");
        assert!(Place::of(Some(&folder.path().join("absent/")), own()).is_err());
        assert!(Place::of(Some(&folder.path().join("absent/other")), own()).is_err());
    }
}
