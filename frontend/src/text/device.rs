//! Texts of: device.

