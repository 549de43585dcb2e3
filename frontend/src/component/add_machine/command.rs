//! The line to paste: for the shell of each system, with names and paths quoted as it wants them.

use beckon_shared::path::Label;

use crate::dom;

/// The system of the machine that is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
}

impl System {
    pub(super) const ALL: [Self; 3] = [Self::Linux, Self::MacOs, Self::Windows];

    /// The one of this browser: people have more of the same.
    pub(super) fn guess() -> Self {
        let agent = dom::window().navigator().user_agent().unwrap_or_default();
        match agent {
            agent if agent.contains("Windows") => Self::Windows,
            agent if agent.contains("Mac") => Self::MacOs,
            _ => Self::Linux,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::MacOs => "macOS",
            Self::Windows => "Windows",
        }
    }

    /// A folder that most have.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Windows => "~\\Documents",
            Self::Linux | Self::MacOs => "~/Documents",
        }
    }

    /// Whether the text says where a folder is, from the top or from the home of whoever runs the command.
    pub(super) fn takes(self, folder: &str) -> bool {
        let is_home = home(folder).is_some();
        let is_plain = !folder.chars().any(char::is_control);
        is_plain
            && match self {
                Self::Linux | Self::MacOs => is_home || folder.starts_with('/'),
                Self::Windows => is_home || folder.starts_with("\\\\") || folder.get(1..3) == Some(":\\"),
            }
    }
}

/// What stands behind `~`, where a folder begins with it.
fn home(folder: &str) -> Option<&str> {
    let rest = folder.strip_prefix('~')?;
    (rest.is_empty() || rest.starts_with(['/', '\\'])).then_some(rest)
}

/// The line, in the parts that are drawn differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// `beckon join ORIGIN`
    pub(super) before: String,
    /// The join code.
    pub(super) code: String,
    /// `--root NAME=PATH`, quoted.
    pub(super) root: String,
    /// What runs the machine then.
    pub(super) after: &'static str,
}

impl Command {
    /// The line for a folder; nothing if the text names none.
    pub(super) fn new(system: System, origin: &str, code: &str, folder: &str, writable: bool) -> Option<Self> {
        let folder = folder.trim();
        if !system.takes(folder) {
            return None;
        }
        let name = root_name(folder);
        let end = if writable { ":rw" } else { "" };
        let root = match system {
            System::Windows => windows_root(&name, folder, end),
            System::Linux | System::MacOs => unix_root(&name, folder, end),
        };
        let after = match system {
            // PowerShell before 7 has no `&&`.
            System::Windows => "; if ($?) { beckon run }",
            System::Linux | System::MacOs => " && beckon run",
        };
        Some(Self {
            before: format!("beckon join {origin}"),
            code: code.to_owned(),
            root: format!("--root {root}"),
            after,
        })
    }

    /// The whole line.
    pub(super) fn text(&self) -> String {
        let Self {
            before,
            code,
            root,
            after,
        } = self;
        format!("{before} {code} {root}{after}")
    }
}

/// The last part of the path, made fit to be a root's name.
fn root_name(folder: &str) -> String {
    let last = folder
        .trim_end_matches(['/', '\\'])
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default();
    let name: String = last
        .chars()
        .filter(|c| !matches!(c, '/' | ':' | '='))
        .take(64)
        .collect();
    match Label::new(name.trim()) {
        Ok(name) if name.as_str() != "~" => name.to_string(),
        Ok(_) => "Home".to_owned(),
        Err(_) if last.is_empty() => "Disk".to_owned(),
        Err(_) => "Folder".to_owned(),
    }
}

/// `$HOME` is opened by every shell wherever it stands; `~` only at the beginning of a word.
fn unix_root(name: &str, folder: &str, end: &str) -> String {
    let is_special = |c: char| matches!(c, '"' | '$' | '`' | '\\' | '!');
    match home(folder) {
        Some(rest) if !rest.contains(is_special) && !name.contains(is_special) => {
            format!("\"{name}=$HOME{rest}{end}\"")
        }
        Some(rest) => format!(
            "{}\"$HOME\"{}",
            unix_quoted(&format!("{name}=")),
            unix_quoted(&format!("{rest}{end}"))
        ),
        None => unix_quoted(&format!("{name}={folder}{end}")),
    }
}

fn unix_quoted(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | ',' | '@' | '+');
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn windows_root(name: &str, folder: &str, end: &str) -> String {
    let escaped = |text: &str| -> String {
        let is_special = |c: char| matches!(c, '`' | '$' | '"');
        text.chars()
            .flat_map(|c| is_special(c).then_some('`').into_iter().chain([c]))
            .collect()
    };
    let path = match home(folder) {
        Some(rest) => format!("$HOME{}", escaped(rest)),
        None => escaped(folder),
    };
    format!("\"{}={path}{end}\"", escaped(name))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::{Command, System, root_name};

    fn root(system: System, folder: &str, writable: bool) -> Option<String> {
        Command::new(system, "https://x", "bk1-A", folder, writable).map(|command| command.root)
    }

    #[wasm_bindgen_test]
    fn the_line_is_what_the_command_line_takes() {
        let command = Command::new(System::Linux, "http://10.0.0.2:8440", "bk1-A", "~/Documents", false);
        let text = command.map(|command| command.text());
        let wanted = "beckon join http://10.0.0.2:8440 bk1-A --root \"Documents=$HOME/Documents\" && beckon run";
        assert_eq!(text.as_deref(), Some(wanted));
    }

    #[wasm_bindgen_test]
    fn spaces_and_quotes_do_not_break_out_of_the_line() {
        let quoted = root(System::Linux, "/srv/it's mine; rm -rf", true);
        assert_eq!(
            quoted.as_deref(),
            Some("--root 'it'\\''s mine; rm -rf=/srv/it'\\''s mine; rm -rf:rw'")
        );
        let quoted = root(System::MacOs, "~/$(date)", false);
        assert_eq!(quoted.as_deref(), Some("--root '$(date)='\"$HOME\"'/$(date)'"));
        let quoted = root(System::Windows, "C:\\a $b`c", false);
        assert_eq!(quoted.as_deref(), Some("--root \"a `$b``c=C:\\a `$b``c\""));
    }

    #[wasm_bindgen_test]
    fn a_folder_that_is_nowhere_makes_no_line() {
        assert_eq!(root(System::Linux, "Documents", false), None);
        assert_eq!(root(System::Linux, "", false), None);
        assert_eq!(root(System::Windows, "/home", false), None);
        assert_eq!(root(System::MacOs, "~bob/x", false), None);
    }

    #[wasm_bindgen_test]
    fn a_root_is_named_by_its_folder() {
        assert_eq!(root_name("~/Documents/"), "Documents");
        assert_eq!(root_name("~"), "Home");
        assert_eq!(root_name("/"), "Disk");
        assert_eq!(root_name("/a/:"), "Folder");
        assert_eq!(root_name("C:\\"), "C");
        assert_eq!(root_name("/a/b=c"), "bc");
    }
}
