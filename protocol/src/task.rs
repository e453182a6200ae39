//! Tasks on the wire: a handle, its state, and what is asked in it (digest 1.18.1).

use crate::json::{self, Members, ObjectEdit, ObjectWriter};
use crate::{NotJson, Raw, rewrite};

/// The member that names a task.
pub const ID: &str = "taskId";
/// The member of a listen's filter that names the tasks whose news are wanted.
pub const IDS: &str = "taskIds";

/// The metadata of 2025-11-25 that says of a message or a result which task it belongs to.
pub const RELATED: &str = "io.modelcontextprotocol/related-task";

/// The longest id that a child may give, in bytes: with what the gateway adds it still fits into a
/// header.
const ID_BYTES_MAX: usize = 1024;

/// How a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is under way.
    Working,
    /// It waits for answers.
    InputRequired,
    /// It has a result.
    Completed,
    /// It has an error.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Status {
    /// Reads the status of a task, an object.
    ///
    /// # Errors
    /// A text that says what was expected and what came.
    pub fn of(task: &Members<'_>) -> Result<Self, NotJson> {
        Ok(match task.get_string("status").as_deref() {
            Some("working") => Self::Working,
            Some("input_required") => Self::InputRequired,
            Some("completed") => Self::Completed,
            Some("failed") => Self::Failed,
            Some("cancelled") => Self::Cancelled,
            _ => {
                let came = task.get("status").unwrap_or("nothing");
                let known = "working, input_required, completed, failed or cancelled";
                return Err(NotJson(format!("status: expected {known}, found {came:.40}")));
            }
        })
    }

    /// Whether nothing comes after it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Working | Self::InputRequired)
    }

    /// The member that a task of this status has beside those of all, which is an object.
    fn member(self) -> Option<&'static str> {
        match self {
            Self::InputRequired => Some("inputRequests"),
            Self::Completed => Some("result"),
            Self::Failed => Some("error"),
            Self::Working | Self::Cancelled => None,
        }
    }
}

/// Looks whether `result` is a new task.
///
/// # Errors
/// A text that says what was expected and what came.
pub fn check_created(result: &Raw) -> Result<(), NotJson> {
    let task = Members::read(result)?;
    Status::of(&task)?;
    match id(&task) {
        Some(id) if id.is_empty() => Err(NotJson(format!("{ID}: it is empty"))),
        Some(id) if id.len() > ID_BYTES_MAX => {
            Err(NotJson(format!("{ID}: it is longer than {ID_BYTES_MAX} bytes")))
        }
        Some(_) => Ok(()),
        None => Err(NotJson(format!("{ID}: expected a string"))),
    }
}

/// Looks whether `result` says how a task is, with what belongs to its status.
///
/// # Errors
/// A text that says what was expected and what came.
pub fn check_state(result: &Raw) -> Result<Status, NotJson> {
    let task = Members::read(result)?;
    let status = Status::of(&task)?;
    if let Some(member) = status.member() {
        let came = task.get(member).unwrap_or_default();
        if !came.starts_with('{') {
            let found = json::kind_of(came);
            return Err(NotJson(format!("{member}: expected an object, found {found}")));
        }
    }
    Ok(status)
}

/// The id in a task, or in the params of a request about one.
pub fn id(members: &Members<'_>) -> Option<String> {
    members.get_string(ID).map(std::borrow::Cow::into_owned)
}

/// A task, or the params of a request about one, under another id.
///
/// # Errors
/// [`NotJson`] when `task` is no object.
pub fn with_id(task: &Raw, id: &str) -> Result<Raw, NotJson> {
    rewrite::set_string(task, ID, id)
}

/// An id within that of whom the task belongs to.
pub fn nest(owner: &str, id: &str) -> String {
    format!("{owner}/{id}")
}

/// Owner and id of [`nest`].
pub fn unnest(id: &str) -> Option<(&str, &str)> {
    id.split_once('/')
}

/// The tasks in the filter of a listen, or in its acknowledgement; `None` when it names none at
/// all.
///
/// # Errors
/// A text that says what was expected.
pub fn listened(params: &Raw) -> Result<Option<Vec<String>>, NotJson> {
    let params = Members::read(params)?;
    let Some(filter) = params.get("notifications") else { return Ok(None) };
    let Some(text) = Members::read(filter)?.get(IDS) else { return Ok(None) };
    let ids = serde_json::from_str(text)
        .map_err(|_| NotJson(format!("notifications.{IDS}: expected an array of strings")))?;
    Ok(Some(ids))
}

