//! Puts the web app, as `cargo xtask build` left it, into this crate: writes a table of its files for `src/file.rs`.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Names another folder to take the web app from.
const FOLDER_VARIABLE: &str = "BECKON_WEB";

/// What lies beside a file: its compressed forms.
const COMPRESSED: [(&str, &str); 2] = [("brotli", "br"), ("gzip", "gz")];

fn main() -> Result<(), Box<dyn Error>> {
    let web = web_folder();
    // Cargo would run this at each build if the folder that it shall watch were not there.
    fs::create_dir_all(&web)?;
    println!("cargo::rerun-if-changed={}", web.display());
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={FOLDER_VARIABLE}");
    let mut files = BTreeSet::new();
    collect(&web, &mut files)?;
    let table = table(&web, &files)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("web.rs"), table)?;
    Ok(())
}

fn web_folder() -> PathBuf {
    if let Some(folder) = env::var_os(FOLDER_VARIABLE) {
        return folder.into();
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "../target".into(), PathBuf::from);
    target.join("web-app")
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.insert(fs::canonicalize(entry.path())?);
        }
    }
    Ok(())
}

/// The files as an array of `File`, in the order of their paths.
fn table(web: &Path, files: &BTreeSet<PathBuf>) -> Result<String, Box<dyn Error>> {
    let web = fs::canonicalize(web)?;
    let mut table = "&[\n".to_owned();
    for file in files.iter().filter(|file| has_a_kind(file)) {
        let path = file.strip_prefix(&web)?.to_str().ok_or("a name is not text")?;
        write!(
            table,
            "File {{ path: {:?}, plain: include_bytes!({file:?}), ",
            format!("/{path}")
        )?;
        for (field, extension) in COMPRESSED {
            let beside = PathBuf::from(format!("{}.{extension}", file.display()));
            if files.contains(&beside) {
                write!(table, "{field}: Some(include_bytes!({beside:?})), ")?;
            } else {
                write!(table, "{field}: None, ")?;
            }
        }
        table.push_str("},\n");
    }
    table.push(']');
    Ok(table)
}

/// Neither a compressed form of another file, nor the stamp of the build.
fn has_a_kind(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| COMPRESSED.iter().all(|(_, compressed)| *compressed != extension))
}
