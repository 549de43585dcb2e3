//! Texts of: account.

