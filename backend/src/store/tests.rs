//! The store as its callers see it.

mod collection;
mod commit;
mod copying;
mod damage;
mod database;
mod files;
mod outdated;
mod past;
mod reading;
mod retention;
mod shift;
mod speed;
