//! A file system of its own for a test that has it run full, and folders that cannot be written to. Both need root.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A small file system.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of so many MiB; nothing where this user may not. Under `CI` that is a failure.
    pub fn mount(mib: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("room for a folder");
        let size = format!("size={mib}m");
        let mounted = is_mounted("a small disk", &["-t", "tmpfs", "-o", &size, "tmpfs"], folder.path());
        mounted.then_some(Self { folder })
    }

    /// Makes it as large as this.
    pub fn resize(&self, mib: u64) {
        let size = format!("remount,size={mib}m");
        let output = mount(&["-o", &size], self.folder.path());
        assert!(output.status.success(), "{output:?}");
    }

    /// A path on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.folder.path());
    }
}

/// A folder that cannot be written to, by root neither, until this is dropped. Files that are open stay so.
pub struct ReadOnly {
    folder: PathBuf,
}

impl ReadOnly {
    /// Makes a folder so; nothing where this user may not. Under `CI` that is a failure.
    pub fn make(folder: &Path) -> Option<Self> {
        let place = folder.display().to_string();
        if !is_mounted("a read-only folder", &["--bind", &place], folder) {
            return None;
        }
        let made = Self {
            folder: folder.to_owned(),
        };
        is_mounted("a read-only folder", &["-o", "remount,ro,bind"], folder).then_some(made)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        unmount(&self.folder);
    }
}

fn is_mounted(what: &str, words: &[&str], folder: &Path) -> bool {
    let output = mount(words, folder);
    if !output.status.success() {
        assert!(env::var_os("CI").is_none(), "cannot mount {what}: {output:?}");
        eprintln!("SKIPPED: {what} was NOT tested, because this user cannot mount one: {output:?}");
    }
    output.status.success()
}

fn mount(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new("mount");
    command.args(words).arg(folder).output().expect("mount starts")
}

fn unmount(folder: &Path) {
    // Lazily: a program that ends in this moment may still hold a file. An error leaves a mount behind, no more.
    let _ = Command::new("umount").arg("--lazy").arg(folder).status();
}
