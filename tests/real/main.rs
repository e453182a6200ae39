//! The suite against real programs.
