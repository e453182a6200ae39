//! What no schema can say of arguments: checks across several of them, told all at once.
//!
//! ```
//! # use upstreams::Checks;
//! # let (from, to) = (7, 3);
//! let mut checks = Checks::new();
//! checks.that(from <= to, "from", &format!("at most `to`, which is {to}"), &from.to_string());
//! assert_eq!(checks.done().unwrap_err().text, "from: expected at most `to`, which is 3, came 7");
//! ```

use protocol::{Place, Violation};

use crate::fault::Fault;

/// Collects what is wrong.
#[derive(Debug, Default)]
pub struct Checks(Vec<Violation>);

impl Checks {
    /// Nothing is wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `member` is wrong unless `holds`. The path is dotted: `options.columns`.
    pub fn that(&mut self, holds: bool, member: &str, expected: &str, came: &str) -> &mut Self {
        if !holds {
            let path = member.split('.').map(|step| Place::Member(step.to_owned())).collect();
            self.0.push(Violation { path, expected: expected.to_owned(), came: came.to_owned() });
        }
        self
    }

    /// Ends the checks.
    ///
    /// # Errors
    /// A fault with everything that is wrong.
    pub fn done(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::invalid(self.0)) }
    }

    /// Everything that is wrong.
    pub fn into_violations(self) -> Vec<Violation> {
        self.0
    }
}
