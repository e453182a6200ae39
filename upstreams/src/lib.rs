//! Children compiled into the gateway, and the one-line mount for any server written with rmcp.

mod embed;
mod fault;
mod expected;
mod schema;
mod checks;
mod tools;
mod prompts;
mod template;
mod changes;
mod who;
mod options;
mod notes;
mod toolbox;
mod analysis;
mod data;
mod auth;

use std::sync::Arc;

use protocol::{InProcess, Make};

use analysis::Main;
use auth::Auth;
use data::Data;
use notes::Notes;
use toolbox::Toolbox;

pub use changes::{Change, Changes};
pub use checks::Checks;
pub use embed::mount;
pub use fault::{Code, ERROR_META, Fault};
pub use options::{with_options, wrong_option};
pub use prompts::{Prompts, completed};
pub use template::Template;
pub use tools::Tools;
pub use who::Who;

/// The children that come with this crate, by the name a `routing.toml` gives in `in_process`.
///
/// Names are unique, short and lower-case; the order is that of the documentation.
pub fn builtins() -> Vec<(&'static str, Arc<dyn Make>)> {
    vec![
        ("notes", plain(|| mount(Notes::new()))),
        ("toolbox", plain(|| mount(Toolbox::new()))),
        ("main", with_options(Main::new)),
        ("data", options::with_figures(Data::new, Some(Data::figures))),
        ("auth", with_options(Auth::new)),
    ]
}

/// A child without options.
fn plain(make: fn() -> Arc<dyn InProcess>) -> Arc<dyn Make> {
    Arc::new(make)
}
