//! The agent as a unit of systemd, with no more rights than it needs.

use std::{fmt::Write, path::Path};

use crate::output::Failure;

/// Homes and what is kept for their owners while they are signed in (`ProtectHome=`, systemd.exec(5)), also where systems of
/// one image have them, with links at the usual places.
const HOMES: [&str; 5] = ["/home", "/root", "/run/user", "/var/home", "/var/roothome"];
/// What `PrivateTmp=` puts a folder of its own in place of.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// What holds for every agent, whoever starts it. None of it needs a namespace, which a manager of a user cannot make
/// everywhere. Exit codes 2 and 3 say that another start would end in the same way.
const ALWAYS: &str = "\
Type=exec
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 3
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
";

/// What a manager of the system can do besides.
const SYSTEM: &str = "\
AmbientCapabilities=
DevicePolicy=closed
KeyringMode=private
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
";

/// Who is to read and write what.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    /// This program.
    pub(super) program: &'a Path,
    /// What it is told.
    pub(super) args: &'a [&'a Path],
    /// The state folder.
    pub(super) state: &'a Path,
    /// Each root, and whether orders may write into it.
    pub(super) roots: &'a [(&'a Path, bool)],
    /// The user, by name or number, of a unit of the system; absent for one that a user's own manager starts.
    pub(super) user: Option<&'a str>,
}

impl Unit<'_> {
    /// As it stands in the file.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let mut text = String::from(
            "[Unit]\n\
             Description=Beckon agent: the files of this machine for your other devices\n",
        );
        if self.user.is_some() {
            text.push_str("Wants=network-online.target\nAfter=network-online.target\n");
        }
        text.push_str("\n[Service]\n");
        let mut command = vec![quoted(self.program, true)?];
        for arg in self.args {
            command.push(quoted(arg, true)?);
        }
        let _ = writeln!(text, "ExecStart={}", command.join(" "));
        text.push_str(ALWAYS);
        if let Some(user) = self.user {
            self.confine(user, &mut text)?;
        }
        let target = if self.user.is_some() {
            "multi-user.target"
        } else {
            "default.target"
        };
        let _ = write!(text, "\n[Install]\nWantedBy={target}\n");
        Ok(text)
    }

    /// What the system lets nobody but root decide.
    fn confine(&self, user: &str, text: &mut String) -> Result<(), Failure> {
        let _ = writeln!(text, "User={user}");
        text.push_str(SYSTEM);
        // Whoever runs it as root means to reach files of others, which takes these; no other user has any.
        let capabilities = match user {
            "root" | "0" => "CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER",
            _ => "",
        };
        let _ = writeln!(text, "CapabilityBoundingSet={capabilities}");
        let homes = match (self.writes_above(&HOMES), self.needs(&HOMES)) {
            (true, _) => "no",
            (false, true) => "read-only",
            (false, false) => "yes",
        };
        let _ = writeln!(text, "ProtectHome={homes}");
        let temporary = if self.needs(&TEMPORARY) { "no" } else { "yes" };
        let _ = writeln!(text, "PrivateTmp={temporary}");
        let _ = writeln!(text, "ReadWritePaths={}", quoted(self.state, false)?);
        for (root, _) in self.roots.iter().filter(|(_, writable)| *writable) {
            // A disk that is not there is no reason not to start.
            let _ = writeln!(
                text,
                "ReadWritePaths=\"-{}",
                quoted(root, false)?.trim_start_matches('"')
            );
        }
        Ok(())
    }

    /// Whether anything that it needs lies there, or holds it.
    fn needs(&self, folders: &[&str]) -> bool {
        let needed = [self.program, self.state].into_iter().chain(self.args.iter().copied());
        let mut needed = needed.chain(self.roots.iter().map(|(root, _)| *root));
        needed.any(|path| touches(path, folders))
    }

    /// Whether it may write into a root that holds any of them.
    fn writes_above(&self, folders: &[&str]) -> bool {
        let mut writable = self.roots.iter().filter(|(_, writable)| *writable);
        writable.any(|(root, _)| folders.iter().any(|folder| Path::new(folder).starts_with(root)))
    }
}

fn touches(path: &Path, folders: &[&str]) -> bool {
    let mut folders = folders.iter().map(Path::new);
    folders.any(|folder| path.starts_with(folder) || folder.starts_with(path))
}

/// Whether a unit is one of this state folder.
pub(super) fn is_of(unit: &str, state: &Path) -> bool {
    lets_write(unit, state)
}

/// Whether a unit lets its service reach a root as its owner opened it.
pub(super) fn reaches(unit: &str, root: &Path, writable: bool) -> bool {
    let says = |line: &str| unit.lines().any(|told| told == line);
    let is_hidden =
        says("ProtectHome=yes") && touches(root, &HOMES) || says("PrivateTmp=yes") && touches(root, &TEMPORARY);
    !is_hidden && (!writable || lets_write(unit, root))
}

fn lets_write(unit: &str, folder: &Path) -> bool {
    let Ok(word) = quoted(folder, false) else { return false };
    let path = word.trim_start_matches('"');
    unit.lines()
        .filter_map(|line| line.strip_prefix("ReadWritePaths="))
        .any(|told| told.trim_start_matches(['"', '-']) == path)
}

