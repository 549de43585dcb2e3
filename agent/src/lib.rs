//! The Beckon agent and command line.

mod agent;
pub mod cli;
mod clock;
mod connection;
mod fault;
mod hello;
mod host;
mod http;
mod identity;
mod index;
mod journal;
mod limit;
mod listing;
mod live;
mod local;
mod orders;
mod origin;
mod output;
mod password_prompt;
mod root;
mod run;
mod scan;
mod server;
mod session;
mod state;
mod upload;
mod wake;
