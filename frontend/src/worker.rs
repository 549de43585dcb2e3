//! What runs beside the page, in workers: key derivation and uploads. The same module, started by another function.

/// Waits for jobs; the worker's first function.
pub(crate) fn serve() {}
