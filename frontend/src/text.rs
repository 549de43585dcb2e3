//! All words that people read, in both languages, side by side: one file for each place in the app.
//!
//! A text that lacks a language does not compile. The app is drawn anew when the language changes, so texts are plain
//! functions and need not be tracked.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

/// Defines texts: `name = "English" | "中文";` is a function without arguments, `name(count) = "{count} files" | "{count} 个文件";`
/// one whose arguments stand in both.
macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident $(($($arg:ident),+))? = $en:literal | $zh:literal;)*) => {
        $(texts! { @one [$(#[$meta])*] $name [$($($arg),+)?] $en $zh })*
    };
    (@one [$($meta:tt)*] $name:ident [] $en:literal $zh:literal) => {
        $($meta)*
        pub(crate) fn $name() -> &'static str {
            match $crate::text::lang() {
                $crate::text::Lang::En => $en,
                $crate::text::Lang::Zh => $zh,
            }
        }
    };
    (@one [$($meta:tt)*] $name:ident [$($arg:ident),+] $en:literal $zh:literal) => {
        $($meta)*
        pub(crate) fn $name($($arg: &dyn std::fmt::Display),+) -> String {
            match $crate::text::lang() {
                $crate::text::Lang::En => format!($en),
                $crate::text::Lang::Zh => format!($zh),
            }
        }
    };
}

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod common;
pub(crate) mod device;
pub(crate) mod download;
pub(crate) mod drive;
pub(crate) mod error;
pub(crate) mod keyboard;
pub(crate) mod machine;
pub(crate) mod machines;
pub(crate) mod nowhere;
pub(crate) mod past;
pub(crate) mod reach;
pub(crate) mod search;
pub(crate) mod settings;
pub(crate) mod sync;
pub(crate) mod transfer;
pub(crate) mod upload;

/// A language of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// As `lang` of the page and for the browser's own formatting.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }
}

thread_local! {
    static LANG: Cell<Lang> = const { Cell::new(Lang::En) };
}

/// The language that texts come in.
pub(crate) fn lang() -> Lang {
    LANG.get()
}

/// Texts come in this language from now on; what is drawn already must be drawn anew.
pub(crate) fn set_lang(lang: Lang) {
    LANG.set(lang);
}

/// English needs another word for one of a thing; Chinese does not.
pub(crate) fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
