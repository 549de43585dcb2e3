//! A page in a real Chromium, as a story sees it: what stands there, what one clicks, types and reads.
//!
//! ```no_run
//! use beckon_tests::{Server, page::{Page, button, field, heading}};
//!
//! let server = Server::start();
//! let page = Page::open(&format!("{}/sign-in", server.url()));
//! page.fill(field("Name"), "ann");
//! page.click(button("Sign in"));
//! page.see(heading("Machines"));
//! ```
//!
//! Everything waits, up to [`LIMIT`], for what it needs. A story fails at its end if the page reported an error or a
//! violation of the content security policy that the story did not expect; and when it fails, it leaves a screenshot.
//! So a page is to be dropped before its server is: made after it, or a field before it.

mod axe;
mod chromium;
mod console;
mod shot;
mod target;

use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use thirtyfour::{
    Key, TypingData, WebDriver, WebElement,
    error::{WebDriverErrorInner, WebDriverResult},
};

use self::{
    chromium::{Chromium, wait},
    console::Console,
};
use crate::wait;

pub use self::{
    chromium::Options,
    target::{Target, button, css, field, heading, link, role, text},
};

/// How long a page may take to show what a story waits for, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How long the page itself looks before it is asked again: it may have been replaced by another one. Milliseconds.
const LOOK_MS: u32 = 500;

/// Shift, Control, Alt and Meta, as WebDriver has them.
const MODIFIERS: [char; 4] = ['\u{e008}', '\u{e009}', '\u{e00a}', '\u{e03d}'];

const FIND: &str = include_str!("page/find.js");

/// What a person answers who is asked whether a page may reach computers in the LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanAnswer {
    /// It may.
    Granted,
    /// It may not.
    Denied,
}

/// A page in a browser with a profile of its own. Dropping it ends the browser.
pub struct Page {
    chromium: RefCell<Option<Chromium>>,
    options: Options,
    origin: String,
    console: RefCell<Console>,
    limit: Cell<Duration>,
}

impl Page {
    /// Opens a browser as most people have it, 1280 pixels wide, at this address.
    #[track_caller]
    pub fn open(url: &str) -> Self {
        Self::open_with(Options::default(), url)
    }

    /// Opens a browser at this address.
    #[track_caller]
    pub fn open_with(options: Options, url: &str) -> Self {
        let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let page = Self {
            chromium: RefCell::new(Some(Chromium::start(&options))),
            options,
            origin,
            console: RefCell::default(),
            limit: Cell::new(LIMIT),
        };
        page.emulate();
        page.go(url);
        page
    }

    /// Goes to an address, or to a path on the origin that the page was opened at. Loads the app anew.
    #[track_caller]
    pub fn go(&self, place: &str) {
        let url = match place.starts_with('/') {
            true => format!("{}{place}", self.origin),
            false => place.to_owned(),
        };
        self.gather();
        wait(self.driver().goto(url)).unwrap_or_else(|error| panic!("cannot go to {place}: {error}"));
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&self) {
        self.gather();
        wait(self.driver().refresh()).unwrap_or_else(|error| panic!("cannot reload: {error}"));
    }

    /// Goes back in the history.
    #[track_caller]
    pub fn back(&self) {
        wait(self.driver().back()).unwrap_or_else(|error| panic!("cannot go back: {error}"));
    }

    /// Closes the browser and starts it again with the same profile, at the same address.
    #[track_caller]
    pub fn restart_browser(&self) {
        let url = self.url();
        self.gather();
        let chromium = self.chromium.borrow_mut().take().expect("a browser runs");
        *self.chromium.borrow_mut() = Some(chromium.restart(&self.options));
        self.emulate();
        self.go(&url);
    }

    /// Opens the place in a further tab, which all that follows happens in.
    #[track_caller]
    pub fn open_tab(&self, place: &str) {
        let driver = self.driver();
        self.gather();
        let tab = wait(driver.new_tab()).expect("a tab");
        wait(driver.switch_to_window(tab)).expect("a tab");
        self.emulate();
        self.go(place);
    }

