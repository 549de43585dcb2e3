//! The files of the demo's machine: what a person might have, with some names that break careless programs.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use crate::demo::{document, picture, recording};

/// Large enough for an upload that one can watch and pause.
const RECORDING_BYTES: u32 = 20_000_000;

/// Writes the files into `folder`, which it makes.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    notes(&folder.join("notes"))?;
    put(&folder.join("budget/expenses 2026.csv"), expenses())?;
    invoices(&folder.join("invoices"))?;
    pictures(&folder.join("photos/海边 2026-05"))?;
    odd_names(&folder.join("odd names"))?;
    put(
        &folder.join("recordings/harbour at night.wav"),
        recording::wav(RECORDING_BYTES),
    )?;
    put(&folder.join("bin/hello.sh"), "#!/bin/sh\necho hello\n")?;
    fs::set_permissions(folder.join("bin/hello.sh"), fs::Permissions::from_mode(0o755))?;
    fs::create_dir(folder.join("empty folder"))?;
    symlink("invoices/invoice-2026-03.pdf", folder.join("newest invoice.pdf"))
}

fn notes(folder: &Path) -> io::Result<()> {
    put(
        &folder.join("welcome.md"),
        "# Welcome\n\nThese files lie on a machine that joined Beckon. Call them; they come.\n",
    )?;
    put(
        &folder.join("travel/packing list.txt"),
        "passport\ncharger\nrain coat\nthe book that I never finish\n",
    )?;
    put(
        &folder.join("读书笔记.md"),
        "# 读书笔记\n\n- 《庄子》：逍遥游\n- 《论语》：学而\n",
    )?;
    put(&folder.join("empty.txt"), "")
}

fn expenses() -> String {
    let rows = (1..=12).flat_map(|month| {
        let kinds = [
            ("rent", 84_000),
            ("food", 31_250 + month * 173),
            ("trains", 4_900 + month * 37),
        ];
        kinds.map(|(kind, cents)| format!("2026-{month:02}-01,{kind},{}.{:02}\n", cents / 100, cents % 100))
    });
    std::iter::once("date,what,amount\n".to_owned()).chain(rows).collect()
}

fn invoices(folder: &Path) -> io::Result<()> {
    for month in 1..=3 {
        let title = format!("Invoice 2026-{month:02}");
        let amount = format!("Amount due: {}.00", 1_200 + month * 35);
        let page = document::pdf(&[&title, "", "Design of a lighthouse, one month", &amount]);
        put(&folder.join(format!("invoice-2026-{month:02}.pdf")), page)?;
    }
    Ok(())
}

fn pictures(folder: &Path) -> io::Result<()> {
    for (number, name) in ["日落 1.png", "日落 2.png", "日落 3.png"].iter().enumerate() {
        put(&folder.join(name), picture::png(480, 320, number as f32 / 2.0))?;
    }
    Ok(())
}

fn odd_names(folder: &Path) -> io::Result<()> {
    let long = format!("{}.txt", "a long name ".repeat(20));
    let names = [
        "two  blanks.txt",
        "-starts with a dash.txt",
        "100% sure?.txt",
        "colon: and *star*.txt",
        "two\nlines.txt",
        "emoji 🌊.txt",
        "עברית.txt",
        ".hidden",
        long.as_str(),
    ];
    names
        .iter()
        .try_for_each(|name| put(&folder.join(name), format!("My name is {name:?}.\n")))
}

fn put(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sample_files_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        super::write(folder.path()).unwrap();
        assert!(folder.path().join("newest invoice.pdf").is_file());
        assert!(folder.path().join("notes/读书笔记.md").is_file());
    }
}
