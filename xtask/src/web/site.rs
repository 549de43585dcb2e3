//! The files of the web app: named, linked with each other, compressed and written.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression as GzipLevel, write::GzEncoder};

/// How many hex digits of a file's hash stand in its name: 64 bits.
const HASH_DIGITS: usize = 16;

/// A file this short gains nothing that counts. Bytes.
const COMPRESSED_FROM: usize = 512;

/// What is compressed already.
const DENSE: &[&str] = &["png", "ico"];

/// How well files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all, for those who build often and fetch from the same machine.
    None,
    /// As well as can be, once.
    Best,
}

/// The files of a site, by their path in it.
#[derive(Default)]
pub(super) struct Site {
    files: BTreeMap<String, Vec<u8>>,
    /// What stands in templates for `{{NAME}}`.
    words: BTreeMap<String, String>,
}

impl Site {
    /// Adds a file at a fixed address.
    pub(super) fn add(&mut self, name: &str, content: Vec<u8>) {
        self.files.insert(name.to_owned(), content);
    }

    /// Adds a file whose address changes with its content, so that browsers may keep it for ever. The address.
    pub(super) fn add_hashed(&mut self, name: &str, content: Vec<u8>) -> Result<String> {
        let (stem, extension) = name
            .rsplit_once('.')
            .with_context(|| format!("{name} has no extension"))?;
        let hash = blake3::hash(&content).to_hex();
        let path = format!("app/{stem}-{}.{extension}", &hash[..HASH_DIGITS]);
        let url = format!("/{path}");
        self.word(name, url.clone());
        self.files.insert(path, content);
        Ok(url)
    }

    /// What a text holds where it says `{{name}}`.
    pub(super) fn word(&mut self, name: &str, text: String) {
        self.words.insert(name.to_owned(), text);
    }

    /// Puts words where a text names them; the address of a file is the word of the file's name: `{{beckon.js}}`.
    pub(super) fn fill(&self, name: &str, template: Vec<u8>) -> Result<Vec<u8>> {
        let Ok(mut text) = String::from_utf8(template.clone()) else {
            return Ok(template);
        };
        for (word, stands_for) in &self.words {
            text = text.replace(&format!("{{{{{word}}}}}"), stands_for);
        }
        if let Some(from) = text.find("{{") {
            let rest: String = text[from..].chars().take(40).collect();
            bail!("{name} names what is not there: {rest}");
        }
        Ok(text.into_bytes())
    }

    /// Writes all files, each with its compressed forms beside it, in place of what is there.
    pub(super) fn write(&self, folder: &Path, compression: Compression) -> Result<()> {
        let fresh = folder.with_extension("new");
        remove(&fresh)?;
        for (path, content) in &self.files {
            let path = fresh.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&fresh))?;
            fs::write(&path, content)?;
            if compression == Compression::Best {
                write_compressed(&path, content)?;
            }
        }
        remove(folder)?;
        fs::rename(&fresh, folder)?;
        Ok(())
    }
}

fn write_compressed(path: &Path, content: &[u8]) -> Result<()> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    if content.len() < COMPRESSED_FROM || DENSE.contains(&extension.as_ref()) {
        return Ok(());
    }
    let beside = |suffix: &str| path.with_extension(format!("{extension}.{suffix}"));
    fs::write(beside("br"), brotli(content)?)?;
    fs::write(beside("gz"), gzip(content)?)?;
    Ok(())
}

fn brotli(mut content: &[u8]) -> Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut content, &mut compressed, &params)?;
    ensure!(!compressed.is_empty(), "brotli made nothing out of a file");
    Ok(compressed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), GzipLevel::best());
    encoder.write_all(content)?;
    encoder.finish()
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_content_and_linked_by_its_plain_name() {
        let mut site = Site::default();
        let url = site.add_hashed("a.js", b"one".to_vec()).unwrap();
        let other = Site::default().add_hashed("a.js", b"two".to_vec()).unwrap();
        assert!(url.starts_with("/app/a-") && url.ends_with(".js"), "{url}");
        assert_ne!(url, other);
        let page = site.fill("page", b"<script src={{a.js}}>".to_vec()).unwrap();
        assert_eq!(page, format!("<script src={url}>").into_bytes());
        assert!(site.fill("page", b"{{b.js}}".to_vec()).is_err());
    }

    #[test]
    fn what_is_written_replaces_what_was_there_and_unpacks_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("app");
        let mut site = Site::default();
        site.add("old.txt", b"old".to_vec());
        site.write(&target, Compression::None).unwrap();
        let text = "all work and no play ".repeat(100);
        let mut site = Site::default();
        site.add("page.html", text.clone().into_bytes());
        site.write(&target, Compression::Best).unwrap();
        assert!(!target.join("old.txt").exists());
        let packed = fs::read(target.join("page.html.br")).unwrap();
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut packed.as_slice(), &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
        let packed = fs::read(target.join("page.html.gz")).unwrap();
        let mut unpacked = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.as_slice()), &mut unpacked).unwrap();
        assert_eq!(unpacked, text);
    }
}
