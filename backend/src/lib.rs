//! The Beckon server: knows the machines of its accounts, joins them with those who command them, and keeps what they upload.

mod access;
mod admin;
mod app;
mod check;
mod clock;
pub mod config;
mod control;
mod drive;
mod error;
mod fault;
mod http;
mod hub;
mod order;
mod relay;
mod retention;
mod serve;
mod setup;
mod socket;
mod store;
mod tls;
mod worker;

pub use http::openapi::document as openapi;
pub use serve::{Ended, check, run, running_at};
pub use setup::{Reset, reset as reset_setup};

#[cfg(test)]
mod tests;
