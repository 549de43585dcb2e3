//! What of a folder could not be read: it is left out, said at the end, and named in a text file inside the archive.

use beckon_shared::error::{ErrorCode, Refusal};

use crate::{download::message::Leftovers, text};

/// So many are told to the page by name.
const SHOWN: usize = 100;
/// So many bytes are written about them; who reads on by then looks on the machine.
const TEXT_MAX: usize = 4 << 20;

/// Gathers what is left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    all: Leftovers,
    text: String,
}

impl LeftOut {
    /// Notes an entry by its path in the archive.
    pub(super) fn note(&mut self, path: &[u8], refusal: Refusal) {
        let path = String::from_utf8_lossy(path).into_owned();
        if self.text.len() < TEXT_MAX {
            // A name may hold a line end, which must not look like another entry.
            self.text += &format!("{}: {}\r\n", path.escape_debug(), text::error::of(&refusal));
        }
        self.all.count += 1;
        if self.all.some.len() < SHOWN {
            self.all.some.push((path, refusal));
        }
    }

    /// The content of the text file, unless nothing was left out.
    pub(super) fn text(&self) -> Option<String> {
        let intro = text::download::left_out_intro();
        (self.all.count > 0).then(|| format!("{intro}\r\n\r\n{}", self.text))
    }

    /// For the page.
    pub(super) fn leftovers(self) -> Leftovers {
        self.all
    }
}

/// Whether it concerns one entry alone, and the others can be had all the same.
pub(super) fn is_of_entry(refusal: &Refusal) -> bool {
    use ErrorCode as Code;
    matches!(
        refusal.code,
        Code::NotFound
            | Code::NotReadable
            | Code::NotAFile
            | Code::Changing
            | Code::Damaged
            | Code::BadRequest
            | Code::TooLarge
            | Code::Conflict
            | Code::Internal
    )
}
