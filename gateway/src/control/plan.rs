//! What a reload would do: a pure comparison of two configurations.

use std::fmt;

use serde::Serialize;

use crate::config::{Config, GatewayConfig, MountConfig};

/// What happens to each mount, and which changes must wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Every mount of either configuration: those of the new one in file order, then those to go.
    pub mounts: Vec<Step>,
    /// Changed keys of `[gateway]` that take effect at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<&'static str>,
    /// Changed keys of `[gateway]` that take effect only when the gateway is started again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs_restart: Vec<&'static str>,
}

/// What happens to one mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name in the file.
    pub mount: String,
    /// What happens.
    pub action: Action,
}

/// What a reload does with a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It stays as it is: the same connection, the same process.
    Keep,
    /// It is shown otherwise, on the same connection.
    Change,
    /// It is new.
    Start,
    /// It is reached or treated otherwise: the new one starts, the old one ends its calls and goes.
    Restart,
    /// It ends its calls and goes.
    Drain,
}

impl Action {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Change => "change",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Drain => "drain",
        }
    }
}

impl Plan {
    /// What leads from `old` to `new`.
    pub fn of(old: &Config, new: &Config) -> Self {
        let enabled = |config: &Config| -> Vec<MountConfig> {
            config.mounts.iter().filter(|entry| entry.enabled).cloned().collect()
        };
        let (before, after) = (enabled(old), enabled(new));
        let step = |entry: &MountConfig, action| Step { mount: entry.name.clone(), action };
        let find =
            |all: &[MountConfig], name: &str| all.iter().find(|entry| entry.name == name).cloned();
        let mut mounts: Vec<Step> = after
            .iter()
            .map(|entry| step(entry, action(find(&before, &entry.name).as_ref(), entry)))
            .collect();
        let gone = before.iter().filter(|entry| find(&after, &entry.name).is_none());
        mounts.extend(gone.map(|entry| step(entry, Action::Drain)));
        let (applied, needs_restart) = keys(&old.gateway, &new.gateway);
        Self { mounts, applied, needs_restart }
    }

    /// What happens to a mount.
    pub fn action(&self, mount: &str) -> Option<Action> {
        self.mounts.iter().find(|step| step.mount == mount).map(|step| step.action)
    }

    /// Whether anything at all would change.
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty()
            && self.needs_restart.is_empty()
            && self.mounts.iter().all(|step| step.action == Action::Keep)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.mounts.iter();
        let steps = steps.map(|step| format!("{} {}", step.action.as_str(), step.mount));
        let now = self.applied.iter().map(|key| format!("change gateway.{key}"));
        let later = self.needs_restart.iter().map(|key| format!("start again for gateway.{key}"));
        f.write_str(&steps.chain(now).chain(later).collect::<Vec<_>>().join(", "))
    }
}

fn action(old: Option<&MountConfig>, new: &MountConfig) -> Action {
    let Some(old) = old else { return Action::Start };
    if old == new {
        return Action::Keep;
    }
    // What only decides how a mount is shown is taken over from the new one.
    let shown = MountConfig {
        prefix: new.prefix.clone(),
        resources: new.resources,
        tools: new.tools.clone(),
        prompts: new.prompts.clone(),
        ..old.clone()
    };
    if shown == *new { Action::Change } else { Action::Restart }
}

