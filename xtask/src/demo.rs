//! `cargo xtask run --demo`: Beckon with an account, a machine and files to look at; nothing of it stays.

mod document;
mod picture;
mod recording;
mod sample;

use std::{
    ffi::OsString,
    fs::{File, Permissions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{build::Programs, child::Logged, command, interrupt::Interrupt};

/// The letters of a password: none that is taken for another one. 32 of them, so that each is 5 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// 80 bits.
const PASSWORD_LETTERS: usize = 16;

const ACCOUNT: &str = "demo";
const MACHINE: &str = "demo-machine";
const ROOT: &str = "Documents";

/// Starts everything, says what to do with it, and ends it when asked to.
pub(crate) fn show(programs: &Programs, listen: Option<SocketAddr>, interrupt: &Interrupt) -> Result<()> {
    // Declared first, so dropped last: after the programs that write into it.
    let folder = private_folder().context("no room for a temporary folder")?;
    let demo = Demo::new(programs, folder.path())?;
    let mut server = demo.start_server(listen)?;
    let url = server.wait_for_line("listening on ", interrupt)?;
    let set_up = server.wait_for_line("set up at ", interrupt)?;
    demo.sign_up(&url, &set_up)?;
    sample::write(&demo.documents()).context("cannot write the sample files")?;
    demo.join(&url)?;
    let mut agent = demo.start_agent()?;
    agent.wait_for_line("online as ", interrupt)?;
    demo.explain(&url);
    interrupt.or(|| {
        server.expect_running()?;
        agent.expect_running()?;
        Ok(None::<()>)
    })?;
    eprintln!("ending the demo and removing its files");
    agent.child.stop();
    server.child.stop();
    folder.close().context("cannot remove the demo's folder")
}

/// A temporary folder that only its owner may look into: it holds keys and a password.
fn private_folder() -> io::Result<TempDir> {
    let owner_only = Permissions::from_mode(0o700);
    tempfile::Builder::new()
        .prefix("beckon-demo-")
        .permissions(owner_only)
        .tempdir()
}

/// Where the demo's parts lie, and its password.
struct Demo<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    password: String,
}

impl<'a> Demo<'a> {
    fn new(programs: &'a Programs, folder: &'a Path) -> Result<Self> {
        let demo = Self {
            programs,
            folder,
            password: password()?,
        };
        let mut options = File::options();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(demo.password_file());
        file.and_then(|mut file| writeln!(file, "{}", demo.password))
            .context("cannot write the password")?;
        Ok(demo)
    }

    fn start_server(&self, listen: Option<SocketAddr>) -> Result<Logged> {
        let address = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let log = self.folder.join("server.log");
        Logged::start("server", &self.programs.server, log, |command| {
            command.arg("--listen").arg(address.to_string());
            command.arg("--data").arg(self.folder.join("server"));
        })
    }

    /// `set_up` is the address that the server printed, `http://ADDR:PORT/setup#CODE`.
    fn sign_up(&self, url: &str, set_up: &str) -> Result<()> {
        let (_, code) = set_up.split_once('#').context("the server printed no set-up code")?;
        let mut beckon = self.beckon(&self.terminal());
        beckon.args(["sign-up", url, "--setup", code, "--name", ACCOUNT]);
        beckon.arg("--password-file").arg(self.password_file());
        beckon.arg("--recovery-file").arg(self.folder.join("recovery-words"));
        command::read(&mut beckon).map(drop)
    }

    fn join(&self, url: &str) -> Result<()> {
        let mut ask = self.beckon(&self.terminal());
        ask.arg("join-code").arg("--password-file").arg(self.password_file());
        let code = find_join_code(&command::read(&mut ask)?)?;
        let mut root = OsString::from(format!("{ROOT}="));
        root.push(self.documents());
        let mut join = self.beckon(&self.machine());
        join.args(["join", url, &code, "--name", MACHINE, "--root"]).arg(root);
        command::read(&mut join).map(drop)
    }

    fn start_agent(&self) -> Result<Logged> {
        let log = self.folder.join("machine.log");
        Logged::start("machine", &self.programs.beckon, log, |command| {
            command.arg("--state").arg(self.machine()).arg("run");
        })
    }

    fn explain(&self, url: &str) {
        let (beckon, terminal) = (self.programs.beckon.display(), self.terminal());
        let (terminal, documents) = (terminal.display(), self.documents());
        let (documents, folder) = (documents.display(), self.folder.display());
        println!(
            "
Beckon runs, with an account and a machine made for this demo. Ctrl-C ends it and removes everything.
Open the address in a browser, and sign in with the name and the password.

  address   {url}
  name      {ACCOUNT}
  password  {password}
  machine   {MACHINE}, which shows {documents} as {ROOT}
  logs      {folder}/server.log, {folder}/machine.log

To try on the command line, in another terminal:

  alias beckon='{beckon} --state {terminal}'

  beckon machines                                    # who is there
  beckon ls {MACHINE}:{ROOT}                   # look into the folder, live
  beckon upload {MACHINE}:{ROOT} --wait        # have the machine upload it
  beckon drive ls {MACHINE}/{ROOT}             # what is safe now
  beckon get {MACHINE}/{ROOT} --zip all.zip    # and back, as one ZIP

  echo 'one line more' >> {documents}/notes/welcome.md
  beckon upload {MACHINE}:{ROOT} --wait        # again: only what changed goes over the wire
  beckon drive versions {MACHINE}/{ROOT}/notes/welcome.md
",
            password = self.password,
        );
    }

    fn beckon(&self, state: &Path) -> Command {
        let mut command = Command::new(&self.programs.beckon);
        command.arg("--state").arg(state);
        command
    }

    /// The state of the terminal that signs up.
    fn terminal(&self) -> PathBuf {
        self.folder.join("terminal")
    }

    /// The state of the machine.
    fn machine(&self) -> PathBuf {
        self.folder.join("machine")
    }

    /// The machine's root.
    fn documents(&self) -> PathBuf {
        self.folder.join(MACHINE).join(ROOT)
    }

    fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }
}

/// A new password, in groups that can be typed.
fn password() -> Result<String> {
    let mut random = [0; PASSWORD_LETTERS];
    getrandom::fill(&mut random).context("the system has no randomness")?;
    let letters = random.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    let groups = letters.chunks(4).map(|group| group.iter().collect::<String>());
    Ok(groups.collect::<Vec<_>>().join("-"))
}

fn find_join_code(text: &str) -> Result<String> {
    let from = text.find("bk1-").context("`beckon join-code` printed no code")?;
    let code = text[from..]
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next();
    let code = code.unwrap_or_default();
    ensure!(code.len() > "bk1-".len(), "`beckon join-code` printed an empty code");
    Ok(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_passwords_differ_and_can_be_typed() {
        let (one, two) = (password().unwrap(), password().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 19);
        assert!(one.split('-').all(|group| group.len() == 4), "{one}");
    }

    #[test]
    fn a_join_code_is_found_in_text_and_in_json() {
        for text in [
            "on the machine:\n  beckon join URL bk1-AB-12\n",
            "{\"code\":\"bk1-AB-12\"}",
        ] {
            assert_eq!(find_join_code(text).unwrap(), "bk1-AB-12");
        }
        assert!(find_join_code("none").is_err());
    }
}
