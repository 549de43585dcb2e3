//! The server as a whole, over real sockets: what clients may rely on and what strangers run into.

mod account;
mod bulk;
mod client;
mod control;
mod front;
mod join;
mod person;
mod relay;
mod server;
mod transfer;
