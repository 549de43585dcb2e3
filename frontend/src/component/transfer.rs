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
#[cfg(test)]
pub(crate) mod sample;
mod stand;
mod steer;
mod why;

pub(crate) use dismissed::load as load_dismissed;
pub(crate) use figure::{Totals, files, from, source, to, what};
pub(crate) use panel::TransferPanel;
pub(crate) use place::{of as place_of, written as place_written};
pub(crate) use priority::PriorityField;
pub(crate) use problem::{ProblemList, heading as problem_heading};
pub(crate) use row::TransferRows;
pub(crate) use stand::{Group, group, grouped, now, state, task_icon, word, worker};
pub(crate) use steer::{steer, steer_all};
