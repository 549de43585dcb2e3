//! A certificate authority that terminals, machines and browsers of a story trust.

use std::{fs, path::PathBuf, process::Command};

use beckon_tests::page::Options;
use tempfile::TempDir;

/// Signs certificates for addresses. What trusts it needs it as long as it runs.
pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    /// A new one, with a certificate for a server at this address.
    #[track_caller]
    pub(crate) fn for_address(address: &str) -> Self {
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        authority.make("ca", &["-subj", "/CN=tests"], "basicConstraints=critical,CA:TRUE");
        let (ca, key) = (authority.path("ca.pem"), authority.path("ca.key"));
        let names = format!("subjectAltName=IP:{address}");
        let subject = format!("/CN={address}");
        let signed = ["-subj", &subject, "-CA", &ca, "-CAkey", &key, "-addext", &names];
        authority.make("server", &signed, "basicConstraints=critical,CA:FALSE");
        authority.make_browser_home();
        authority
    }

    /// Makes a server speak TLS with the certificate.
    pub(crate) fn certify(&self, options: beckon_tests::server::Options) -> beckon_tests::server::Options {
        let (certificate, key) = (self.path("server.pem"), self.path("server.key"));
        options.args(["--tls-cert", &certificate, "--tls-key", &key])
    }

    /// What a terminal or machine needs in its environment.
    pub(crate) fn file(&self) -> String {
        self.path("ca.pem")
    }

    /// Makes a browser trust it.
    pub(crate) fn trusted_by(&self, options: Options) -> Options {
        options.env("HOME", self.folder.path().join("home"))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    #[track_caller]
    fn make(&self, name: &str, options: &[&str], kind: &str) {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-days", "2"]).args(key);
        openssl.args(["-keyout", &self.path(&format!("{name}.key"))]);
        openssl.args(["-out", &self.path(&format!("{name}.pem"))]);
        run(openssl.args(options).args(["-addext", kind]));
    }

    /// A home with the list of authorities that Chromium reads.
    #[track_caller]
    fn make_browser_home(&self) {
        let list: PathBuf = self.folder.path().join("home/.pki/nssdb");
        fs::create_dir_all(&list).unwrap();
        let list = format!("sql:{}", list.display());
        run(Command::new("certutil").args(["-N", "-d", &list, "--empty-password"]));
        run(Command::new("certutil").args(["-A", "-d", &list, "-t", "C,,", "-n", "tests", "-i", &self.file()]));
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
}