/// A word of a unit: in quotes, with the signs that have a meaning spelt so that they have none (systemd.syntax(7),
/// systemd.service(5)).
fn quoted(path: &Path, is_command: bool) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r']));
    let text = text.ok_or_else(|| {
        Failure::usage(format!(
            "{} cannot stand in a unit of systemd, which is text; rename the folder",
            path.display()
        ))
    })?;
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '$' if is_command => out.push_str("$$"),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(state: &str, roots: &[(&str, bool)], user: Option<&str>) -> String {
        let roots: Vec<(&Path, bool)> = roots
            .iter()
            .map(|(root, writable)| (Path::new(*root), *writable))
            .collect();
        Unit {
            program: Path::new("/usr/bin/beckon"),
            args: &[Path::new("--state"), Path::new(state), Path::new("run")],
            state: Path::new(state),
            roots: &roots,
            user,
        }
        .text()
        .unwrap()
    }

    fn lines<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
        let prefix = format!("{key}=");
        text.lines()
            .filter_map(|line| line.strip_prefix(prefix.as_str()))
            .collect()
    }

    #[test]
    fn only_its_state_and_writable_roots_can_be_written() {
        let text = unit(
            "/var/lib/beckon",
            &[("/srv/in", true), ("/srv/out", false)],
            Some("1000"),
        );
        assert_eq!(lines(&text, "ReadWritePaths"), ["\"/var/lib/beckon\"", "\"-/srv/in\""]);
        assert_eq!(lines(&text, "ProtectHome"), ["yes"]);
        assert_eq!(lines(&text, "PrivateTmp"), ["yes"]);
        assert_eq!(lines(&text, "User"), ["1000"]);
        assert_eq!(lines(&text, "CapabilityBoundingSet"), [""]);
        for (folder, is_named) in [
            ("/srv/in", true),
            ("/var/lib/beckon", true),
            ("/srv/out", false),
            ("/srv", false),
        ] {
            assert_eq!(is_of(&text, Path::new(folder)), is_named, "{folder}");
        }
    }

    #[test]
    fn what_it_needs_is_not_hidden_from_it() {
        let text = unit("/home/me/.local/state/beckon", &[("/tmp/x", false)], Some("me"));
        assert_eq!(lines(&text, "ProtectHome"), ["read-only"]);
        assert_eq!(lines(&text, "PrivateTmp"), ["no"]);
        let root = unit("/var/lib/beckon", &[], Some("0"));
        assert!(lines(&root, "CapabilityBoundingSet")[0].contains("CAP_DAC_READ_SEARCH"));
    }

    #[test]
    fn nothing_is_hidden_in_a_root_that_holds_homes_or_temporary_folders() {
        for (root, writable, homes, temporary) in [
            ("/", false, "read-only", "no"),
            ("/", true, "no", "no"),
            ("/home", true, "no", "yes"),
            ("/home/me/in", true, "read-only", "yes"),
            ("/var", false, "read-only", "no"),
            ("/var/home/me", false, "read-only", "yes"),
            ("/srv", true, "yes", "yes"),
        ] {
            let text = unit("/opt/beckon/state", &[(root, writable)], Some("me"));
            assert_eq!(
                [lines(&text, "ProtectHome"), lines(&text, "PrivateTmp")].concat(),
                [homes, temporary],
                "{root} {writable}"
            );
        }
    }

    #[test]
    fn a_root_that_was_opened_after_the_unit_was_made_may_be_out_of_its_reach() {
        let text = unit("/var/lib/beckon", &[("/srv/in", true)], Some("me"));
        for (root, writable, expected) in [
            ("/srv/in", true, true),
            ("/srv/other", false, true),
            ("/srv/other", true, false),
            ("/home/me", false, false),
            ("/", false, false),
            ("/tmp/x", false, false),
        ] {
            assert_eq!(reaches(&text, Path::new(root), writable), expected, "{root} {writable}");
        }
    }

    #[test]
    fn a_unit_of_a_user_asks_for_no_namespace_and_starts_with_the_session() {
        let text = unit("/home/me/state", &[("/home/me", true)], None);
        for key in [
            "User",
            "ProtectSystem",
            "ProtectHome",
            "PrivateTmp",
            "CapabilityBoundingSet",
        ] {
            assert!(lines(&text, key).is_empty(), "{key}");
        }
        assert_eq!(lines(&text, "NoNewPrivileges"), ["yes"]);
        assert_eq!(lines(&text, "WantedBy"), ["default.target"]);
    }

    #[test]
    fn a_path_cannot_become_anything_else() {
        let word = |text: &str, is_command| quoted(Path::new(text), is_command).map_err(|failure| failure.code);
        assert_eq!(word("/a b", true).as_deref(), Ok("\"/a b\""));
        assert_eq!(word("/100%/$x\"\\", true).as_deref(), Ok(r#""/100%%/$$x\"\\""#));
        assert_eq!(word("/$x", false).as_deref(), Ok("\"/$x\""));
        assert_eq!(word("/a\nUser=root", false), Err("usage"));
    }
}
