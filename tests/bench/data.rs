//! The data sets of the benchmarks, the same in each run.

use std::{fs, path::Path};

use beckon_tests::sample;

/// `count` files of 1 to 64 KiB in `folders` folders: every other one random, the rest of words.
pub(crate) fn small_files(folder: &Path, count: u64, folders: u64) {
    for number in 0..count {
        let path = folder.join(format!("folder-{:03}/file-{number:06}", number % folders));
        let size = 1024 + hash(number, 0) % (63 * 1024);
        if number % 2 == 0 {
            sample::random_file(&path, size, number);
        } else {
            fs::create_dir_all(path.parent().expect("below a folder")).expect("room for a folder");
            fs::write(&path, words(number, size as usize)).expect("room for a file");
        }
    }
}

/// Text of a language with 4,096 words of 3 to 10 letters: it shrinks to about a third, as prose does.
fn words(seed: u64, size: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(size + 16);
    for at in 0.. {
        if text.len() >= size {
            break;
        }
        let word = hash(hash(seed, at) % 4096, 1);
        let letters = word.to_le_bytes();
        text.extend((0..3 + word as usize % 6).map(|at| b'a' + letters[at] % 26));
        text.push(if hash(seed, at).is_multiple_of(12) { b'\n' } else { b' ' });
    }
    text.truncate(size);
    text
}

fn hash(a: u64, b: u64) -> u64 {
    let hash = blake3::hash(&[a.to_le_bytes(), b.to_le_bytes()].concat());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 bytes"))
}