/// The params of a listen, or its acknowledgement, with these tasks.
///
/// # Errors
/// [`NotJson`] when `params` or the filter is no object.
pub fn with_listened(params: &Raw, ids: &[String]) -> Result<Raw, NotJson> {
    let members = Members::read(params)?;
    let filter = Members::read(members.get("notifications").unwrap_or("{}"))?;
    let filter = ObjectEdit::new(&filter).set(IDS, Raw::of(ids).to_string()).finish();
    Ok(ObjectEdit::new(&members).set("notifications", filter).finish_raw())
}

/// The params of a listen to these tasks alone.
pub fn listen_to(ids: &[String]) -> Raw {
    let filter = ObjectWriter::new().raw(IDS, &Raw::of(ids)).finish();
    ObjectWriter::new().raw("notifications", &filter).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn raw(text: &'static str) -> Raw {
        Raw::from_static(text)
    }

    #[test]
    fn c183_a_state_has_what_belongs_to_its_status() {
        let check = |text| match check_state(&raw(text)) {
            Ok(status) => format!("{status:?}, over: {}", status.is_over()),
            Err(fault) => fault.0,
        };
        let shown = [
            check(r#"{"status":"working"}"#),
            check(r#"{"status":"input_required","inputRequests":{}}"#),
            check(r#"{"status":"input_required"}"#),
            check(r#"{"status":"completed","result":{}}"#),
            check(r#"{"status":"completed","result":[]}"#),
            check(r#"{"status":"failed","error":{}}"#),
            check(r#"{"status":"failed","result":{}}"#),
            check(r#"{"status":"cancelled"}"#),
            check(r#"{"status":"done"}"#),
            check("{}"),
        ];
        expect![[r#"
            Working, over: false
            InputRequired, over: false
            inputRequests: expected an object, found nothing
            Completed, over: true
            result: expected an object, found an array
            Failed, over: true
            error: expected an object, found nothing
            Cancelled, over: true
            status: expected working, input_required, completed, failed or cancelled, found "done"
            status: expected working, input_required, completed, failed or cancelled, found nothing"#]]
        .assert_eq(&shown.join("\n"));
    }

    #[test]
    fn c183_a_new_task_has_an_id_and_a_status() {
        let long = Raw::parse(
            format!(r#"{{"status":"working","taskId":"{}"}}"#, "x".repeat(ID_BYTES_MAX + 1)).into(),
        );
        assert!(check_created(&long.unwrap()).is_err());
        for odd in [
            r#"{"status":"working"}"#,
            r#"{"status":"working","taskId":""}"#,
            r#"{"status":"working","taskId":1}"#,
            r#"{"status":"queued","taskId":"a"}"#,
        ] {
            assert!(check_created(&raw(odd)).is_err(), "{odd}");
        }
        assert!(check_created(&raw(r#"{"status":"working","taskId":"a/b"}"#)).is_ok());
    }

    #[test]
    fn ids_are_nested_and_come_out_again() {
        let id = nest("mount", &nest("0", "own/id"));
        assert_eq!(id, "mount/0/own/id");
        assert_eq!(unnest(&id), Some(("mount", "0/own/id")));
        assert_eq!(unnest("0/own/id"), Some(("0", "own/id")));
        assert_eq!(unnest(""), None);
    }

    #[test]
    fn tasks_are_taken_out_of_a_filter_and_put_in() {
        let params = raw(r#"{"notifications":{"taskIds":["a"],"toolsListChanged":true}}"#);
        assert_eq!(listened(&params), Ok(Some(vec!["a".to_owned()])));
        expect![[r#"{"notifications":{"taskIds":["b","c"],"toolsListChanged":true}}"#]]
            .assert_eq(&with_listened(&params, &["b".to_owned(), "c".to_owned()]).unwrap());
        assert_eq!(listened(&raw(r#"{"notifications":{}}"#)), Ok(None));
        assert!(listened(&raw(r#"{"notifications":{"taskIds":[1]}}"#)).is_err());
        assert_eq!(listened(&listen_to(&[])), Ok(Some(Vec::new())));
    }
}
