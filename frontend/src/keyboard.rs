//! The keys that work everywhere, and the dialog that lists all of them.
