//! House rules that no compiler checks. Each rule is one file: a function from the sources to the lines that break it,
//! a test on this repository, and a test that shows that the rule can fail.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod source;

mod allow_reason;
mod architecture;
mod changelog;
mod doer_name;
mod file_head;
mod file_length;
mod link;
mod module_layout;
mod registry_host;
mod shared_purity;
mod single_place;

use source::Source;

/// Fails with the violations of a rule, one a line.
#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{} broken:\n{}",
        violations.len(),
        violations.join("\n")
    );
}

/// A file that exists only in a rule's own test.
fn sample(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
