//! The Beckon agent and command line.
