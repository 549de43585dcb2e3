//! Texts of: upload.

