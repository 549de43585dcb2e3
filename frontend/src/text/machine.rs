//! Texts of: machine.