    /// Goes over to a tab, counted from 0 in the order of their opening.
    #[track_caller]
    pub fn switch_to_tab(&self, number: usize) {
        let driver = self.driver();
        self.gather();
        let tabs = wait(driver.windows()).expect("tabs");
        wait(driver.switch_to_window(tabs[number].clone())).expect("a tab");
    }

    /// The address.
    #[track_caller]
    pub fn url(&self) -> String {
        wait(self.driver().current_url()).expect("an address").to_string()
    }

    /// The path of the address.
    #[track_caller]
    pub fn path(&self) -> String {
        let url = self.url();
        url.strip_prefix(&self.origin).unwrap_or(&url).to_owned()
    }

    /// Waits until the path of the address begins so.
    #[track_caller]
    pub fn see_path(&self, begin: &str) {
        wait::wait_until(&format!("the address is {begin}..."), self.limit.get(), || {
            self.path().starts_with(begin)
        });
    }

    /// Lets what follows wait so long at most, in place of [`LIMIT`].
    pub fn set_limit(&self, limit: Duration) {
        self.limit.set(limit);
    }

    /// Waits until something is there and visible.
    #[track_caller]
    pub fn see(&self, what: Target) {
        self.with(&what, async |_| Ok(()));
    }

    /// Waits until something is not there, or not visible.
    #[track_caller]
    pub fn see_gone(&self, what: Target) {
        self.look(&what, "found.length === 0")
            .unwrap_or_else(|| panic!("{what} did not go in {:?}\n{}", self.limit.get(), self.situation()));
    }

    /// Waits until exactly so many are there and visible.
    #[track_caller]
    pub fn see_count(&self, what: Target, count: usize) {
        if self.look(&what, &format!("found.length === {count}")).is_none() {
            panic!(
                "{} of {what}, not {count}\n{}",
                self.count(what.clone()),
                self.situation()
            );
        }
    }

    /// Whether something is there and visible in this moment.
    #[track_caller]
    pub fn has(&self, what: Target) -> bool {
        self.count(what) > 0
    }

    /// How many are there and visible in this moment.
    #[track_caller]
    pub fn count(&self, what: Target) -> usize {
        let script = format!("{FIND}\nreturn find(arguments[0]).length;");
        let count = self.script(&script, &[what.to_json()]);
        usize::try_from(count.as_u64().unwrap_or_default()).unwrap_or_default()
    }

    /// The words of something, as they stand on the screen.
    #[track_caller]
    pub fn read(&self, what: Target) -> String {
        let mut text = String::new();
        // Of what only begins to fade in, as dialogs do, the driver reads nothing.
        wait::poll(self.limit.get(), || {
            text = self.with(&what, async |element| element.text().await);
            let is_fading = text.is_empty() && self.read_all(what.clone()).iter().any(|text| !text.is_empty());
            (!is_fading).then_some(())
        });
        text
    }

