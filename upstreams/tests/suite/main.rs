//! What a caller of a compiled-in child sees, and what it costs when it walks away.
#![allow(clippy::unwrap_used, reason = "what is unwrapped here is what a test claims")]

mod caller;
mod arguments;
mod probe;
mod requests;
mod attribution;
mod listens;
mod leaks;
mod notes;
mod notes_resources;
mod toolbox;
mod toolbox_time;
mod analysis;
mod data;
mod data_key_value;
mod auth;
mod documented;
mod anything;
