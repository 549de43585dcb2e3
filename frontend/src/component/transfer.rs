//! A transfer as a row: what moves, from where, how far it is, why it stands, and what can be done about it.

mod act;
mod ask;
mod dismissed;
mod figure;
mod line;
mod panel;
mod place;
mod priority;
mod problem;
mod row;
mod stand;
mod steer;
mod why;

pub(crate) use dismissed::load as load_dismissed;
pub(crate) use figure::{Totals, files, what};
pub(crate) use panel::TransferPanel;
pub(crate) use place::of as place_of;
pub(crate) use priority::PriorityField;
pub(crate) use problem::ProblemList;
pub(crate) use row::TransferRows;
pub(crate) use stand::{Group, group, grouped, word, worker};
pub(crate) use steer::steer_all;
