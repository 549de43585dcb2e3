//! The HTTP interface: one thin file for each resource, and the guards before them.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod bulk;
pub(crate) mod content;
pub(crate) mod device;
pub(crate) mod drive;
pub(crate) mod guard;
pub(crate) mod join;
pub(crate) mod limit;
pub(crate) mod openapi;
pub(crate) mod origin;
pub(crate) mod page;
pub(crate) mod status;
pub(crate) mod transfer;
