//! The web app as both programs serve it: the server to browsers, `beckon ui` on loopback. Its files, with which headers they
//! go out, and at which addresses its pages are. Nothing here knows HTTP libraries.

mod address;
mod file;
mod form;
mod policy;
mod site;

pub use file::File;
pub use policy::HEADERS;
pub use site::{Asked, Reply, Site};
