//! A mount as routing sees it: a prefix, a shape, and something that serves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::call::BoxServe;

/// How names are made, the same for all mounts.
#[derive(Debug, Clone)]
pub struct Naming {
    /// Stands between prefix and name.
    pub separator: String,
    /// The longest exposed name, in bytes.
    pub name_max: usize,
    /// Entries on one page of a list.
    pub page_entries: usize,
    /// What clients are told about how long a list stays fresh.
    pub ttl: Duration,
    /// What stands first in the merged instructions.
    pub instructions: Option<String>,
}

/// A mount, without its catalog.
pub struct Mounted {
    /// The name in the file.
    pub name: Arc<str>,
    /// The prefix of what it offers; empty for none.
    pub prefix: Arc<str>,
    /// What is shown of it, and as what.
    pub shape: Shape,
    /// Where its calls go, with the child's own names in them.
    pub serve: BoxServe,
}

/// What is shown of a mount, and as what.
#[derive(Default)]
pub struct Shape {
    /// For tools.
    pub tools: Rules,
    /// For prompts.
    pub prompts: Rules,
    /// Whether URIs stay as they are.
    pub keep_uris: bool,
}

/// Hides and renames by the child's own name.
pub struct Rules {
    /// Whether a name is hidden: neither listed nor reached.
    pub hidden: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Own name and shown name (before the prefix).
    pub renamed: Vec<(String, String)>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { hidden: Box::new(|_| false), renamed: Vec::new() }
    }
}

impl Rules {
    /// The name shown for the child's `own`.
    pub(super) fn shown<'a>(&'a self, own: &'a str) -> &'a str {
        let rule = self.renamed.iter().find(|(from, _)| from == own);
        rule.map_or(own, |(_, to)| to)
    }

    /// The child's name for what is shown as `shown`; `None` for a name that another one replaces.
    pub(super) fn own<'a>(&'a self, shown: &'a str) -> Option<&'a str> {
        let rule = self.renamed.iter().find(|(_, to)| to == shown);
        let is_replaced = || self.renamed.iter().any(|(from, _)| from == shown);
        match rule {
            Some((from, _)) => Some(from),
            None => (!is_replaced()).then_some(shown),
        }
    }
}

impl fmt::Debug for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounted").field("name", &self.name).field("prefix", &self.prefix).finish()
    }
}
