//! Texts of: drive.

