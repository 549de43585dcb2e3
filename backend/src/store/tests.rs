//! The store as its callers see it.

mod collection;
mod commit;
mod damage;
mod files;
mod outdated;
mod reading;
mod speed;
