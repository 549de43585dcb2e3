//! Debian packages that tasks need, and installing those that are missing.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{self, is_installed};

/// What a package is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Tests,
    Bench,
    Windows,
}

struct Package {
    name: &'static str,
    /// The package is there if this program is, or this file.
    probe: &'static str,
    need: Need,
    reason: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "unzip",
        probe: "unzip",
        need: Need::Tests,
        reason: "a ZIP of ours must be good for a program that is not ours",
    },
    Package {
        name: "curl",
        probe: "curl",
        need: Need::Tests,
        reason: "what is stored must come over HTTP to a program that is not ours",
    },
    Package {
        name: "faketime",
        probe: "faketime",
        need: Need::Tests,
        reason: "clocks that are a day off",
    },
    Package {
        name: "openssl",
        probe: "openssl",
        need: Need::Tests,
        reason: "a certificate for a server that speaks TLS",
    },
    Package {
        name: "sqlite3",
        probe: "sqlite3",
        need: Need::Tests,
        reason: "an index that was lost, to be made again out of the packs",
    },
    Package {
        name: "rsync",
        probe: "rsync",
        need: Need::Tests,
        reason: "the measure for uploads",
    },
    Package {
        name: "chromium",
        probe: "chromium",
        need: Need::Tests,
        reason: "the browser that the stories of the web app are told in",
    },
    Package {
        name: "chromium-driver",
        probe: "chromedriver",
        need: Need::Tests,
        reason: "somebody who clicks and types in the browser",
    },
    Package {
        name: "npm",
        probe: "npm",
        need: Need::Tests,
        reason: "axe-core, which judges whether everybody can use a page, comes from its registry",
    },
    Package {
        name: "iproute2",
        probe: "ip",
        need: Need::Tests,
        reason: "networks of their own, in which machines reach each other directly or do not",
    },
    Package {
        name: "nftables",
        probe: "nft",
        need: Need::Tests,
        reason: "routers that hide a home behind one address",
    },
    Package {
        name: "procps",
        probe: "sysctl",
        need: Need::Tests,
        reason: "computers of tests that pass on what is not for them",
    },
    Package {
        name: "libnss3-tools",
        probe: "certutil",
        need: Need::Tests,
        reason: "a browser that trusts the certificate of a test",
    },
    Package {
        name: "fonts-wqy-microhei",
        probe: "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        need: Need::Tests,
        reason: "Chinese on the pictures of the pages",
    },
    Package {
        name: "systemd",
        probe: "systemd-analyze",
        need: Need::Tests,
        reason: "the judge of units for services",
    },
    Package {
        name: "groff-base",
        probe: "groff",
        need: Need::Tests,
        reason: "the manual must be good for the program that shows it",
    },
    Package {
        name: "gcc-mingw-w64-x86-64",
        probe: "x86_64-w64-mingw32-gcc",
        need: Need::Windows,
        reason: "C in dependencies of the agent for Windows",
    },
    Package {
        name: "syncthing",
        probe: "syncthing",
        need: Need::Bench,
        reason: "the measure for keeping folders in step",
    },
];

/// Installs the packages that `need` asks for and that are missing, and says so.
pub(crate) fn install(need: Need) -> Result<()> {
    let missing = missing(need, is_installed);
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        eprintln!("installing the package {}: {}", package.name, package.reason);
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    ensure!(
        is_installed("apt-get"),
        "this system has no apt-get: please install {} yourself",
        names.join(", ")
    );
    command::run(apt_get().arg("update"))?;
    command::run(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&names),
    )
    .with_context(|| format!("could not install {}", names.join(", ")))
}

fn missing(need: Need, is_installed: impl Fn(&str) -> bool) -> Vec<&'static Package> {
    let needed = PACKAGES.iter().filter(|package| package.need == need);
    needed.filter(|package| !is_installed(package.probe)).collect()
}

/// `apt-get` that asks nothing, by way of `sudo` unless we are root.
fn apt_get() -> Command {
    let quiet = "DEBIAN_FRONTEND=noninteractive";
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    };
    command.args([quiet, "apt-get"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_and_missing_is_installed() {
        let names = |list: Vec<&Package>| list.iter().map(|p| p.name).collect::<Vec<_>>();
        assert_eq!(
            names(missing(Need::Tests, |probe| probe == "openssl")),
            [
                "unzip",
                "curl",
                "faketime",
                "sqlite3",
                "rsync",
                "chromium",
                "chromium-driver",
                "npm",
                "iproute2",
                "nftables",
                "procps",
                "libnss3-tools",
                "fonts-wqy-microhei",
                "systemd",
                "groff-base"
            ]
        );
        assert_eq!(names(missing(Need::Bench, |probe| probe == "rsync")), ["syncthing"]);
        assert!(missing(Need::Tests, |_| true).is_empty());
    }
}
