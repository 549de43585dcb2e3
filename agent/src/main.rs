//! The `beckon` program.
fn main() {}
