//! The Beckon agent and command line.

mod clock;
mod origin;
mod identity;
mod server;
mod state;
mod host;
mod hello;
mod connection;
mod session;
mod root;
mod listing;
mod orders;
mod journal;
mod index;
mod scan;
mod upload;
mod agent;
mod local;
mod run;
mod output;
mod password_prompt;
mod http;
pub mod cli;