    /// The words of all that are there in this moment.
    #[track_caller]
    pub fn read_all(&self, what: Target) -> Vec<String> {
        let script = format!("{FIND}\nreturn find(arguments[0]).map((element) => clean(element.innerText));");
        let texts = self.script(&script, &[what.to_json()]);
        let texts = texts.as_array().cloned().unwrap_or_default();
        texts
            .iter()
            .map(|text| text.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// An attribute of something.
    #[track_caller]
    pub fn attribute(&self, what: Target, name: &str) -> Option<String> {
        self.with(&what, async |element| element.attr(name).await)
    }

    /// What stands in a field.
    #[track_caller]
    pub fn value(&self, what: Target) -> String {
        self.with(&what, async |element| element.prop("value").await)
            .unwrap_or_default()
    }

    /// Clicks on something, as a mouse or a finger does: what lies over it would get the click, so it is waited for.
    #[track_caller]
    pub fn click(&self, what: Target) {
        self.with(&what, async |element| element.click().await);
    }

    /// Clicks twice.
    #[track_caller]
    pub fn double_click(&self, what: Target) {
        let driver = self.driver();
        self.with(&what, async |element| {
            driver.action_chain().double_click_element(&element).perform().await
        });
    }

    /// Clicks with the other button, for a menu.
    #[track_caller]
    pub fn right_click(&self, what: Target) {
        let driver = self.driver();
        self.with(&what, async |element| {
            driver.action_chain().context_click_element(&element).perform().await
        });
    }

    /// Clicks while a key is held, as in `click_with(Key::Shift, ...)`.
    #[track_caller]
    pub fn click_with(&self, key: Key, what: Target) {
        let driver = self.driver();
        self.with(&what, async |element| {
            let chain = driver.action_chain().key_down(key.clone()).click_element(&element);
            chain.key_up(key.clone()).perform().await
        });
    }

    /// Moves the mouse over something.
    #[track_caller]
    pub fn hover(&self, what: Target) {
        let driver = self.driver();
        self.with(&what, async |element| {
            driver.action_chain().move_to_element_center(&element).perform().await
        });
    }

    /// Drags something onto something, with the mouse.
    #[track_caller]
    pub fn drag(&self, what: Target, onto: Target) {
        let driver = self.driver();
        let to = self.with(&onto, async |element| Ok(element));
        self.with(&what, async |element| {
            driver
                .action_chain()
                .drag_and_drop_element(&element, &to)
                .perform()
                .await
        });
    }

    /// Replaces what stands in a field.
    #[track_caller]
    pub fn fill(&self, what: Target, value: &str) {
        self.with(&what, async |element| {
            element.clear().await?;
            element.send_keys(value).await
        });
    }

    /// Types into whatever has the focus: a text, or a key such as `Key::Enter`, or `Key::Control + "a"`.
    #[track_caller]
    pub fn press(&self, keys: impl Into<TypingData>) {
        let keys = keys.into();
        let (mut chain, mut held) = (self.driver().action_chain(), Vec::new());
        for key in keys.as_vec() {
            chain = chain.key_down(key);
            // Control and its like stay down until the end.
            match MODIFIERS.contains(&key) {
                true => held.push(key),
                false => chain = chain.key_up(key),
            }
        }
        for key in held {
            chain = chain.key_up(key);
        }
        wait(chain.perform()).unwrap_or_else(|error| panic!("cannot type: {error}"));
    }

    /// Chooses files, or a folder where the field takes folders, in a field for files; it may be hidden.
    #[track_caller]
    pub fn choose_files(&self, selector: &str, paths: &[&Path]) {
        let paths = paths.iter().map(|path| path.display().to_string());
        let paths = paths.collect::<Vec<_>>().join("\n");
        let element = wait::wait_for(&format!("there is a field `{selector}`"), self.limit.get(), || {
            wait(self.driver().find(thirtyfour::By::Css(selector))).ok()
        });
        wait(element.send_keys(paths)).unwrap_or_else(|error| panic!("cannot choose files: {error}"));
    }

    /// Waits until this has the focus, told as by [`Page::focus`].
    #[track_caller]
    pub fn see_focus(&self, what: &str) {
        wait::wait_until(&format!("the focus is on {what}"), self.limit.get(), || {
            self.focus() == what
        });
    }

    /// What has the focus, as `tag#id "words"`: for stories told with the keyboard alone.
    #[track_caller]
    pub fn focus(&self) -> String {
        let script = format!(
            "{FIND}\nconst at = document.activeElement;\n\
            return `${{at.tagName.toLowerCase()}}${{at.id ? '#' + at.id : ''}} \"${{name(at)}}\"`;"
        );
        self.script(&script, &[]).as_str().unwrap_or_default().to_owned()
    }

    /// Runs a function body in the page.
    #[track_caller]
    pub fn script(&self, body: &str, args: &[Value]) -> Value {
        let result = wait(self.driver().execute(body, args.to_vec()));
        result
            .map(|value| value.json().clone())
            .unwrap_or_else(|error| panic!("a script failed: {error}"))
    }

    /// Runs a function body whose last argument is called with the result.
    #[track_caller]
    pub fn script_async(&self, body: &str, args: &[Value]) -> Value {
        let result = wait(self.driver().execute_async(body, args.to_vec()));
        result
            .map(|value| value.json().clone())
            .unwrap_or_else(|error| panic!("a script failed: {error}"))
    }

    /// A command of the Chrome DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, method: &str, params: Value) -> Value {
        let result = wait(self.driver().cdp().send_raw(method, params));
        result.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Answers the question whether pages of the origin that the page was opened at may reach computers in the LAN, before
    /// it is asked: without a window nobody could, and Chromium takes that for a no.
    #[track_caller]
    pub fn answer_lan_question(&self, answer: LanAnswer) {
        let setting = match answer {
            LanAnswer::Granted => "granted",
            LanAnswer::Denied => "denied",
        };
        let params = json!({
            "permission": { "name": "local-network" }, "setting": setting, "origin": self.origin,
        });
        self.devtools("Browser.setPermission", params);
    }

    /// Takes the network away from the page, or gives it back.
    #[track_caller]
    pub fn set_offline(&self, is_offline: bool) {
        self.devtools("Network.enable", json!({}));
        let conditions =
            json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", conditions);
    }

    /// Errors on the console that hold `part` do not fail the story.
    pub fn expect_error(&self, part: &str) {
        self.console.borrow_mut().expect(part);
    }

    /// What the page said on its console so far.
    pub fn console(&self) -> String {
        self.gather();
        self.console.borrow().text()
    }

    /// Where downloads land.
    pub fn downloads(&self) -> PathBuf {
        self.chromium.borrow().as_ref().expect("a browser runs").downloads()
    }

    /// Waits until a file of this name, which is not empty, was downloaded wholly; its path.
    #[track_caller]
    pub fn downloaded(&self, name: &str) -> PathBuf {
        let path = self.downloads().join(name);
        // Chromium keeps the name with an empty file, and renames the whole one over it at the end.
        let is_whole = || path.metadata().is_ok_and(|file| file.len() > 0);
        if wait::poll(self.limit.get(), || is_whole().then_some(())).is_none() {
            let there: Vec<_> = fs::read_dir(self.downloads()).expect("a folder").flatten().collect();
            panic!(
                "{name} was not downloaded in {:?}; there are {there:?}\n{}",
                self.limit.get(),
                self.situation()
            );
        }
        path
    }

    /// What axe-core finds wrong with the page in its present state, as text; empty if nothing.
    #[track_caller]
    pub fn accessibility(&self) -> String {
        self.script(&format!("{}\nreturn null;", axe::script()), &[]);
        axe::explain(&self.script_async(axe::run(), &[]))
    }

    /// Fails unless axe-core finds nothing.
    #[track_caller]
    pub fn expect_accessible(&self) {
        let findings = self.accessibility();
        assert!(findings.is_empty(), "axe-core at {}:\n{findings}", self.path());
    }

    /// Writes `target/screenshots/NAME-WIDTH-THEME.png`: what is in the window.
    #[track_caller]
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let theme = if self.options.dark { "dark" } else { "light" };
        let name = format!("{name}-{}-{theme}", self.options.size.0);
        shot::take(&self.driver(), &name).unwrap_or_else(|error| panic!("no screenshot: {error}"))
    }

    /// Changes the window's size, in CSS pixels, for instance for a screenshot of a long page.
    #[track_caller]
    pub fn resize(&mut self, width: u32, height: u32) {
        self.options.size = (width, height);
        self.emulate();
    }

    /// Turns the light off or on.
    #[track_caller]
    pub fn set_dark(&mut self, is_dark: bool) {
        self.options.dark = is_dark;
        self.emulate();
    }

    /// Sets what the command line cannot: the size of the page itself, and its theme.
    #[track_caller]
    fn emulate(&self) {
        let scheme = if self.options.dark { "dark" } else { "light" };
        // What fades in is neither read nor judged half-way.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
        let (width, height) = self.options.size;
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": self.options.phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", screen);
    }

