//! A clock for one program that a test can set wrong (Debian's `faketime`).

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Where the system's clock reads otherwise for the programs that are started with [`FakeClock::env`].
///
/// What counts time that has passed (the monotonic clock) is left alone, so that time-outs stay as they are.
pub struct FakeClock {
    folder: TempDir,
}

impl FakeClock {
    /// A clock that is right until [`FakeClock::shift`].
    pub fn new() -> Self {
        let clock = Self {
            folder: tempfile::tempdir().expect("room for a file"),
        };
        clock.shift("+0");
        clock
    }

    /// Sets the clock that far from the right time: `+1d`, `-16m`.
    pub fn shift(&self, offset: &str) {
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, format!("{offset}\n")).expect("room for a file");
        // In one step: a program that reads half of it would see another time.
        fs::rename(fresh, self.file()).expect("a file can be replaced");
    }

    /// What a program's environment must hold.
    pub fn env(&self) -> [(OsString, OsString); 4] {
        [
            ("LD_PRELOAD", library().into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into_os_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
        .map(|(name, value)| (name.into(), value))
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The library that stands between a program and its clock.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("/usr/lib can be listed");
    let inside = |folder: &Path| folder.join("faketime/libfaketimeMT.so.1");
    let mut found = folders.flatten().map(|folder| inside(&folder.path()));
    found
        .find(|path| path.exists())
        .expect("libfaketimeMT.so.1 is missing: run `cargo xtask test`, which installs the package faketime")
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{Duration, SystemTime},
    };

    use super::*;

    #[test]
    fn a_program_sees_the_shifted_time() {
        let clock = FakeClock::new();
        clock.shift("+2d");
        let output = Command::new("date").arg("+%s").envs(clock.env()).output().unwrap();
        let seen: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let ahead = Duration::from_secs(seen).abs_diff(now);
        assert!(ahead.abs_diff(Duration::from_secs(2 * 86_400)) < Duration::from_secs(60));
    }
}
