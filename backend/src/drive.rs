//! The drive: what listings show, ranges, whole folders as ZIP files, and the bodies that carry content.

pub(crate) mod archive;
pub(crate) mod body;
pub(crate) mod range;
pub(crate) mod view;
