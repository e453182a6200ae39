//! Clients of either era and on any transport, that send exact bytes and show what came.

mod ask;
mod http;
mod session;
mod bridge;
mod stdio;
mod shown;
mod either;
mod able;

pub use able::{ALL_ABILITIES, Able, Talked, response};
pub use ask::{Ask, MODERN, legacy, modern, posted};
pub use bridge::{frames, web_socket};
pub use either::{Either, check_all};
pub use http::{Answer, Http, check, check_rows};
pub use session::{Session, initialize};
pub use shown::{essence, shown};
pub use stdio::Stdio;
