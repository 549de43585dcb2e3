//! What a story looks for in a page, as a person would say it.

use std::fmt;

use serde_json::{Value, json};

/// Something visible in a page.
#[derive(Clone, Debug)]
pub enum Target {
    /// By a CSS selector. For what has neither words nor a role.
    Css(String),
    /// The innermost element that holds these words.
    Text(String),
    /// By its role and its name, as a screen reader says them. A name that is exactly the one asked for goes before
    /// one that only holds it.
    Role(String, String),
}

/// See [`Target::Css`].
pub fn css(selector: impl Into<String>) -> Target {
    Target::Css(selector.into())
}

/// See [`Target::Text`].
pub fn text(words: impl Into<String>) -> Target {
    Target::Text(words.into())
}

/// See [`Target::Role`]: `role("button", "Sign in")`.
pub fn role(role: impl Into<String>, name: impl Into<String>) -> Target {
    Target::Role(role.into(), name.into())
}

/// A button by its name.
pub fn button(name: impl Into<String>) -> Target {
    role("button", name)
}

/// A link by its name.
pub fn link(name: impl Into<String>) -> Target {
    role("link", name)
}

/// A text field by its label.
pub fn field(label: impl Into<String>) -> Target {
    role("textbox", label)
}

/// A heading by its words.
pub fn heading(words: impl Into<String>) -> Target {
    role("heading", words)
}

impl Target {
    /// For the script that looks for it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Css(selector) => json!({ "css": selector }),
            Self::Text(words) => json!({ "text": words }),
            Self::Role(role, name) => json!({ "role": role, "name": name }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Css(selector) => write!(f, "`{selector}`"),
            Self::Text(words) => write!(f, "the words \"{words}\""),
            Self::Role(role, name) => write!(f, "a {role} \"{name}\""),
        }
    }
}
