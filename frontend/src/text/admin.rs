//! Texts of: admin.

