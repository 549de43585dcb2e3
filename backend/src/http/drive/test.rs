//! The drive as clients see it.

mod download;
mod handler;
mod past;
