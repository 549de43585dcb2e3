//! Texts of: transfer.

