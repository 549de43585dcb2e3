//! Texts of: machines.

