//! A transfer as a row: what moves, from where, how far it is, why it stands, and what can be done about it.

mod ask;
mod dismissed;
mod figure;
mod place;
mod problem;
mod row;
mod stand;
mod steer;
mod why;

pub(crate) use dismissed::load as load_dismissed;
pub(crate) use figure::Totals;
pub(crate) use row::TransferRows;
pub(crate) use stand::{Group, grouped};
pub(crate) use steer::steer_all;
