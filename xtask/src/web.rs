//! Builds the web app into `TARGET/web-app`, from where the programs take it: compiled, bound to JavaScript, its files
//! named by their content, and compressed once for all who will fetch them.

mod site;
mod style;
mod wasm;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use self::site::{Compression, Site};
use crate::{
    build::{Profile, target_folder},
    command::root,
};

/// What goes to browsers as it is.
const PLAIN: &[&str] = &["icon-192.png", "icon-512.png", "icon-maskable.png"];

/// What names other files, and is named by later ones, in this order; each with the source that it is made of. Workers differ in
/// the policy that their address brings: the one of sessions may open sockets to machines.
const TEMPLATES: &[(&str, &str)] = &[
    ("worker.js", "worker.js"),
    ("session.js", "worker.js"),
    ("boot.js", "boot.js"),
];

/// What has a fixed address.
const FIXED: &[&str] = &[
    "index.html",
    "manifest.webmanifest",
    "icon.svg",
    "favicon.ico",
    "save.js",
];

/// The file that says what the web app was built from.
const STAMP: &str = "stamp";

/// Builds the web app, unless it is there as it would be built.
pub(crate) fn build(profile: Profile) -> Result<()> {
    let compiled = wasm::compile(profile)?;
    let folder = target_folder()?.join("web-app");
    let compression = if profile.release {
        Compression::Best
    } else {
        Compression::None
    };
    let stamp = stamp(&compiled, compression)?;
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|there| there == stamp) {
        return Ok(());
    }
    eprintln!("putting the web app together in {}", folder.display());
    let mut site = assemble(&compiled, profile)?;
    site.add(STAMP, stamp.into_bytes());
    site.write(&folder, compression)
        .with_context(|| format!("cannot write {}", folder.display()))
}

fn assemble(compiled: &Path, profile: Profile) -> Result<Site> {
    let bound = wasm::bind(compiled, profile)?;
    let mut site = Site::default();
    site.add_hashed("beckon.wasm", bound.wasm)?;
    let mut script = bound.script;
    for (path, snippet) in bound.snippets {
        let url = site.add_hashed(&path.replace('/', "-"), snippet.into_bytes())?;
        script = script.replace(&format!("./snippets/{path}"), &url);
    }
    site.add_hashed("beckon.js", script.into_bytes())?;
    site.add_hashed("style.css", style::bundle(&root().join("style"))?.into_bytes())?;
    for name in PLAIN {
        site.add_hashed(name, read(name)?)?;
    }
    site.word("icons", symbols(&String::from_utf8(read("icons.svg")?)?)?);
    for (name, source) in TEMPLATES {
        let filled = site.fill(name, read(source)?)?;
        site.add_hashed(name, filled)?;
    }
    for name in FIXED {
        let filled = site.fill(name, read(name)?)?;
        site.add(name, filled);
    }
    Ok(site)
}

/// The icons as symbols that stand in the page, where each is `#i-NAME`.
fn symbols(icons: &str) -> Result<String> {
    let (_, symbols) = icons.split_once('>').context("icons.svg is no image")?;
    let symbols: String = symbols.lines().collect();
    Ok(format!(
        "<svg width=\"0\" height=\"0\" aria-hidden=\"true\" class=\"sr\">{}",
        symbols.replace("<symbol id=\"", "<symbol id=\"i-")
    ))
}

fn read(name: &str) -> Result<Vec<u8>> {
    let path = boot().join(name);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn boot() -> PathBuf {
    root().join("frontend/boot")
}

/// A hash of all that the web app is made of; this program, which makes it, included.
fn stamp(compiled: &Path, compression: Compression) -> Result<String> {
    let own = std::env::current_exe().context("xtask cannot find its own path")?;
    let mut files = vec![compiled.to_owned(), own];
    for folder in [boot(), root().join("style")] {
        collect(&folder, &mut files)?;
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{compression:?}").as_bytes());
    for path in files {
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(blake3::hash(&content).as_bytes());
    }
    Ok(hasher.finalize().to_string())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
