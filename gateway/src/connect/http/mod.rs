//! Remote children over Streamable HTTP, in either era.

mod settings;
mod dial;
mod probe;
mod connector;
mod client;
mod answer;
mod sse;
mod wanted;
mod faults;
mod life;
mod modern;
mod legacy;
mod session;
mod resume;
mod stream;
mod subscriptions;
mod deliver;
mod questions;
mod place;
mod paired;

pub(super) use connector::{Connector, connector, why_not_connected};
pub use dial::HttpDial;
pub(super) use faults::unauthorized;
pub use settings::{HttpSettings, Transport};

#[cfg(test)]
mod tests;
