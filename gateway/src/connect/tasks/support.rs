//! Which tools of a child of the experiment are called by a task, as its list says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use protocol::Raw;
use protocol::json::{self, Members, ObjectEdit};

/// Tools that are remembered; of those beyond it none is called by a task.
const TOOLS_MAX: usize = 10_000;

/// The member of a tool that says it, which clients are not shown: what it asks of them is done
/// here.
const EXECUTION: &str = "execution";

/// Whether a tool that takes tasks takes anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    TasksAlone,
    TasksToo,
}

/// What the lists said so far, of all connections to one child.
#[derive(Debug, Default)]
pub(super) struct Support(Mutex<HashMap<String, Takes>>);

impl Support {
    /// Reads a page of tools; the page as clients get it.
    pub(super) fn learn(&self, page: &Raw) -> Raw {
        let shown = || {
            let members = Members::read(page).ok()?;
            let tools = json::elements(members.get("tools")?)?;
            let tools: Vec<String> = tools.into_iter().map(|tool| self.tool(tool)).collect();
            let tools = json::array(tools.iter().map(String::as_str));
            Some(ObjectEdit::new(&members).set("tools", tools.to_string()).finish_raw())
        };
        shown().unwrap_or_else(|| page.clone())
    }

    fn tool(&self, tool: &str) -> String {
        let read = || {
            let members = Members::read(tool).ok()?;
            let name = members.get_string("name")?;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match takes(&members) {
                Some(takes) if known.len() < TOOLS_MAX || known.contains_key(&*name) => {
                    known.insert(name.into_owned(), takes);
                }
                _ => {
                    known.remove(&*name);
                }
            }
            members.get(EXECUTION)?;
            Some(ObjectEdit::new(&members).remove(EXECUTION).finish())
        };
        read().unwrap_or_else(|| tool.to_owned())
    }

    /// Whether a call is made by a task; `knows` says whether its client takes one.
    pub(super) fn by_task(&self, params: &Raw, knows: bool) -> bool {
        let members = Members::read(params).ok();
        let name = members.as_ref().and_then(|members| members.get_string("name"));
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match name.and_then(|name| known.get(&*name).copied()) {
            Some(Takes::TasksAlone) => true,
            Some(Takes::TasksToo) => knows,
            None => false,
        }
    }
}

fn takes(tool: &Members<'_>) -> Option<Takes> {
    let execution = Members::read(tool.get(EXECUTION)?).ok()?;
    match execution.get_string("taskSupport").as_deref() {
        Some("required") => Some(Takes::TasksAlone),
        Some("optional") => Some(Takes::TasksToo),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn c108_a_list_says_which_tools_are_called_by_a_task_and_clients_do_not_see_it() {
        let support = Support::default();
        let page = Raw::from_static(
            r#"{"tools":[{"name":"a","execution":{"taskSupport":"required"},"x":1.0},{"name":"b","execution":{"taskSupport":"optional"}},{"name":"c","execution":{"taskSupport":"forbidden"}},{"name":"d"},7],"nextCursor":"n"}"#,
        );
        expect![[r#"{"tools":[{"name":"a","x":1.0},{"name":"b"},{"name":"c"},{"name":"d"},7],"nextCursor":"n"}"#]]
            .assert_eq(&support.learn(&page));
        let by_task = |name: &str, knows| {
            let params = Raw::parse(format!(r#"{{"name":"{name}"}}"#).into()).unwrap();
            support.by_task(&params, knows)
        };
        for (name, knowing, not) in
            [("a", true, true), ("b", true, false), ("c", false, false), ("d", false, false)]
        {
            assert_eq!((by_task(name, true), by_task(name, false)), (knowing, not), "{name}");
        }
        support.learn(&Raw::from_static(r#"{"tools":[{"name":"a"}]}"#));
        assert!(!by_task("a", true), "it no longer says so");
        assert_eq!(support.learn(&Raw::default()), Raw::default());
    }
}
