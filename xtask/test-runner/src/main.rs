//! Runs the unit tests of the web app in a real browser, for `cargo test --target wasm32-unknown-unknown`.
//!
//! A crate of its own, so that whoever only builds or runs Beckon need not build what tests need.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
