//! Texts of: settings.

