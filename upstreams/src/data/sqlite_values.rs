//! Values, parameters and errors of SQLite as JSON and as trouble.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::ValueRef;
use rusqlite::{Error, ErrorCode, Row};
use serde_json::{Value, json};

use super::trouble::{Code, Trouble};

/// A value of a row.
///
/// # Errors
/// When a text is none.
pub(super) fn value(row: &Row<'_>, index: usize) -> Result<Value, Trouble> {
    Ok(match row.get_ref(index)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        // Infinity is no number in JSON.
        ValueRef::Real(number) => serde_json::Number::from_f64(number)
            .map_or_else(|| number.to_string().into(), Value::from),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => json!({ "base64": STANDARD.encode(bytes) }),
    })
}

/// Gives each parameter its value: `?` in order, `?2` and `$2` by number.
///
/// # Errors
/// When there are more or fewer values than parameters, or a parameter has a name.
pub(super) fn bind(
    prepared: &mut rusqlite::Statement<'_>,
    params: &[Value],
) -> Result<(), Trouble> {
    let mut numbers = Vec::new();
    for index in 1..=prepared.parameter_count() {
        let number = match prepared.parameter_name(index) {
            None => index,
            Some(name) => name[1..].parse().map_err(|_| named(name))?,
        };
        numbers.push((index, number));
    }
    let wanted = numbers.iter().map(|(_, number)| *number).max().unwrap_or_default();
    if wanted != params.len() {
        return Err(super::wrong_count(wanted, params.len()));
    }
    for (index, number) in numbers {
        let Some(param) = number.checked_sub(1).and_then(|place| params.get(place)) else {
            return Err(super::wrong_count(wanted, params.len()));
        };
        match param {
            Value::Null => prepared.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Bool(is_true) => prepared.raw_bind_parameter(index, is_true),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => prepared.raw_bind_parameter(index, integer),
                (None, real) => prepared.raw_bind_parameter(index, real),
            },
            Value::String(text) => prepared.raw_bind_parameter(index, text),
            Value::Array(_) | Value::Object(_) => {
                prepared.raw_bind_parameter(index, param.to_string())
            }
        }?;
    }
    Ok(())
}

fn named(name: &str) -> Trouble {
    let shown: String = name.chars().take(64).collect();
    let text = format!("expected parameters by number (?, ?1 or $1), came `{shown}`");
    Trouble::new(Code::Validation, text)
}

/// What SQLite says of a statement.
pub(super) fn said(error: &Error, is_writing: bool) -> Trouble {
    let code = match error {
        Error::MultipleStatement => {
            return Trouble::new(Code::Validation, "expected one statement, came several");
        }
        Error::Empty => return Trouble::new(Code::Validation, "expected a statement, came none"),
        Error::NulError(_) => {
            return Trouble::new(Code::Validation, "expected a text without NUL, came one with it");
        }
        _ => error.sqlite_error_code(),
    };
    let code = match code {
        Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly) => {
            return match is_writing {
                false => Trouble::new(
                    Code::ReadOnly,
                    "expected a statement that only reads, came one that changes data or settings, \
                     opens a transaction or reaches for other files",
                ),
                true => Trouble::new(
                    Code::Forbidden,
                    "expected a statement on the tables of this database, came one that changes \
                     settings, opens a transaction or reaches for other files",
                ),
            };
        }
        Some(ErrorCode::OperationInterrupted) => Code::Timeout,
        Some(ErrorCode::TooBig | ErrorCode::OutOfMemory | ErrorCode::DiskFull) => Code::Limited,
        Some(
            ErrorCode::ConstraintViolation | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked,
        ) => Code::Conflict,
        Some(ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange) => Code::Validation,
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::SystemIoFailure,
        ) => Code::Connection,
        _ => Code::Query,
    };
    Trouble::new(code, sentence(error))
}

/// SQLite's own words, without the statement around them.
fn sentence(error: &Error) -> String {
    match error {
        Error::SqlInputError { msg, offset, .. } => format!("{msg} (at byte {offset})"),
        Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        said(&error, false)
    }
}
