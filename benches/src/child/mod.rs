//! The scripted child: an MCP server with one tool, `echo`, whose answers are printed beforehand.

mod ledger;
pub(crate) mod script;
mod sessions;
pub(crate) mod http;
pub(crate) mod sick;
pub(crate) mod stdio;
