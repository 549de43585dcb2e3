//! Texts of: search.

