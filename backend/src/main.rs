//! The Beckon server program.
fn main() {}
