//! The pages, one for each address.

pub(crate) mod admin;
pub(crate) mod device;
pub(crate) mod drive;
pub(crate) mod machine;
pub(crate) mod machines;
pub(crate) mod nowhere;
pub(crate) mod recover;
pub(crate) mod search;
pub(crate) mod set_up;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod transfer;
pub(crate) mod transfers;
