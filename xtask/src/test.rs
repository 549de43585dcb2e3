//! `cargo xtask test`: every test of the workspace, after installing what they need.

use std::env;

use anyhow::Result;

use crate::{
    bench,
    build::{self, Profile, target_folder},
    command::{self, cargo},
    docs,
    package::{self, Need},
    wasm_target, web,
};

/// Says in the environment how many kills `tests/faults` makes.
const KILLS: &str = "BECKON_KILLS";

/// Says in the environment how many MiB `tests/lan` fetches.
const LAN_MIB: &str = "BECKON_LAN_MIB";

/// Say in the environment how many changes `tests/sync` makes, and how many files it has followed.
const CHANGES: (&str, &str) = ("BECKON_CHANGES", "BECKON_MANY_FILES");

/// Say in the environment where random tests begin. Here they make the same choices each time, so that a run is red for what
/// was changed and not by chance; `soak` begins elsewhere each time.
const SEEDS: [(&str, &str); 2] = [("PROPTEST_RNG_SEED", "1"), ("BECKON_FAULT_SEED", "1")];

/// Says in the environment how many cases each property is tried with.
const CASES: &str = "PROPTEST_CASES";

/// All that is built for this machine. What builds and tests the web app stays out: together they would be built with
/// other features than alone, and so twice.
const NATIVE: &[&str] = &[
    "--workspace",
    "--exclude",
    "beckon-web",
    "--exclude",
    "xtask",
    "--exclude",
    "test-runner",
    // The programs crash where a test wants it; without one they are what they always are.
    "--features",
    "beckon/faults,beckon-server/faults",
];

/// Install what the tests need, and run all of them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Goes to the test programs, as in `cargo xtask test -- upload` for tests with `upload` in the name.
    #[arg(last = true)]
    filter: Vec<String>,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    package::install(Need::Tests)?;
    web::build(Profile::RELEASE)?;
    // The end-to-end tests start the real programs, which `cargo test` alone would not build. With all targets their
    // dependencies are the same builds as the tests', so that nothing is built twice.
    command::run(cargo(["build", "--all-targets"]).args(NATIVE))?;
    docs::check(&build::built(Profile::DEBUG)?)?;
    let seeds = SEEDS.into_iter().filter(|(name, _)| env::var_os(name).is_none());
    command::run(
        cargo(["test", "--no-fail-fast"])
            .args(NATIVE)
            .arg("--")
            .args(&args.filter)
            .envs(seeds),
    )?;
    command::run(cargo(["test", "--package", "xtask", "--"]).args(&args.filter))?;
    in_browser(&args.filter)?;
    if args.filter.is_empty() {
        bench::small()?;
    }
    Ok(())
}

/// Try each property with a thousand cases that are new; kill server and agent for as long as you like while files are
/// uploaded, and look whether anything is lost; fetch a large file within a LAN; and follow 100,000 files and 100,000 changes.
#[derive(clap::Args)]
pub(crate) struct Soak {
    /// How often something is killed.
    #[arg(long, default_value_t = 200)]
    kills: u32,
}

pub(crate) fn soak(args: &Soak) -> Result<()> {
    package::install(Need::Tests)?;
    command::run(cargo(["build", "--all-targets"]).args(NATIVE))?;
    command::run(
        cargo(["test"])
            .args(NATIVE)
            .args(["--lib", "--test", "zip"])
            .env(CASES, "1000"),
    )?;
    command::run(
        cargo(["test"])
            .args(NATIVE)
            .args(["--test", "faults", "--", "--nocapture", "kills::"])
            .env(KILLS, args.kills.to_string()),
    )?;
    command::run(
        cargo(["test"])
            .args(NATIVE)
            .args(["--test", "lan", "--", "--nocapture", "download::"])
            .env(LAN_MIB, "1024"),
    )?;
    command::run(
        cargo(["test"])
            .args(NATIVE)
            .args(["--test", "sync", "--", "--nocapture"])
            .env(CHANGES.0, "100000")
            .env(CHANGES.1, "100000"),
    )
}

/// The unit tests of the web app, in a real browser.
fn in_browser(filter: &[String]) -> Result<()> {
    command::run(&mut cargo(["build", "--package", "test-runner"]))?;
    let runner = target_folder()?.join("debug/test-runner");
    let mut cargo = cargo([
        "test",
        "--package",
        "beckon-web",
        "--lib",
        "--target",
        wasm_target::NAME,
    ]);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    cargo
        .env("WASM_BINDGEN_USE_BROWSER", "1")
        .env("CHROMEDRIVER", "chromedriver");
    // Seconds: its own limits are for machines that do nothing else.
    cargo
        .env("WASM_BINDGEN_TEST_TIMEOUT", "300")
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60");
    command::run(cargo.arg("--").args(filter))
}
