//! What a person or a program does to a folder, drawn by chance.

use std::{
    fs::{self, File, FileTimes, OpenOptions, Permissions},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use beckon_tests::Chance;

/// There are never more files than about so many: what is made beyond is made in place of something else.
const FILES: usize = 400;

/// A folder that is changed, and what is known to be in it.
pub(crate) struct Playground {
    root: PathBuf,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    next: u64,
}

impl Playground {
    /// Begins with a folder that holds nothing.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            folders: Vec::new(),
            next: 0,
        }
    }

    /// Does one thing; what it was, for whoever reads a failure.
    pub(crate) fn step(&mut self, chance: &mut Chance) -> String {
        let roll = chance.number(0..100);
        if self.files.len() < 20 || (roll < 24 && self.files.len() < FILES) {
            return self.create(chance);
        }
        match roll {
            0..=31 => self.edit(chance),
            32..=39 => self.append(chance),
            40..=45 => self.truncate(chance),
            46..=51 => self.save_by_rename(chance),
            52..=59 => self.rename(chance),
            60..=65 => self.move_file(chance),
            66..=69 => self.move_folder(chance),
            70..=77 => self.delete(chance),
            78..=79 => self.delete_folder(chance),
            80..=83 => self.change_type(chance),
            84..=87 => self.case_only(chance),
            88..=91 => self.mode(chance),
            92..=94 => self.touch(chance),
            _ => self.make_folder(chance),
        }
    }

    fn name(&mut self, chance: &mut Chance) -> String {
        self.next += 1;
        let kind = ["note", "Bild ä", "табл", "x y", "data"][chance.number(0..5) as usize];
        format!("{kind}-{}", self.next)
    }

    fn folder(&self, chance: &mut Chance) -> PathBuf {
        match self.folders.len() as u64 {
            0 => self.root.clone(),
            count => match chance.number(0..count + 1) {
                at if at == count => self.root.clone(),
                at => self.folders[at as usize].clone(),
            },
        }
    }

    fn file(&self, chance: &mut Chance) -> PathBuf {
        self.files[chance.number(0..self.files.len() as u64) as usize].clone()
    }

    fn bytes(chance: &mut Chance) -> Vec<u8> {
        let len = match chance.number(0..100) {
            0..=9 => 0,
            10..=79 => chance.number(1..4_000),
            80..=96 => chance.number(4_000..200_000),
            _ => chance.number(200_000..3_000_000),
        };
        let seed = chance.number(0..u64::MAX).to_le_bytes();
        let mut bytes = vec![0; len as usize];
        blake3::Hasher::new().update(&seed).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    fn create(&mut self, chance: &mut Chance) -> String {
        let path = self.folder(chance).join(self.name(chance));
        fs::write(&path, Self::bytes(chance)).unwrap();
        self.files.push(path.clone());
        format!("create {}", self.shown(&path))
    }

    fn make_folder(&mut self, chance: &mut Chance) -> String {
        let path = self.folder(chance).join(self.name(chance));
        fs::create_dir(&path).unwrap();
        self.folders.push(path.clone());
        format!("folder {}", self.shown(&path))
    }

    fn edit(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        let len = fs::metadata(&path).unwrap().len();
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(chance.number(0..len + 1))).unwrap();
        let some = chance.number(1..3_000);
        let bytes = vec![chance.number(0..256) as u8; some as usize];
        file.write_all(&bytes).unwrap();
        format!("edit {}", self.shown(&path))
    }

    fn append(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&Self::bytes(chance)).unwrap();
        format!("append {}", self.shown(&path))
    }

    fn truncate(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        let len = fs::metadata(&path).unwrap().len();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(chance.number(0..len + 1)).unwrap();
        format!("truncate {}", self.shown(&path))
    }

    fn save_by_rename(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        let draft = path.with_file_name(format!(".{}.swp", self.next));
        fs::write(&draft, Self::bytes(chance)).unwrap();
        fs::rename(&draft, &path).unwrap();
        format!("save {}", self.shown(&path))
    }

    fn renamed(&mut self, from: &Path, to: &Path) {
        let moved = |path: &PathBuf| match path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
            Ok(rest) => to.join(rest),
            Err(_) => path.clone(),
        };
        self.files = self.files.iter().map(moved).collect();
        self.folders = self.folders.iter().map(moved).collect();
    }

    fn rename(&mut self, chance: &mut Chance) -> String {
        let from = self.file(chance);
        let to = from.with_file_name(self.name(chance));
        fs::rename(&from, &to).unwrap();
        self.renamed(&from, &to);
        format!("rename {} to {}", self.shown(&from), self.shown(&to))
    }

    fn move_file(&mut self, chance: &mut Chance) -> String {
        let from = self.file(chance);
        let to = self.folder(chance).join(self.name(chance));
        fs::rename(&from, &to).unwrap();
        self.renamed(&from, &to);
        format!("move {} to {}", self.shown(&from), self.shown(&to))
    }

    fn move_folder(&mut self, chance: &mut Chance) -> String {
        if self.folders.is_empty() {
            return self.make_folder(chance);
        }
        let from = self.folders[chance.number(0..self.folders.len() as u64) as usize].clone();
        let above = self.folder(chance);
        if above.starts_with(&from) {
            return self.make_folder(chance);
        }
        let to = above.join(self.name(chance));
        fs::rename(&from, &to).unwrap();
        self.renamed(&from, &to);
        format!("move folder {} to {}", self.shown(&from), self.shown(&to))
    }

    fn gone(&mut self, path: &Path) {
        self.files.retain(|file| !file.starts_with(path));
        self.folders.retain(|folder| !folder.starts_with(path));
    }

    fn delete(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        fs::remove_file(&path).unwrap();
        self.gone(&path);
        format!("delete {}", self.shown(&path))
    }

    /// One that holds little: much at once is asked about.
    fn delete_folder(&mut self, chance: &mut Chance) -> String {
        let few = |folder: &&PathBuf| self.files.iter().filter(|file| file.starts_with(folder)).count() <= 10;
        let small: Vec<_> = self.folders.iter().filter(few).cloned().collect();
        if small.is_empty() {
            return self.make_folder(chance);
        }
        let path = small[chance.number(0..small.len() as u64) as usize].clone();
        fs::remove_dir_all(&path).unwrap();
        self.gone(&path);
        format!("delete folder {}", self.shown(&path))
    }

    fn change_type(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        fs::remove_file(&path).unwrap();
        self.gone(&path);
        if chance.percent(50) {
            symlink(format!("nowhere-{}", self.next), &path).unwrap();
            return format!("file becomes symlink {}", self.shown(&path));
        }
        fs::create_dir(&path).unwrap();
        let inside = path.join("inside");
        fs::write(&inside, Self::bytes(chance)).unwrap();
        self.files.push(inside);
        self.folders.push(path.clone());
        format!("file becomes folder {}", self.shown(&path))
    }

    fn case_only(&mut self, chance: &mut Chance) -> String {
        let from = self.file(chance);
        let name = from.file_name().unwrap().to_string_lossy().into_owned();
        let swapped = match name.to_uppercase() {
            upper if upper != name => upper,
            _ => name.to_lowercase(),
        };
        let to = from.with_file_name(swapped);
        if to == from || to.exists() {
            return self.touch(chance);
        }
        fs::rename(&from, &to).unwrap();
        self.renamed(&from, &to);
        format!("case {} to {}", self.shown(&from), self.shown(&to))
    }

    fn mode(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        let mode = [0o600, 0o640, 0o644, 0o755][chance.number(0..4) as usize];
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        format!("mode {mode:o} {}", self.shown(&path))
    }

    fn touch(&mut self, chance: &mut Chance) -> String {
        let path = self.file(chance);
        let when = SystemTime::now() - Duration::from_secs(chance.number(0..1_000_000));
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(when)).unwrap();
        format!("touch {}", self.shown(&path))
    }
}
