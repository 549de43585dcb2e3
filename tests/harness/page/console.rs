//! What a page said on its console: errors fail the story, unless it expects them.

use thirtyfour::BrowserLogEntry;

/// What has been said so far, and which errors are expected.
#[derive(Default)]
pub(super) struct Console {
    entries: Vec<BrowserLogEntry>,
    expected: Vec<String>,
}

impl Console {
    pub(super) fn extend(&mut self, entries: Vec<BrowserLogEntry>) {
        self.entries.extend(entries);
    }

    /// Errors that hold `part` are expected from now on, and were before.
    pub(super) fn expect(&mut self, part: &str) {
        self.expected.push(part.to_owned());
    }

    /// All that was said, a line each.
    pub(super) fn text(&self) -> String {
        let lines = self
            .entries
            .iter()
            .map(|entry| format!("{} {}\n", entry.level, entry.message));
        lines.collect()
    }

    /// The errors that nobody expected.
    pub(super) fn faults(&self) -> Vec<&str> {
        let severe = self.entries.iter().filter(|entry| entry.level == "SEVERE");
        let messages = severe.map(|entry| entry.message.as_str());
        messages
            .filter(|message| !is_answer(message) && !self.expected.iter().any(|part| message.contains(part)))
            .collect()
    }
}

/// The browser reports each refusal of the API as an error of the network; the app's own affair is what it does then.
fn is_answer(message: &str) -> bool {
    message.contains("/api/") && message.contains("the server responded with a status of 4")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(message: &str) -> Console {
        let mut console = Console::default();
        console.extend(vec![BrowserLogEntry {
            level: "SEVERE".to_owned(),
            message: message.to_owned(),
            timestamp: 0,
            source: None,
        }]);
        console
    }

    #[test]
    fn an_error_is_a_fault_unless_it_is_expected() {
        let mut violation = console("http://x/ 0 Refused to run an inline script");
        assert_eq!(violation.faults().len(), 1);
        violation.expect("inline script");
        assert!(violation.faults().is_empty());
    }

    #[test]
    fn a_refusal_of_the_api_is_no_fault_but_a_missing_file_is() {
        let refused = "- Failed to load resource: the server responded with a status of 401 (Unauthorized)";
        assert!(console(&format!("http://x/api/session {refused}")).faults().is_empty());
        assert_eq!(console(&format!("http://x/app/a.js {refused}")).faults().len(), 1);
    }
}
