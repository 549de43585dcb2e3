//! `cargo xtask run --demo`: Beckon with an account, two machines and files to look at; nothing of it stays.

mod document;
mod picture;
mod recording;
mod sample;

use std::{
    fs::{self, File, Permissions},
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
/// The machine whose files matter, with a root for reading.
const MACHINE: &str = "demo-machine";
const ROOT: &str = "Documents";
/// The machine that copies and files are brought to, with a root that may be written.
const LAPTOP: &str = "demo-laptop";
const INBOX: &str = "Inbox";

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
    fs::create_dir_all(demo.inbox()).context("cannot make the folder for copies")?;
    let mut agents = Vec::new();
    for (name, root, mode) in [(MACHINE, demo.documents(), ""), (LAPTOP, demo.inbox(), ":rw")] {
        demo.join(&url, name, &root, mode)?;
        let mut agent = demo.start_agent(name)?;
        agent.wait_for_line("online as ", interrupt)?;
        agents.push(agent);
    }
    demo.explain(&url);
    interrupt.or(|| {
        server.expect_running()?;
        agents.iter_mut().try_for_each(Logged::expect_running)?;
        Ok(None::<()>)
    })?;
    eprintln!("ending the demo and removing its files");
    agents.iter_mut().for_each(|agent| agent.child.stop());
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

    /// `folder` becomes a root of the same name; `mode` is `:rw` where it may be written.
    fn join(&self, url: &str, machine: &str, folder: &Path, mode: &str) -> Result<()> {
        let mut ask = self.beckon(&self.terminal());
        ask.arg("join-code").arg("--password-file").arg(self.password_file());
        let code = find_join_code(&command::read(&mut ask)?)?;
        let mut root = folder.file_name().unwrap_or_default().to_owned();
        root.push("=");
        root.push(folder);
        root.push(mode);
        let mut join = self.beckon(&self.state(machine));
        join.args(["join", url, &code, "--name", machine, "--root"]).arg(root);
        command::read(&mut join).map(drop)
    }

    fn start_agent(&self, machine: &'static str) -> Result<Logged> {
        let log = self.folder.join(format!("{machine}.log"));
        Logged::start(machine, &self.programs.beckon, log, |command| {
            command.arg("--state").arg(self.state(machine)).arg("run");
        })
    }

    fn explain(&self, url: &str) {
        let (beckon, terminal) = (self.programs.beckon.display(), self.terminal());
        let (terminal, documents, inbox) = (terminal.display(), self.documents(), self.inbox());
        let (documents, inbox, folder) = (documents.display(), inbox.display(), self.folder.display());
        println!(
            "
Beckon runs, with an account and two machines made for this demo. Ctrl-C ends it and removes everything.
Open the address in a browser, and sign in with the name and the password.

  address   {url}
  name      {ACCOUNT}
  password  {password}
  machines  {MACHINE}, which shows {documents} as {ROOT}
            {LAPTOP}, which lets you write into {inbox} as {INBOX}
  logs      {folder}/server.log, {folder}/{MACHINE}.log, {folder}/{LAPTOP}.log

To try on the command line, in another terminal:

  alias beckon='{beckon} --state {terminal}'

  beckon machines                                    # who is there
  beckon ls {MACHINE}:{ROOT}                   # look into the folder, live
  beckon upload {MACHINE}:{ROOT} --wait        # have the machine upload it
  beckon drive ls {MACHINE}/{ROOT}             # what is safe now
  beckon get {MACHINE}/{ROOT} --zip all.zip    # and back, as one ZIP

  beckon watch {MACHINE}:{ROOT} --wait         # from now on each save is stored
  beckon follow {MACHINE}:{ROOT} --on {LAPTOP}:{INBOX}/Copy --wait
  echo 'one line more' >> {documents}/notes/welcome.md
  cat {inbox}/Copy/notes/welcome.md  # a moment later it is there
  beckon drive versions {MACHINE}/{ROOT}/notes/welcome.md
  beckon send {documents}/budget {LAPTOP}:{INBOX} --wait
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

    /// The state of a machine.
    fn state(&self, machine: &str) -> PathBuf {
        self.folder.join("state").join(machine)
    }

    /// The root for reading.
    fn documents(&self) -> PathBuf {
        self.folder.join(MACHINE).join(ROOT)
    }

    /// The root that may be written.
    fn inbox(&self) -> PathBuf {
        self.folder.join(LAPTOP).join(INBOX)
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
