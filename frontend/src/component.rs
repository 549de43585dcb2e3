//! Parts that several pages are made of; one file for each, named as its style sheet where it has one.

pub(crate) mod dialog;
pub(crate) mod frame;
pub(crate) mod icon;
