//! What servers offer: read of one child, merged of many, written for a client; and what of a
//! client's capabilities goes on to servers (digest 1.3, 2.7).

use crate::extension::{self, TASKS, UI, UNDERSTOOD, declared};
use crate::json::{Members, ObjectEdit, ObjectWriter};
use crate::{NotJson, Raw};

/// The members of a client's capabilities that are passed on.
const OF_CLIENTS: [&str; 4] = ["elicitation", "sampling", "roots", "extensions"];

/// What of a client's `capabilities` the gateway can pass on: the questions that it relays, as they
/// were declared, and the extensions that it understands.
pub fn of_client(capabilities: &Raw) -> Raw {
    let relayed = extension::relayed(capabilities, &UNDERSTOOD);
    let Ok(members) = Members::read(&relayed) else { return relayed };
    let mut edit = ObjectEdit::new(&members);
    for (key, _) in members.iter().filter(|(key, _)| !OF_CLIENTS.contains(key)) {
        edit.remove(key);
    }
    if edit.is_empty() { relayed.clone() } else { edit.finish_raw() }
}

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
    /// May answer a call by a task that is polled: the extension (digest 1.18.1).
    pub tasks: bool,
    /// Takes calls that ask for a task: the experiment of 2025-11-25, never shown to a client
    /// (check 187).
    pub task_calls: bool,
    /// Has user interfaces, and says so.
    pub ui: bool,
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
        let extensions = declared(raw, &UNDERSTOOD).unwrap_or_default();
        let extensions = Members::read(&extensions)?;
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
            tasks: extensions.get(TASKS).is_some(),
            task_calls: takes_task_calls(&members).unwrap_or_default(),
            ui: extensions.get(UI).is_some(),
        })
    }

    /// What of it holds in a handshake session. The extension of tasks is declared request by
    /// request, so nobody can declare it there (check 185).
    #[must_use]
    pub fn of_session(self) -> Self {
        Self { tasks: false, ..self }
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
            tasks: self.tasks || other.tasks,
            task_calls: self.task_calls || other.task_calls,
            ui: self.ui || other.ui,
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
        let mut extensions = ObjectWriter::new();
        for (name, has) in [(TASKS, self.tasks), (UI, self.ui)] {
            if has {
                extensions = extensions.raw(name, "{}");
            }
        }
        if self.tasks || self.ui {
            object = object.raw("extensions", &extensions.finish());
        }
        object.finish()
    }
}

/// Whether `tasks.requests.tools.call` is there.
fn takes_task_calls(members: &Members<'_>) -> Option<bool> {
    let tasks = Members::read(members.get("tasks")?).ok()?;
    let requests = Members::read(tasks.get("requests")?).ok()?;
    let tools = Members::read(requests.get("tools")?).ok()?;
    Some(tools.get("call").is_some_and(|text| text.starts_with('{')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn c026_of_what_a_client_declares_only_that_goes_on_which_is_relayed() {
        let of = |text| of_client(&Raw::from_static(text)).to_string();
        expect![[r#"{"sampling":{"x":1.0},"roots":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#]]
            .assert_eq(&of(
                r#"{"experimental":{"q":{}},"sampling":{"x":1.0},"tasks":{},"roots":{"listChanged":true},"extensions":{"a/b":{},"io.modelcontextprotocol/tasks":{}},"z":0}"#,
            ));
        for (said, relayed) in [
            (r#"{"experimental":{"q":{}},"unknown":{}}"#, "{}"),
            (r#"{ "elicitation" : {} }"#, r#"{ "elicitation" : {} }"#),
            ("{}", "{}"),
        ] {
            assert_eq!(of(said), relayed);
        }
    }

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

    #[test]
    fn c187_the_experiment_with_tasks_is_read_and_never_written() {
        let raw = Raw::from_static(
            r#"{"tasks":{"requests":{"tools":{"call":{}}}},"extensions":{"com.example/x":{},"io.modelcontextprotocol/ui":{}}}"#,
        );
        let read = ServerCapabilities::read(&raw).unwrap();
        assert!(read.task_calls && !read.tasks);
        expect![[r#"{"extensions":{"io.modelcontextprotocol/ui":{}}}"#]].assert_eq(&read.to_raw());
        let extension = ServerCapabilities { tasks: true, ..read };
        expect![[
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{}}}"#
        ]]
        .assert_eq(&extension.to_raw());
        let none = Raw::from_static(r#"{"tasks":{"list":{}}}"#);
        assert!(!ServerCapabilities::read(&none).unwrap().task_calls);
    }
}
