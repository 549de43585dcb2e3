//! What all programs of Beckon agree upon: ids, messages, paths, cryptography, chunking and manifests.
//! No clock, no I/O, no runtime: it compiles natively and for wasm32.

pub mod id;
pub mod time;
pub mod path;
pub mod error;
pub mod signature;
pub mod keys;
pub mod certificate;
pub mod statement;
pub mod join;
pub mod password;
pub mod recovery;
pub mod device;
pub mod entry;
pub mod access;
pub mod order;
pub mod transfer;
pub mod chunk;
pub mod manifest;
pub mod commit;
pub mod bulk;
pub mod wire;
pub mod session;
pub mod browse;
pub mod api;
pub mod in_drive;
pub mod route;
