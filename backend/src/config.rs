//! The server's settings: one table that yields the command line, the environment, the file and `docs/CONFIG.md`.

mod docs;
mod file;
mod value;

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};

pub use docs::markdown;
pub use value::{Network, Origin, Size, Span};

/// The settings file in the data folder, read when no other one is named.
const FILE: &str = "beckon-server.toml";

/// What every server leaves in its data folder, even before it has stored anything: its lock at the least.
const TRACES: [&str; 3] = [DATABASE, "packs", "lock"];

/// The database in the data folder, where no other one is named.
const DATABASE: &str = "beckon.sqlite";

/// The command line of `beckon-server`.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "beckon-server",
    version,
    about = "The Beckon server: knows your machines and keeps what they upload."
)]
pub struct Cli {
    /// How the server is to run.
    #[command(flatten)]
    pub config: Config,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does instead of serving.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Check what is stored
    Check {
        /// Read every stored byte and name each damaged chunk with the versions that need it
        #[arg(long)]
        read_data: bool,
        /// Make the index of chunks anew out of the packs; the server must be stopped
        #[arg(long)]
        rebuild_index: bool,
    },
    /// Print the description of the HTTP interface (OpenAPI, JSON)
    Openapi,
    /// Make a new set-up code, as long as the server has no account
    ResetSetup,
    /// Print the settings as Markdown
    #[command(hide = true)]
    ConfigDocs,
}

/// Every setting. On the command line it is `--NAME`, in the environment `BECKON_NAME`, in the file `NAME = VALUE`.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Settings file (TOML); by default beckon-server.toml in the data folder, if there is one
    #[arg(long, global = true, env = "BECKON_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Folder for all that the server keeps; by default $STATE_DIRECTORY, else beckon in the user's data folder
    #[arg(long, global = true, env = "BECKON_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        global = true,
        env = "BECKON_LISTEN",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:8440"
    )]
    pub listen: SocketAddr,

    /// Address under which browsers and machines reach the server, such as https://beckon.example.org
    #[arg(long, global = true, env = "BECKON_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Origin>,

    /// Certificate chain for TLS (PEM); without it, put a TLS proxy before the server
    #[arg(long, global = true, env = "BECKON_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, global = true, env = "BECKON_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Database: sqlite://PATH or postgres://USER@HOST/NAME; by default SQLite in the data folder
    #[arg(
        long,
        global = true,
        env = "BECKON_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<String>,

    /// Bytes that stay free on the disk: uploads wait when there is less room
    #[arg(
        long,
        global = true,
        env = "BECKON_RESERVE",
        value_name = "SIZE",
        default_value = "256MiB"
    )]
    pub reserve: Size,

    /// How long a sign-in lasts at most; a device's certificate may end it earlier
    #[arg(
        long,
        global = true,
        env = "BECKON_SESSION_LENGTH",
        value_name = "TIME",
        default_value = "365d"
    )]
    pub session_length: Span,

    /// Networks whose X-Forwarded-For is believed, such as 127.0.0.1/32; several with commas between
    #[arg(
        long,
        global = true,
        env = "BECKON_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<Network>,

    /// What is logged, such as info or beckon_server=debug,warn
    #[arg(
        long,
        global = true,
        env = "BECKON_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,

    /// Log as one JSON object a line
    #[arg(
        long,
        global = true,
        env = "BECKON_LOG_JSON",
        value_name = "BOOL",
        num_args = 0..=1,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub log_json: bool,
}

impl Cli {
    /// Reads the settings: the command line counts most, then the environment, then the file, then the defaults.
    pub fn load<A>(args: impl IntoIterator<Item = A> + Clone) -> Result<Self, clap::Error>
    where
        A: Into<OsString> + Clone,
    {
        let first = Self::from_arg_matches(&Self::command().try_get_matches_from(args.clone())?)?;
        let Some(path) = first.config.file() else {
            return first.checked();
        };
        let command = file::with_defaults(Self::command(), &path)?;
        Self::from_arg_matches(&command.try_get_matches_from(args)?)?.checked()
    }

    fn checked(self) -> Result<Self, clap::Error> {
        if self.config.tls_cert.is_some() == self.config.tls_key.is_some() {
            return Ok(self);
        }
        let message = "--tls-cert and --tls-key belong together; set both or none";
        Err(Self::command().error(ErrorKind::MissingRequiredArgument, message))
    }
}

