//! What the kernel says about processes and the machine.

mod process;
mod machine;

pub(crate) use machine::{Clock, Machine};
pub(crate) use process::{Memory, Spent, Used, descendants};