    fn driver(&self) -> WebDriver {
        self.chromium.borrow().as_ref().expect("a browser runs").driver.clone()
    }

    /// Waits for something and does something with it; anew if the page changed in between.
    #[track_caller]
    fn with<T>(&self, what: &Target, mut act: impl AsyncFnMut(WebElement) -> WebDriverResult<T>) -> T {
        let end = Instant::now() + self.limit.get();
        loop {
            let Some(element) = self.look(what, "found.length > 0") else {
                panic!("{what} was not seen in {:?}\n{}", self.limit.get(), self.situation());
            };
            match wait(async { act(element.expect("something was found")).await }) {
                Ok(value) => return value,
                Err(error) if is_change(error.as_inner()) && Instant::now() < end => {}
                Err(error) => panic!("{what}: {error}\n{}", self.situation()),
            }
        }
    }

    /// Waits until `condition` on what was `found` holds: the first that was found, if any. None after the limit.
    fn look(&self, what: &Target, condition: &str) -> Option<Option<WebElement>> {
        let script = format!(
            "{FIND}\nconst [what, done] = [arguments[0], arguments[arguments.length - 1]];\n\
            const end = performance.now() + {LOOK_MS};\n\
            const look = () => {{\n\
              const found = find(what);\n\
              if ({condition}) return done([true, found[0] ?? null]);\n\
              if (performance.now() > end) return done([false, null]);\n\
              setTimeout(look, 20);\n\
            }};\n\
            look();"
        );
        let (driver, limit) = (self.driver(), self.limit.get());
        wait::poll(limit, || {
            // An error means that the page is being replaced by another one.
            let answer = wait(driver.execute_async(script.as_str(), vec![what.to_json()])).ok()?;
            let [Value::Bool(true), element] = answer.json().as_array()?.as_slice() else {
                return None;
            };
            let element = (!element.is_null()).then(|| WebElement::from_json(element.clone(), driver.handle().clone()));
            element.transpose().ok()
        })
    }

