//! Remote children over Streamable HTTP, in either era.

mod settings;
mod dial;
mod probe;
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
mod questions;

pub use dial::HttpDial;
pub use settings::HttpSettings;

#[cfg(test)]
mod tests;
