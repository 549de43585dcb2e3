//! The Beckon server.
