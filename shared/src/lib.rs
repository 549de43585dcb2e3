//! What all programs of Beckon agree upon: ids, messages, paths, cryptography, chunking and manifests.
//! No clock, no I/O, no runtime: it compiles natively and for wasm32.

pub mod access;
pub mod api;
pub mod browse;
pub mod bulk;
pub mod certificate;
pub mod chunk;
pub mod commit;
pub mod delta;
pub mod device;
pub mod disposition;
pub mod entry;
pub mod error;
pub mod fault;
pub mod id;
pub mod in_drive;
pub mod join;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod neighbour;
pub mod order;
pub mod password;
pub mod path;
pub mod recovery;
pub mod retention;
pub mod route;
pub mod session;
pub mod signature;
pub mod statement;
pub mod time;
pub mod transfer;
pub mod wire;
pub mod zip;
