//! Starts Chromium by way of chromedriver: each one with its own profile, at most a few at once.

use std::{
    cell::RefCell,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, LazyLock, Mutex, Weak},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{
    ChromeCapabilities, ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver,
    error::WebDriverResult,
};
use tokio::runtime::Runtime;

use crate::{net::Host, process::Process};

/// How many stories may have browsers at once: a Chromium keeps a core busy.
const STORIES: usize = 2;

/// How long chromedriver may take to listen, and Chromium to start, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// So often is a chromedriver started that finds no port.
const STARTS: usize = 5;

/// Tells `chromium.sh` the namespace that Chromium is to run in.
const NAMESPACE: &str = "BECKON_TEST_NAMESPACE";

/// A phone's screen, in CSS pixels.
const PHONE: (u32, u32) = (390, 844);

/// Drives all browsers: stories are plain functions that wait.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // Whichever crates the tests are built together with, the driver's client may want TLS at hand. Set twice is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
});

/// Waits for what a browser does.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// How a browser is started.
#[derive(Clone)]
pub struct Options {
    pub(super) size: (u32, u32),
    pub(super) phone: bool,
    pub(super) dark: bool,
    languages: String,
    /// The namespace that it runs in.
    namespace: Option<String>,
    args: Vec<String>,
    env: Vec<(OsString, OsString)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: (1280, 800),
            phone: false,
            dark: false,
            languages: "en-US,en".to_owned(),
            namespace: None,
            args: Vec::new(),
            env: Vec::new(),
        }
    }
}

impl Options {
    /// A window of this size, in CSS pixels.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// A phone: 390 pixels wide, with a finger in place of a mouse.
    pub fn phone(mut self) -> Self {
        (self.size, self.phone) = (PHONE, true);
        self
    }

    /// Whoever sits there likes it dark.
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// On a computer of a network.
    pub fn on(mut self, host: &Host) -> Self {
        self.namespace = Some(host.namespace().to_owned());
        self
    }

    /// Adds an argument for Chromium itself.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable of Chromium, for instance `HOME`.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Whoever sits there reads Chinese.
    pub fn chinese(mut self) -> Self {
        self.languages = "zh-CN,zh,en".to_owned();
        self
    }
}

/// A running Chromium. Dropping it ends it and removes its profile.
pub(super) struct Chromium {
    pub(super) driver: WebDriver,
    // Ends chromedriver, and Chromium with it.
    _process: Process,
    folder: Arc<TempDir>,
    permit: Arc<Permit>,
}

impl Chromium {
    /// Starts one with an empty profile.
    pub(super) fn start(options: &Options) -> Self {
        let folder = tempfile::tempdir().expect("room for a profile");
        for part in ["profile", "downloads"] {
            fs::create_dir(folder.path().join(part)).expect("room for a profile");
        }
        Self::launch(options, Arc::new(folder), Permit::of_this_story())
    }

    /// Ends this one as a person does, and starts one with the same profile.
    pub(super) fn restart(self, options: &Options) -> Self {
        let (folder, permit) = (Arc::clone(&self.folder), Arc::clone(&self.permit));
        wait(self.driver.clone().quit()).expect("a browser that can be closed");
        drop(self);
        Self::launch(options, folder, permit)
    }

    /// Where downloads land.
    pub(super) fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    fn launch(options: &Options, folder: Arc<TempDir>, permit: Arc<Permit>) -> Self {
        let (process, said) = driver(options, &folder.path().join("chromedriver.log"));
        let port: String = said.chars().take_while(char::is_ascii_digit).collect();
        let capabilities = capabilities(options, folder.path()).expect("capabilities");
        let started = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities).request_timeout(START_LIMIT);
        let driver = wait(started.connect()).unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        Self {
            driver,
            _process: process,
            folder,
            permit,
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // An error means that it has ended already; and chromedriver takes it along anyway.
        let _ = wait(self.driver.clone().quit());
    }
}

/// A running chromedriver, and what it says of its port. It looks for a free one and takes it a moment later, when somebody
/// else may have it.
fn driver(options: &Options, log: &Path) -> (Process, String) {
    let start = || {
        let process = Process::start_at(Path::new("chromedriver"), "chromedriver", log, |command| {
            command.arg("--port=0");
            command.envs(options.env.iter().map(|(name, value)| (name, value)));
            if let Some(namespace) = &options.namespace {
                command.env(NAMESPACE, namespace);
            }
        });
        let said = process.find_line("ChromeDriver was started successfully on port ", START_LIMIT)?;
        Some((process, said))
    };
    let mut tries = std::iter::repeat_with(start).take(STARTS);
    tries.find_map(|started| started).expect("a chromedriver that runs")
}

fn capabilities(options: &Options, folder: &Path) -> WebDriverResult<ChromeCapabilities> {
    let mut wanted = DesiredCapabilities::chrome();
    wanted.set_binary(concat!(env!("CARGO_MANIFEST_DIR"), "/harness/page/chromium.sh"))?;
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    let (width, height) = options.size;
    for arg in [
        "--headless=new".to_owned(),
        format!("--user-data-dir={}", folder.join("profile").display()),
        format!("--window-size={width},{height}"),
        format!("--lang={}", options.languages.split(',').next().unwrap_or("en")),
        "--no-first-run".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-background-networking".to_owned(),
        "--force-color-profile=srgb".to_owned(),
        "--hide-scrollbars".to_owned(),
    ] {
        wanted.add_arg(&arg)?;
    }
    if rustix::process::geteuid().is_root() {
        wanted.add_arg("--no-sandbox")?;
    }
    if options.namespace.is_some() {
        // Chromedriver stays outside, where the story is, and a port would be inside.
        wanted.add_arg("--remote-debugging-pipe")?;
    }
    for arg in &options.args {
        wanted.add_arg(arg)?;
    }
    if options.phone {
        let screen = json!({ "width": width, "height": height, "pixelRatio": 1.0, "touch": true, "mobile": true });
        wanted.add_experimental_option("mobileEmulation", json!({ "deviceMetrics": screen }))?;
    }
    wanted.add_experimental_option(
        "prefs",
        json!({
            "intl.accept_languages": options.languages,
            "download.default_directory": folder.join("downloads"),
            "download.prompt_for_download": false,
        }),
    )?;
    Ok(wanted)
}

/// The right of a story to have browsers. Several of one story share it, so that none waits for itself.
struct Permit;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

thread_local! {
    static OWN: RefCell<Weak<Permit>> = const { RefCell::new(Weak::new()) };
}

impl Permit {
    fn of_this_story() -> Arc<Self> {
        OWN.with(|own| {
            if let Some(permit) = own.borrow().upgrade() {
                return permit;
            }
            let taken = TAKEN.lock().expect("no holder panics");
            let mut taken = GIVEN_BACK
                .wait_while(taken, |taken| *taken >= STORIES)
                .expect("no holder panics");
            *taken += 1;
            let permit = Arc::new(Self);
            *own.borrow_mut() = Arc::downgrade(&permit);
            permit
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *TAKEN.lock().expect("no holder panics") -= 1;
        GIVEN_BACK.notify_one();
    }
}
