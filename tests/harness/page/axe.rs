//! Accessibility, as axe-core judges it. Fetched once, by npm's own client, into `target/axe`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

const VERSION: &str = "4.10.3";

/// What is checked: WCAG 2.2 at level AA, and good practice.
const RUN: &str = "const done = arguments[0];
    axe.run(document, { resultTypes: ['violations'] }).then((result) => done(result.violations), (error) => done(String(error)));";

/// The script to inject before [`run`].
pub(super) fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| fs::read_to_string(fetched()).expect("axe-core can be read"))
}

/// The script that runs axe and hands over its findings.
pub(super) fn run() -> &'static str {
    RUN
}

/// The findings as text, a line for each element, for people who mend them.
pub(super) fn explain(violations: &Value) -> String {
    let mut text = String::new();
    let Some(rules) = violations.as_array() else {
        return violations.to_string();
    };
    for rule in rules {
        let nodes = rule["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        for node in nodes {
            let summary = node["failureSummary"].as_str().unwrap_or_default().replace('\n', " ");
            let _ = writeln!(text, "{}: {} {} ({summary})", rule["id"], node["target"], node["html"]);
        }
    }
    text
}

fn fetched() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/axe")
        .join(VERSION);
    let script = folder.join("package/axe.min.js");
    if !script.is_file() {
        fs::create_dir_all(&folder).expect("room for axe-core");
        let name = format!("axe-core@{VERSION}");
        run_in(&folder, "npm", &["pack", "--silent", &name]);
        let archive = format!("axe-core-{VERSION}.tgz");
        run_in(&folder, "tar", &["-xzf", &archive, "package/axe.min.js"]);
    }
    script
}

fn run_in(folder: &Path, program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).current_dir(folder).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program} does not start, `cargo xtask test` installs it: {error}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