/// The changed keys of `[gateway]`: those that take effect at once, and the others.
fn keys(old: &GatewayConfig, new: &GatewayConfig) -> (Vec<&'static str>, Vec<&'static str>) {
    let of = |rows: &[(&'static str, bool)]| -> Vec<&'static str> {
        rows.iter().filter(|(_, changed)| *changed).map(|(key, _)| *key).collect()
    };
    let (before, after) = (&old.limits, &new.limits);
    let applied = of(&[
        ("separator", old.separator != new.separator),
        ("name_max", old.name_max != new.name_max),
        ("instructions", old.instructions != new.instructions),
        ("limits.page_entries", before.page_entries != after.page_entries),
        ("limits.catalog_ttl", before.catalog_ttl != after.catalog_ttl),
    ]);
    let rest = taken_over(old, new);
    let mut needs_restart = of(&[
        ("listen", rest.listen != new.listen),
        ("socket_mode", rest.socket_mode != new.socket_mode),
        ("sse", rest.sse != new.sse),
        ("admin", rest.admin != new.admin),
        ("key", rest.key != new.key),
        ("hosts", rest.hosts != new.hosts),
        ("origins", rest.origins != new.origins),
        ("state", rest.state != new.state),
        ("limits", rest.limits != new.limits),
    ]);
    if needs_restart.is_empty() && rest != *new {
        needs_restart.push("another key of [gateway]");
    }
    (applied, needs_restart)
}

/// The running configuration of what faces the clients after a reload: what can change at once is
/// that of `new`.
pub(super) fn taken_over(old: &GatewayConfig, new: &GatewayConfig) -> GatewayConfig {
    let mut limits = old.limits.clone();
    limits.page_entries = new.limits.page_entries;
    limits.catalog_ttl = new.limits.catalog_ttl;
    GatewayConfig {
        separator: new.separator.clone(),
        name_max: new.name_max,
        instructions: new.instructions.clone(),
        limits,
        ..old.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileSource, Sources, load};

    fn config(text: &str) -> Config {
        let text: &'static str = text.to_owned().leak();
        let file = FileSource::Embedded(text);
        let sources = Sources {
            file,
            environment: Vec::new(),
            flags: Vec::new(),
            children: &std::collections::BTreeMap::new(),
        };
        load(sources).unwrap_or_else(|problems| panic!("{problems}")).config
    }

    fn plan(old: &str, new: &str) -> String {
        Plan::of(&config(old), &config(new)).to_string()
    }

    const A: &str = "[mounts.a]\ncommand = \"a\"\n";
    const B: &str = "[mounts.b]\nurl = \"http://127.0.0.1:1/mcp\"\n";

    #[test]
    fn each_mount_is_kept_shown_otherwise_restarted_started_or_drained() {
        for (old, new, expected) in [
            (A.to_owned(), A.to_owned(), "keep a"),
            (A.to_owned(), format!("{B}{A}"), "start b, keep a"),
            (format!("{A}{B}"), B.to_owned(), "keep b, drain a"),
            (A.to_owned(), format!("{A}prefix = \"x\"\n"), "change a"),
            (A.to_owned(), format!("{A}resources = \"keep\"\n"), "change a"),
            (A.to_owned(), format!("{A}[mounts.a.tools]\nhide = [\"x\"]\n"), "change a"),
            (A.to_owned(), format!("{A}args = [\"x\"]\n"), "restart a"),
            (A.to_owned(), format!("{A}timeout = \"5s\"\nprefix = \"x\"\n"), "restart a"),
            (A.to_owned(), format!("{A}enabled = false\n"), "drain a"),
            (A.to_owned(), "[mounts.c]\ncommand = \"a\"\n".to_owned(), "start c, drain a"),
        ] {
            assert_eq!(plan(&old, &new), expected, "{old} → {new}");
        }
    }

    #[test]
    fn keys_that_cannot_change_now_are_named() {
        let gateway = |keys: &str| format!("[gateway]\n{keys}\n{A}");
        let same = gateway("");
        for (keys, expected) in [
            (
                "separator = \"__\"\nname_max = 64",
                "keep a, change gateway.separator, change gateway.name_max",
            ),
            ("listen = \"127.0.0.1:1\"", "keep a, start again for gateway.listen"),
            (
                "admin = \"off\"\nhosts = [\"h\"]",
                "keep a, start again for gateway.admin, start again for gateway.hosts",
            ),
            ("limits = { page_entries = 5 }", "keep a, change gateway.limits.page_entries"),
            ("limits = { drain = \"1s\" }", "keep a, start again for gateway.limits"),
            (
                "limits = { drain = \"1s\", catalog_ttl = \"1s\" }",
                "keep a, change gateway.limits.catalog_ttl, start again for gateway.limits",
            ),
        ] {
            assert_eq!(plan(&same, &gateway(keys)), expected, "{keys}");
        }
        assert!(Plan::of(&config(A), &config(A)).is_empty());
        assert!(!Plan::of(&config(A), &config(B)).is_empty());
    }
}
