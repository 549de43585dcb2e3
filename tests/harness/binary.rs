//! Finds the programs under test.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Names a folder to take the programs from, for instance `target/release`.
pub const FOLDER_VARIABLE: &str = "BECKON_BIN_DIR";

/// The path of the program `name`: in [`FOLDER_VARIABLE`] if set, else in the target folder of the running test.
pub fn path(name: &str) -> PathBuf {
    let file = folder().join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(
        file.is_file(),
        "{} is missing: run `cargo xtask test`, or `cargo build -p beckon-server -p beckon` before `cargo test`",
        file.display(),
    );
    file
}

fn folder() -> PathBuf {
    if let Some(folder) = env::var_os(FOLDER_VARIABLE) {
        return folder.into();
    }
    let own = env::current_exe().expect("a process knows its own path");
    let folder = own.parent().expect("a program lies in a folder");
    // Tests lie one folder below the programs, in `deps`; a program that uses the harness lies beside them.
    if folder.ends_with("deps") {
        folder
            .parent()
            .map(Path::to_owned)
            .expect("`deps` lies in the target folder")
    } else {
        folder.to_owned()
    }
}
