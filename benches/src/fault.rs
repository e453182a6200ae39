//! What went wrong, in words for the person who runs the benches.

use std::fmt;

/// One sentence: what was being done, what was expected, what came.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) String);

impl Fault {
    /// Turns any error into a fault that says what was being done: for `map_err`.
    pub(crate) fn during<E: fmt::Display>(doing: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}
