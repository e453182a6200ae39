//! What servers offer: read of one child, merged of many, written for a client (digest 1.3, 2.7).

use crate::json::{Members, ObjectWriter};
use crate::{NotJson, Raw};

/// The features of a server that the gateway routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerCapabilities {
    /// Has tools.
    pub tools: bool,
    /// Tells when its tools change.
    pub tools_changed: bool,
    /// Has prompts.
    pub prompts: bool,
    /// Tells when its prompts change.
    pub prompts_changed: bool,
    /// Has resources.
    pub resources: bool,
    /// Tells when its resources change.
    pub resources_changed: bool,
    /// Takes subscriptions to single resources.
    pub subscribe: bool,
    /// Completes arguments.
    pub completions: bool,
    /// Sends log messages.
    pub logging: bool,
}

impl ServerCapabilities {
    /// Reads a `capabilities` object; what is not known here is left aside.
    ///
    /// # Errors
    /// [`NotJson`] when `raw` is no object.
    pub fn read(raw: &Raw) -> Result<Self, NotJson> {
        let members = Members::read(raw)?;
        let flag = |feature: &str, name: &str| {
            let feature = members.get(feature).and_then(|text| Members::read(text).ok());
            feature.and_then(|feature| feature.get(name)) == Some("true")
        };
        let has = |feature: &str| members.get(feature).is_some_and(|text| text.starts_with('{'));
        Ok(Self {
            tools: has("tools"),
            tools_changed: flag("tools", "listChanged"),
            prompts: has("prompts"),
            prompts_changed: flag("prompts", "listChanged"),
            resources: has("resources"),
            resources_changed: flag("resources", "listChanged"),
            subscribe: flag("resources", "subscribe"),
            completions: has("completions"),
            logging: has("logging"),
        })
    }

    /// What the gateway itself always has: its lists exist, empty or not, and it tells when they
    /// change (digest 1.7).
    pub fn of_gateway() -> Self {
        Self {
            tools: true,
            tools_changed: true,
            prompts: true,
            prompts_changed: true,
            resources: true,
            resources_changed: true,
            ..Self::default()
        }
    }

    /// What either has.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            tools: self.tools || other.tools,
            tools_changed: self.tools_changed || other.tools_changed,
            prompts: self.prompts || other.prompts,
            prompts_changed: self.prompts_changed || other.prompts_changed,
            resources: self.resources || other.resources,
            resources_changed: self.resources_changed || other.resources_changed,
            subscribe: self.subscribe || other.subscribe,
            completions: self.completions || other.completions,
            logging: self.logging || other.logging,
        }
    }

    /// The `capabilities` object.
    pub fn to_raw(self) -> Raw {
        let bool = |value: bool| if value { "true" } else { "false" };
        let list = |changed: bool| ObjectWriter::new().raw("listChanged", bool(changed));
        let mut object = ObjectWriter::new();
        if self.tools {
            object = object.raw("tools", &list(self.tools_changed).finish());
        }
        if self.prompts {
            object = object.raw("prompts", &list(self.prompts_changed).finish());
        }
        if self.resources {
            let resources = list(self.resources_changed).raw("subscribe", bool(self.subscribe));
            object = object.raw("resources", &resources.finish());
        }
        if self.completions {
            object = object.raw("completions", "{}");
        }
        if self.logging {
            object = object.raw("logging", "{}");
        }
        object.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_merge_has_what_either_has() {
        let raw = Raw::from_static(r#"{"logging":{},"resources":{"subscribe":true},"x":1}"#);
        let merged =
            ServerCapabilities::of_gateway().merge(ServerCapabilities::read(&raw).unwrap());
        expect![[r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"logging":{}}"#]]
            .assert_eq(&merged.to_raw());
        let merged = merged.to_raw();
        assert_eq!(ServerCapabilities::read(&merged).unwrap().to_raw(), merged);
    }
}
