//! Connections to children: compiled in, processes, remote; each in the era the child speaks.

mod dialect;
mod identity;
mod pin;
mod http;

pub use self::http::{HttpDial, HttpSettings};
pub use pin::EraPin;
