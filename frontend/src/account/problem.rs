//! Why somebody did not get in, or could not prove who they are.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    password::BadPassword,
    recovery::BadWords,
};

use crate::text;

/// Why a way in was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The server or the network.
    Refused(Refusal),
    /// The password cannot be used.
    Password(BadPassword),
    /// These are no recovery words.
    Words(BadWords),
    /// The server shows another account key than the one that this browser pinned.
    OtherAccount,
}

impl Problem {
    /// What to tell the person.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Refused(refusal) if refusal.code == ErrorCode::WrongPassword => {
                text::account::wrong_password().to_owned()
            }
            Self::Refused(refusal) => text::error::of(refusal),
            Self::Password(bad) => password_text(*bad).to_owned(),
            Self::Words(bad) => words_text(bad),
            Self::OtherAccount => text::account::other_account().to_owned(),
        }
    }

    /// The same to somebody who is signed in, whose name is known to be right.
    pub(crate) fn text_inside(&self) -> String {
        match self {
            bad if bad.is(ErrorCode::WrongPassword) => text::settings::wrong_password().to_owned(),
            bad => bad.text(),
        }
    }

    /// Whether the server answered with this code.
    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.code == code)
    }
}

fn password_text(bad: BadPassword) -> &'static str {
    match bad {
        BadPassword::Empty => text::account::password_missing(),
        BadPassword::Short => text::account::password_short(),
        BadPassword::Long => text::account::password_long(),
        BadPassword::Params => text::account::password_params(),
        BadPassword::Memory => text::account::password_memory(),
    }
}

fn words_text(bad: &BadWords) -> String {
    match bad {
        BadWords::Count(count) => text::account::words_count(count),
        BadWords::Unknown { place } => text::account::words_unknown(place),
        BadWords::Checksum => text::account::words_checksum().to_owned(),
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BadPassword> for Problem {
    fn from(bad: BadPassword) -> Self {
        Self::Password(bad)
    }
}

impl From<BadWords> for Problem {
    fn from(bad: BadWords) -> Self {
        Self::Words(bad)
    }
}
