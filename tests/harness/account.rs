//! An account with a terminal that is signed in.

use std::path::{Path, PathBuf};

use crate::{
    cli::{Cli, Output},
    server::Server,
};

/// A person who has signed up, and the terminal that they did it on.
pub struct Account {
    name: String,
    url: String,
    cli: Cli,
    password_file: PathBuf,
    recovery_file: PathBuf,
}

impl Account {
    /// Signs up with the server's set-up code. Only the first account of a server can; others by [`Self::sign_up_with`].
    #[track_caller]
    pub fn sign_up(server: &Server, name: &str) -> Self {
        let code = server.set_up_code();
        Self::sign_up_with(server.url(), &code, name)
    }

    /// Signs up with a code, for instance of an invitation.
    #[track_caller]
    pub fn sign_up_with(url: &str, code: &str, name: &str) -> Self {
        Self::sign_up_on(Cli::new(), url, code, name)
    }

    /// Signs up with a code on a terminal at hand, for instance of a computer in a network.
    #[track_caller]
    pub fn sign_up_on(cli: Cli, url: &str, code: &str, name: &str) -> Self {
        let password_file = cli.secret_file("password", &format!("correct horse of {name}\n"));
        let recovery_file = cli.file("recovery-words");
        let mut args = words(&["sign-up", url, "--setup", code, "--name", name]);
        args.extend(file_arg("--password-file", &password_file));
        args.extend(file_arg("--recovery-file", &recovery_file));
        cli.run(args).expect_ok();
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            cli,
            password_file,
            recovery_file,
        }
    }

    /// The name to sign in with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The terminal of the sign-up.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// The file that holds the password.
    pub fn password_file(&self) -> &Path {
        &self.password_file
    }

    /// The file that holds the 24 words.
    pub fn recovery_file(&self) -> &Path {
        &self.recovery_file
    }

    /// Signs in on a new terminal.
    #[track_caller]
    pub fn other_terminal(&self) -> Cli {
        let cli = Cli::new();
        self.login(&cli).expect_ok();
        cli
    }

    /// Signs in on `cli`, with the password that the account was made with.
    #[track_caller]
    pub fn login(&self, cli: &Cli) -> Output {
        let mut args = words(&["login", &self.url, "--name", &self.name]);
        args.extend(file_arg("--password-file", &self.password_file));
        cli.run(args)
    }

    /// A join code `bk1-...`; `options` as in `["--uses", "2", "--role", "copy"]`.
    #[track_caller]
    pub fn join_code(&self, options: &[&str]) -> String {
        let mut args = words(&["join-code"]);
        args.extend(words(options));
        args.extend(file_arg("--password-file", &self.password_file));
        let output = self.cli.run(args).expect_ok();
        find_join_code(&output.stdout()).unwrap_or_else(|| panic!("no join code: {output}"))
    }
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(ToString::to_string).collect()
}

fn file_arg(flag: &str, path: &Path) -> [String; 2] {
    [flag.to_owned(), path.display().to_string()]
}

/// The first join code in a text for people or in JSON.
fn find_join_code(text: &str) -> Option<String> {
    let from = text.to_ascii_lowercase().find("bk1-")?;
    let code = text[from..]
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next()?;
    Some(code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::find_join_code;

    #[test]
    fn a_join_code_is_found_in_text_and_in_json() {
        for text in [
            "run:\n  beckon join http://x bk1-AB-12\n",
            "{\"code\":\"bk1-AB-12\",\"uses\":1}",
        ] {
            assert_eq!(find_join_code(text).as_deref(), Some("bk1-AB-12"));
        }
        assert_eq!(find_join_code("nothing"), None);
    }
}
