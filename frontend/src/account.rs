//! Accounts: set-up, sign-in, recovery, and the account key for the moment in which it is needed.

mod act;
mod arrive;
mod confirm;
mod guest;
mod key;
mod leave;
mod problem;
mod proof;
mod strength;
mod tabs;

pub(crate) use act::{change_password, end_session, join_code, revoke, sessions};
pub(crate) use arrive::{Draft, recover, resume, sign_in, sign_up, unpin};
pub(crate) use confirm::{confirm, is_doubtful, listed};
pub(crate) use guest::Computer;
pub(crate) use key::{is_unlocked, unlock};
pub(crate) use leave::{Left, doubted, forget_left, heard, left, refused, sign_out, way_in};
pub(crate) use problem::Problem;
pub(crate) use strength::{STRONGEST, strength};
