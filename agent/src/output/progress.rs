//! A bar that shows how far something is: on a terminal only, on standard error, and never among results.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Output, visible_text};

/// Drawn at most so often a second.
const DRAWS: u8 = 8;
/// A bar that nobody moves still counts its seconds.
const TICK: Duration = Duration::from_millis(500);

/// With a total: how much, how fast, how long still.
const KNOWN: &str = "[{bar:24}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left  {wide_msg}";
/// While the total is not known.
const OPEN: &str = "{spinner} {binary_bytes}, {binary_bytes_per_sec}  {wide_msg}";

/// The bar that is on the terminal now: whatever else is printed goes above it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A bar; clones are the same. It goes when the last of them is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Bar(Arc<Inner>);

#[derive(Debug)]
struct Inner(ProgressBar);

impl Bar {
    /// An empty bar, which is drawn only where a person looks at a terminal.
    pub(crate) fn new(out: Output) -> Self {
        if out.is_json() || !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = Self::to(ProgressDrawTarget::stderr_with_hz(DRAWS));
        bar.0.0.enable_steady_tick(TICK);
        *shown() = Some(bar.0.0.clone());
        bar
    }

    /// One that nobody sees.
    pub(crate) fn hidden() -> Self {
        Self::to(ProgressDrawTarget::hidden())
    }

    fn to(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target).with_style(style(OPEN));
        Self(Arc::new(Inner(bar)))
    }

    /// How many bytes there are in all, once that is known.
    pub(crate) fn total(&self, bytes: Option<u64>) {
        let bar = &self.0.0;
        if bar.length() == bytes {
            return;
        }
        match bytes {
            Some(bytes) => {
                bar.set_length(bytes);
                bar.set_style(style(KNOWN));
            }
            None => {
                bar.unset_length();
                bar.set_style(style(OPEN));
            }
        }
    }

    /// So many more bytes there are.
    pub(crate) fn expect(&self, bytes: u64) {
        self.total(Some(self.0.0.length().unwrap_or(0) + bytes));
    }

    /// So many bytes are done.
    pub(crate) fn done(&self, bytes: u64) {
        self.0.0.set_position(bytes);
    }

    /// So many more bytes are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.0.inc(bytes);
    }

    /// What stands beside it: a file, how many, or why nothing moves.
    pub(crate) fn note(&self, text: &str) {
        if !self.0.0.is_hidden() {
            self.0.0.set_message(visible_text(text));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.0.is_hidden() {
            *shown() = None;
        }
        self.0.finish_and_clear();
    }
}

/// So many more bytes came, for the bar that is on the terminal, if there is one.
pub(crate) fn moved(bytes: u64) {
    if let Some(bar) = &*shown() {
        bar.inc(bytes);
    }
}

/// Has something printed while no bar is in the way.
pub(super) fn aside<T>(print: impl FnOnce() -> T) -> T {
    let bar = shown().clone();
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The templates are constants, and a test reads them.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use indicatif::TermLike;

    use super::*;
    use crate::output::Format;

    #[test]
    fn the_templates_are_understood() {
        for template in [KNOWN, OPEN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_program_sees_no_bar() {
        let bar = Bar::new(Output { format: Format::Json });
        bar.expect(5);
        bar.expect(5);
        bar.add(3);
        assert_eq!((bar.0.0.length(), bar.0.0.position()), (Some(10), 3));
        assert!(bar.0.0.is_hidden() && shown().is_none());
        bar.total(None);
        assert_eq!(bar.0.0.length(), None);
    }

    /// Keeps what was drawn last.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn with(&self, change: impl FnOnce(&mut String)) -> io::Result<()> {
            change(&mut self.0.lock().unwrap());
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.with(|drawn| drawn.push_str(line))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.with(|drawn| drawn.push_str(text))
        }
        fn clear_line(&self) -> io::Result<()> {
            self.with(String::clear)
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn with_a_total_it_says_how_much_how_fast_and_how_long() {
        let screen = Screen::default();
        let bar = Bar::to(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        bar.expect(4096);
        bar.add(1024);
        bar.note("1 of 2 files\u{1b}");
        bar.0.0.force_draw();
        let drawn = screen.0.lock().unwrap().clone();
        for part in ["[======", "1.00 KiB of 4.00 KiB", "/s", "left", "1 of 2 files"] {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
        assert!(!drawn.contains('\u{1b}'), "{drawn:?}");
        drop(bar);
        assert_eq!(screen.0.lock().unwrap().trim(), "");
    }
}
