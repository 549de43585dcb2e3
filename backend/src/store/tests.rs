//! The store as its callers see it.

mod collection;
mod commit;
mod damage;
mod database;
mod files;
mod outdated;
mod reading;
mod speed;
