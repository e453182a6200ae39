//! The one writer: what the running gateway shows and says of itself changes only here.

mod kept;
mod plan;
mod roster;
mod reload;
mod watched;
mod publish;
mod report;
mod admin;

pub use admin::Admin;
pub use kept::Kept;
pub use plan::{Action, Plan, Step};
pub use publish::{Published, Publisher};
pub use reload::{MakeMount, Maker, Outcome, Read, Reloader};
pub use report::{MountReport, report};
pub use roster::{Member, Roster, Rosters};