impl Config {
    /// Where everything is kept.
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(default_data_dir)
    }

    /// Refuses a data folder in which no server ever ran, for commands that must not make one.
    pub(crate) fn expect_data(&self) -> anyhow::Result<()> {
        let data = self.data_dir();
        let is_used = TRACES.iter().any(|name| data.join(name).exists());
        anyhow::ensure!(
            is_used,
            "there is no server's data in {}; name the folder that the server uses with --data",
            data.display()
        );
        Ok(())
    }

    /// Where the database is.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| {
            let path = self.data_dir().join(DATABASE);
            format!("sqlite://{}?mode=rwc", path.display())
        })
    }

    /// The settings file to read: the one named, else the one in the data folder if it exists.
    fn file(&self) -> Option<PathBuf> {
        let default = || Some(self.data_dir().join(FILE)).filter(|path| path.is_file());
        self.config.clone().or_else(default)
    }
}

fn default_data_dir() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    // systemd may name several folders, joined by colons; the first is ours.
    if let Some(state) = set("STATE_DIRECTORY") {
        return std::env::split_paths(&state).next().unwrap_or_default();
    }
    if let Some(data) = set("XDG_DATA_HOME") {
        return Path::new(&data).join("beckon");
    }
    let home = set("HOME").map(PathBuf::from).unwrap_or_default();
    home.join(".local/share/beckon")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::load(
            ["beckon-server"]
                .iter()
                .chain(args)
                .map(OsString::from)
                .collect::<Vec<_>>(),
        )
    }

    fn data_with(settings: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), settings).unwrap();
        let path = folder.path().display().to_string();
        (folder, path)
    }

    #[test]
    fn the_file_counts_more_than_the_defaults_and_less_than_the_command_line() {
        let (_folder, data) = data_with(
            "listen = \"127.0.0.1:1\"\nreserve = 7\nlog-json = true\ntrusted-proxy = [\"10.0.0.0/8\", \"::1\"]\n",
        );
        let config = load(&["--data", &data, "--reserve", "1KiB"]).unwrap().config;
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.reserve.0, 1024);
        assert!(config.log_json);
        assert_eq!(config.trusted_proxy.len(), 2);
        assert_eq!(config.log, "info");
        assert!(!load(&["--data", &data, "--log-json=false"]).unwrap().config.log_json);
    }

    #[test]
    fn the_environment_stands_between_file_and_command_line() {
        // Set for this one option that no other test reads from the file.
        let (_folder, data) = data_with("session-length = \"1d\"\n");
        let command = file::with_defaults(Cli::command(), &Path::new(&data).join(FILE)).unwrap();
        let found = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some("session-length"))
            .unwrap();
        assert_eq!(found.get_env().unwrap(), "BECKON_SESSION_LENGTH");
        assert_eq!(found.get_default_values(), ["1d"]);
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named() {
        let (_folder, data) = data_with("listen-on = \"127.0.0.1:1\"\n");
        let error = load(&["--data", &data]).unwrap_err().to_string();
        assert!(error.contains("listen-on"), "{error}");
    }

    #[test]
    fn options_may_stand_behind_the_subcommand() {
        let cli = load(&["check", "--read-data", "--data", "/nowhere"]).unwrap();
        assert_eq!(cli.config.data_dir(), Path::new("/nowhere"));
        assert!(matches!(
            cli.command,
            Some(Command::Check {
                read_data: true,
                rebuild_index: false
            })
        ));
    }

    #[test]
    fn a_folder_in_which_no_server_ran_is_named_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let typo = folder.path().join("typo");
        let config = load(&["--data", &typo.display().to_string()]).unwrap().config;
        let error = config.expect_data().unwrap_err().to_string();
        assert!(error.contains("typo") && error.contains("--data"), "{error}");
        assert!(!typo.exists());
        std::fs::create_dir_all(typo.join("packs")).unwrap();
        config.expect_data().unwrap();
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        assert!(load(&["--data", "/nowhere", "--tls-cert", "a.pem"]).is_err());
    }

    #[test]
    fn every_setting_has_an_environment_variable_named_after_it() {
        for arg in Cli::command().get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            let name = format!("BECKON_{}", long.to_uppercase().replace('-', "_"));
            assert_eq!(arg.get_env(), Some(name.as_ref()), "--{long}");
            assert!(markdown().contains(&name));
        }
    }
}
