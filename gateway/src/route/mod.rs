//! From a name or URI to the mount that serves it: the merged catalog, its lists, and the way of
//! one call there and back.

mod mounted;
mod pages;
mod view;
mod build;
mod lookup;
mod answer;
mod tasks;
mod part;
mod part_tasks;
mod listen;
mod router;

pub use mounted::{Mounted, Naming, Rules, Shape};
pub use router::Router;
pub use view::{Snapshot, View};
