//! Texts of: keyboard.

