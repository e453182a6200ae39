//! A child whose every word is written down in a script: it answers, waits, lies, breaks and dies
//! as told, and remembers all that it received. It speaks either era over pipes and sockets, over
//! HTTP and WebSocket, and in this process.

mod script;
mod seen;
mod director;
mod stage;
mod sessions;
mod catalog;
mod answers;
mod asks;
mod in_process;
mod talk;
mod plugged;
mod stdio;
mod socket;
mod process;
mod http;
mod paired;
mod cast;

pub use cast::{Cast, Play, at, elements, member, string};
pub use director::{Director, Order, Plug};
pub use http::HttpChild;
pub use in_process::InProcessChild;
pub use paired::PairedChild;
pub use process::ProcessChild;
pub use script::{Catalog, Http, Paging, Receipt, Script, Speaks, Step};
pub use seen::{Seen, What};
pub use socket::SocketChild;
pub use stdio::run as run_stdio;
