//! The server as a whole, over real sockets: what clients may rely on and what strangers run into.

mod account;
mod admin;
mod bulk;
mod bulk_read;
mod client;
mod control;
mod copy;
mod files;
mod front;
mod join;
mod limit;
mod live;
mod person;
mod priority;
mod relay;
mod send;
mod server;
mod show;
mod steer;
mod story;
mod transfer;
mod watch;