    /// Takes over what was said on the console; navigation in the browser would not lose it, its end would.
    fn gather(&self) {
        if let Ok(entries) = wait(self.driver().browser_log()) {
            self.console.borrow_mut().extend(entries);
        }
    }

    /// What helps to understand a failure.
    fn situation(&self) -> String {
        self.gather();
        let words = self.script("return document.body?.innerText?.slice(0, 2000) ?? ''", &[]);
        format!(
            "at {}\n--- the page says ---\n{}\n--- the console says ---\n{}",
            self.url(),
            words.as_str().unwrap_or_default(),
            self.console.borrow().text()
        )
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.chromium.borrow().is_none() {
            return;
        }
        if thread::panicking() {
            let name = thread::current().name().unwrap_or("story").replace("::", "-");
            if let Ok(path) = shot::take(&self.driver(), &format!("failed-{name}")) {
                eprintln!("--- the page when the story failed: {} ---", path.display());
            }
            return;
        }
        self.gather();
        let console = self.console.borrow();
        let faults = console.faults();
        assert!(faults.is_empty(), "the page reported errors:\n{}", faults.join("\n"));
    }
}

/// Whether an element went away, or something else lay over it, between finding it and using it.
fn is_change(error: &WebDriverErrorInner) -> bool {
    matches!(
        error,
        WebDriverErrorInner::StaleElementReference(_)
            | WebDriverErrorInner::ElementClickIntercepted(_)
            | WebDriverErrorInner::ElementNotInteractable(_)
            | WebDriverErrorInner::NoSuchElement(_)
            | WebDriverErrorInner::InvalidElementState(_)
    )
}
