//! The one writer: what the running gateway shows and says of itself changes only here.

mod kept;
mod publish;
mod report;
mod admin;

pub use admin::Admin;
pub use kept::Kept;
pub use publish::{Published, Publisher};
pub use report::{MountReport, report};
