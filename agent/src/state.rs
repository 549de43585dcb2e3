//! The agent's own state on disk: at most one controller and one machine. No other module opens own files by path.

mod file;
mod record;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use beckon_shared::error::{ErrorCode, Refusal};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use file::{create_private_file, located, owned_folder, read_small_file};
pub(crate) use record::{Controller, KnownDevices, Machine, Puts, RootConfig, SignIn};

/// Who is signed in here.
const CONTROLLER: &str = "controller.json";
/// What this device is as a machine.
const MACHINE: &str = "machine.json";
/// The control list as the controller last saw it.
const DEVICES: &str = "devices.json";
/// What `beckon put` began.
const PUTS: &str = "puts.json";
/// Locked while a record is read, changed and written.
const RECORD_LOCK: &str = "record.lock";
/// Locked while `beckon run` runs.
const RUN_LOCK: &str = "run.lock";
/// A record is no larger. Bytes.
const RECORD_MAX: usize = 4 << 20;

/// A folder that only its owner can read.
#[derive(Debug, Clone)]
pub(crate) struct StateDir {
    path: PathBuf,
}

/// Held by the one `beckon run` of a state folder, until it ends, however it ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl StateDir {
    /// The folder of the user who runs this: by XDG, `$XDG_STATE_HOME/beckon` or `~/.local/state/beckon`.
    pub(crate) fn default_path() -> Option<PathBuf> {
        let from = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        if cfg!(windows) {
            return from("LOCALAPPDATA").map(|home| home.join("beckon"));
        }
        let xdg = from("XDG_STATE_HOME")
            .filter(|path| path.is_absolute())
            .map(|home| home.join("beckon"));
        xdg.or_else(|| from("HOME").map(|home| home.join(".local/state/beckon")))
    }

    /// Opens the folder, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        file::make_private_dir(path).map_err(|cause| failed("open", path, &cause))?;
        let path = file::absolute(path).map_err(|cause| failed("open", path, &cause))?;
        Ok(Self { path })
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the user whose folder it is, where users have numbers.
    pub(crate) fn owner(&self) -> Option<u32> {
        file::owner(&self.path)
    }

    /// Opens a file of this folder to read and write, for a database that keeps it; makes it if need be.
    pub(crate) fn open_private(&self, name: &str) -> Result<File, Refusal> {
        let path = self.file(name);
        file::open_private(&path).map_err(|cause| failed("open", &path, &cause))
    }

    /// Who is signed in here, if anyone ever was.
    pub(crate) fn controller(&self) -> Result<Option<Controller>, Refusal> {
        self.read(CONTROLLER)
    }

    /// What this device is as a machine, once it joined.
    pub(crate) fn machine(&self) -> Result<Option<Machine>, Refusal> {
        self.read(MACHINE)
    }

    /// Puts a controller in place of whatever was there.
    pub(crate) fn save_controller(&self, controller: &Controller) -> Result<(), Refusal> {
        let _lock = self.lock_records()?;
        self.write(CONTROLLER, controller)
    }

    /// Puts a machine in place of whatever was there.
    pub(crate) fn save_machine(&self, machine: &Machine) -> Result<(), Refusal> {
        let _lock = self.lock_records()?;
        self.write(MACHINE, machine)
    }

    /// Reads the controller, changes it and writes it, with no other process in between.
    pub(crate) fn update_controller(&self, change: impl FnOnce(&mut Controller)) -> Result<Controller, Refusal> {
        self.update(
            CONTROLLER,
            "nobody is signed in here; use: beckon login URL --name NAME --password-file FILE",
            |controller| {
                change(controller);
                Ok(())
            },
        )
    }

    /// Reads the machine, changes it and writes it, with no other process in between. Nothing is written if `change` refuses.
    pub(crate) fn update_machine(
        &self,
        change: impl FnOnce(&mut Machine) -> Result<(), Refusal>,
    ) -> Result<Machine, Refusal> {
        self.update(
            MACHINE,
            "this device is no machine yet; use: beckon join URL CODE --root NAME=PATH",
            change,
        )
    }

    /// What `beckon put` began here and may have left behind.
    pub(crate) fn puts(&self) -> Result<Puts, Refusal> {
        Ok(self.read(PUTS)?.unwrap_or_default())
    }

    /// Reads what `beckon put` began, changes it and writes it, with no other process in between.
    pub(crate) fn update_puts(&self, change: impl FnOnce(&mut Puts)) -> Result<(), Refusal> {
        let _lock = self.lock_records()?;
        let mut puts = self.puts()?;
        change(&mut puts);
        self.write(PUTS, &puts)
    }

    /// The control list as it was last seen here. One that cannot be read any more is as good as none.
    pub(crate) fn known_devices(&self) -> Result<Option<KnownDevices>, Refusal> {
        let bytes = self.read_bytes(DEVICES, RECORD_MAX)?;
        Ok(bytes.and_then(|bytes| record::decode(&bytes).ok()))
    }

    /// Keeps the control list, if it differs from the one that is kept.
    pub(crate) fn keep_devices(&self, known: &KnownDevices) -> Result<(), Refusal> {
        let _lock = self.lock_records()?;
        if self.known_devices()?.as_ref() == Some(known) {
            return Ok(());
        }
        self.write(DEVICES, known)
    }

    /// Forgets the control list that was last seen.
    pub(crate) fn forget_devices(&self) -> Result<(), Refusal> {
        self.remove(DEVICES)
    }

    /// Becomes the one `beckon run` of this folder.
    pub(crate) fn lock_run(&self) -> Result<RunLock, Refusal> {
        let file = self.open_private(RUN_LOCK)?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => {
                let advice =
                    "the agent runs already with this state folder; see: beckon status, or stop it with: beckon stop";
                Err(Refusal::new(ErrorCode::Conflict, advice))
            }
            Err(std::fs::TryLockError::Error(cause)) => Err(failed("lock", &self.file(RUN_LOCK), &cause)),
        }
    }

    /// Reads a small file of this folder, if it is there.
    pub(crate) fn read_bytes(&self, name: &str, max: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let path = self.file(name);
        file::read_if_there(&path, max).map_err(|cause| failed("read", &path, &cause))
    }

    /// Writes a file of this folder: the old or the new content survives a crash, never a mixture.
    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let path = self.file(name);
        file::replace(&path, bytes).map_err(|cause| failed("write", &path, &cause))
    }

    /// Removes a file of this folder, if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Refusal> {
        let path = self.file(name);
        file::remove_if_there(&path).map_err(|cause| failed("remove", &path, &cause))
    }

    /// Whether a file of this folder is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        file::is_there(&self.file(name))
    }

    /// Moves a damaged file out of the way, so that it can be looked at; says where it is now.
    pub(crate) fn set_aside(&self, name: &str) -> Result<PathBuf, Refusal> {
        let path = self.file(name);
        let aside = self.file(&format!("{name}.damaged-{}", crate::clock::now().0));
        file::rename(&path, &aside).map_err(|cause| failed("move", &path, &cause))?;
        Ok(aside)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn update<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        absent: &str,
        change: impl FnOnce(&mut T) -> Result<(), Refusal>,
    ) -> Result<T, Refusal> {
        let _lock = self.lock_records()?;
        let mut value: T = self
            .read(name)?
            .ok_or_else(|| Refusal::new(ErrorCode::NotSignedIn, absent))?;
        change(&mut value)?;
        self.write(name, &value)?;
        Ok(value)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(bytes) = self.read_bytes(name, RECORD_MAX)? else {
            return Ok(None);
        };
        record::decode(&bytes).map(Some).map_err(|cause| {
            let advice = format!("{} cannot be understood ({cause}); put it back from a back-up, or move it away and sign in or join again", self.file(name).display());
            Refusal::new(ErrorCode::Damaged, advice)
        })
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Refusal> {
        let bytes = record::encode(value).map_err(|cause| {
            tracing::error!(%cause, "a record has no encoding");
            Refusal::new(ErrorCode::Internal, "the state could not be written; see the log")
        })?;
        self.write_bytes(name, &bytes)
    }

    fn lock_records(&self) -> Result<File, Refusal> {
        let lock = self.open_private(RECORD_LOCK)?;
        lock.lock()
            .map_err(|cause| failed("lock", &self.file(RECORD_LOCK), &cause))?;
        Ok(lock)
    }
}

fn failed(what: &str, path: &Path, cause: &std::io::Error) -> Refusal {
    let advice = format!(
        "cannot {what} {}: {cause}; check the folder's owner and free space, or choose another with --state",
        path.display()
    );
    Refusal::new(ErrorCode::Internal, advice)
}

#[cfg(test)]
mod tests;
