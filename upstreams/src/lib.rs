//! Compiled-in children.
