//! The steps that bring a database of any earlier release up to date. A step that was released is never changed.

mod m0001_account;
mod m0002_store;
mod m0003_administration;
mod m0004_transfer_unheard;
mod m0005_search;
mod m0006_accounting;
mod m0007_marked;
mod m0008_steering;
mod m0009_direct;
mod m0010_tasks;
mod m0011_manifest_hash;
mod m0012_past;
#[cfg(test)]
pub(super) mod testing;

use sea_orm_migration::{MigrationTrait, MigratorTrait, async_trait};

/// All steps, in order.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_account::Migration),
            Box::new(m0002_store::Migration),
            Box::new(m0003_administration::Migration),
            Box::new(m0004_transfer_unheard::Migration),
            Box::new(m0005_search::Migration),
            Box::new(m0006_accounting::Migration),
            Box::new(m0007_marked::Migration),
            Box::new(m0008_steering::Migration),
            Box::new(m0009_direct::Migration),
            Box::new(m0010_tasks::Migration),
            Box::new(m0011_manifest_hash::Migration),
            Box::new(m0012_past::Migration),
        ]
    }
}
