//! Values, parameters and errors of PostgreSQL as JSON and as trouble.

use std::error::Error as StdError;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::{Value, json};
use tokio_postgres::Error;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};

use super::trouble::{Code, Trouble};

/// Seconds from 1970 to 2000, where PostgreSQL counts from.
const EPOCH_SECONDS: i64 = 946_684_800;
const MICROS: i64 = 1_000_000;

type Boxed = Box<dyn StdError + Sync + Send>;

/// A value of a row.
pub(super) struct Cell(pub(super) Value);

/// Whether values of a type can be read.
pub(super) fn is_known(type_: &Type) -> bool {
    match type_.kind() {
        Kind::Enum(_) => true,
        Kind::Domain(base) => is_known(base),
        Kind::Array(element) => !matches!(element.kind(), Kind::Array(_)) && is_known(element),
        Kind::Simple => [
            Type::BOOL,
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::OID,
            Type::FLOAT4,
            Type::FLOAT8,
            Type::NUMERIC,
            Type::TEXT,
            Type::VARCHAR,
            Type::BPCHAR,
            Type::NAME,
            Type::CHAR,
            Type::UNKNOWN,
            Type::JSON,
            Type::JSONB,
            Type::UUID,
            Type::BYTEA,
            Type::DATE,
            Type::TIME,
            Type::TIMESTAMP,
            Type::TIMESTAMPTZ,
            Type::INTERVAL,
        ]
        .contains(type_),
        _ => *type_ == Type::VOID,
    }
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(type_: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        value(type_, raw).map(Self)
    }

    fn accepts(type_: &Type) -> bool {
        is_known(type_)
    }
}

fn value(type_: &Type, raw: &[u8]) -> Result<Value, Boxed> {
    match type_.kind() {
        Kind::Domain(base) => return value(base, raw),
        Kind::Enum(_) => return Ok(text(raw)),
        Kind::Array(_) => {
            let cells = Vec::<Option<Cell>>::from_sql(type_, raw)
                .map_err(|error| format!("{error}: cast it to text"))?;
            return Ok(cells
                .into_iter()
                .map(|cell| cell.map_or(Value::Null, |cell| cell.0))
                .collect());
        }
        _ => {}
    }
    Ok(match *type_ {
        Type::BOOL => bool::from_sql(type_, raw)?.into(),
        Type::INT2 => i16::from_sql(type_, raw)?.into(),
        Type::INT4 => i32::from_sql(type_, raw)?.into(),
        Type::INT8 => i64::from_sql(type_, raw)?.into(),
        Type::OID => u32::from_sql(type_, raw)?.into(),
        Type::FLOAT4 => real(f64::from(f32::from_sql(type_, raw)?)),
        Type::FLOAT8 => real(f64::from_sql(type_, raw)?),
        Type::NUMERIC => numeric(raw).ok_or("a numeric that is none")?.into(),
        Type::JSON => serde_json::from_slice(raw)?,
        Type::JSONB => serde_json::from_slice(raw.get(1..).unwrap_or_default())?,
        Type::UUID => uuid::Uuid::from_slice(raw)?.to_string().into(),
        Type::BYTEA => json!({ "base64": STANDARD.encode(raw) }),
        Type::DATE => date(i32::from_be_bytes(raw.try_into()?))?.into(),
        Type::TIME => time(i64::from_be_bytes(raw.try_into()?))?.into(),
        Type::TIMESTAMP => moment(i64::from_be_bytes(raw.try_into()?), "")?.into(),
        Type::TIMESTAMPTZ => moment(i64::from_be_bytes(raw.try_into()?), "Z")?.into(),
        Type::INTERVAL => interval(raw).ok_or("an interval that is none")?.into(),
        Type::VOID => Value::Null,
        _ => text(raw),
    })
}

fn text(raw: &[u8]) -> Value {
    String::from_utf8_lossy(raw).into()
}

/// JSON has no number for what is none, and none for infinity.
fn real(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::from)
}

/// Digits of a decimal, exactly, as text: JSON's readers would round it.
fn numeric(raw: &[u8]) -> Option<String> {
    let mut words = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let digits = usize::from(words.next()?);
    let weight = i32::from(words.next()?.cast_signed());
    let sign = words.next()?;
    let scale = usize::from(words.next()?);
    let mut out = match sign {
        0x0000 => String::new(),
        0x4000 => "-".to_owned(),
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let groups: Vec<u16> = words.take(digits).collect();
    let group = |place: i32| {
        usize::try_from(place).ok().and_then(|place| groups.get(place)).copied().unwrap_or_default()
    };
    if weight < 0 {
        out.push('0');
    }
    for place in 0..=weight {
        let number = group(place);
        // Writing to a string does not fail.
        if place == 0 { write!(out, "{number}") } else { write!(out, "{number:04}") }.ok()?;
    }
    if scale > 0 {
        let whole = out.len() + 1 + scale;
        out.push('.');
        let mut place = weight + 1;
        while out.len() < whole {
            // Groups between the point and the first one that is given are zero.
            let number = group(place);
            write!(out, "{number:04}").ok()?;
            place += 1;
        }
        out.truncate(whole);
    }
    Some(out)
}

fn date(days: i32) -> Result<String, Boxed> {
    if let Some(end) = end_of_time(i64::from(days), i64::from(i32::MAX), i64::from(i32::MIN)) {
        return Ok(end);
    }
    let epoch = civil::date(2000, 1, 1);
    let date = epoch.checked_add(SignedDuration::from_hours(24 * i64::from(days)))?;
    Ok(date.to_string())
}

fn time(micros: i64) -> Result<String, Boxed> {
    let midnight = civil::Time::midnight();
    if micros == 86_400 * MICROS {
        return Ok("24:00:00".to_owned());
    }
    Ok(midnight.checked_add(SignedDuration::from_micros(micros))?.to_string())
}

fn moment(micros: i64, zone: &str) -> Result<String, Boxed> {
    if let Some(end) = end_of_time(micros, i64::MAX, i64::MIN) {
        return Ok(end);
    }
    let since_1970 = micros.checked_add(EPOCH_SECONDS * MICROS).ok_or("a time out of range")?;
    let utc = Timestamp::from_microsecond(since_1970)?.to_zoned(jiff::tz::TimeZone::UTC);
    Ok(format!("{}{zone}", utc.datetime()))
}

fn end_of_time(value: i64, last: i64, first: i64) -> Option<String> {
    match value {
        value if value == last => Some("infinity".to_owned()),
        value if value == first => Some("-infinity".to_owned()),
        _ => None,
    }
}

/// An interval as ISO 8601 has it.
fn interval(raw: &[u8]) -> Option<String> {
    let micros = i64::from_be_bytes(raw.get(..8)?.try_into().ok()?);
    let days = i32::from_be_bytes(raw.get(8..12)?.try_into().ok()?);
    let months = i32::from_be_bytes(raw.get(12..16)?.try_into().ok()?);
    let sign = if micros < 0 { "-" } else { "" };
    let (seconds, fraction) =
        (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    Some(format!("P{months}M{days}DT{sign}{seconds}{fraction}S"))
}

/// The value of a parameter, sent as text: the server reads it as what it expects there.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) &'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, type_: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        let text = match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::String(text) => text.clone(),
            Value::Array(values) if matches!(type_.kind(), Kind::Array(_)) => array(values),
            other => other.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(&self, type_: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        self.to_sql(type_, out)
    }
}

/// An array as the server reads it: every element quoted, so that none can end it.
fn array(values: &[Value]) -> String {
    let elements = values.iter().map(|value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Array(nested) => array(nested),
        Value::String(text) => quoted(text),
        other => quoted(&other.to_string()),
    });
    format!("{{{}}}", elements.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What PostgreSQL says of a statement.
pub(super) fn said(error: &Error) -> Trouble {
    let Some(db) = error.as_db_error() else {
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            write!(text, ": {cause}").ok();
        }
        // A value that cannot be read or sent is no matter of the connection.
        return match text.contains("serializ") {
            true => Trouble::new(Code::Query, text),
            false => Trouble::passing(Code::Connection, text),
        };
    };
    let state = db.code().code();
    let mut text = db.message().to_owned();
    for more in [db.detail(), db.hint()].into_iter().flatten() {
        write!(text, "; {more}").ok();
    }
    let code = match (state, &state[..2]) {
        ("57014", _) => Code::Timeout,
        (_, "25") => Code::ReadOnly,
        ("42501", _) => Code::Forbidden,
        ("42601", _) if text.contains("multiple commands") => {
            return Trouble::new(Code::Validation, "expected one statement, came several");
        }
        (_, "22" | "54") => Code::Validation,
        (_, "23" | "40") => Code::Conflict,
        ("53300", _) => return Trouble::passing(Code::Connection, text),
        (_, "53") => Code::Limited,
        (_, "28" | "3D") => Code::Connection,
        (_, "57" | "08") => return Trouble::passing(Code::Connection, text),
        _ => Code::Query,
    };
    Trouble::new(code, text)
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        said(&error)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{array, date, interval, moment, numeric, time};

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_decimal_keeps_each_digit() {
        for (raw, text) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 2], "0.00"),
            (&[2, 0, 0, 2, 12, 3400], "12.34"),
            (&[2, 1, 0x4000, 0, 1, 5], "-10005"),
            (&[1, 1, 0, 0, 7], "70000"),
            (&[1, 0xFFFE, 0, 7, 1200], "0.0000120"),
            (&[3, 1, 0, 5, 1, 2, 3], "10002.00030"),
            (&[0, 0, 0xC000, 0], "NaN"),
        ] {
            assert_eq!(numeric(&words(raw)).as_deref(), Some(text));
        }
        assert_eq!(numeric(&[]), None);
    }

    #[test]
    fn days_and_times_are_written_as_iso_8601() {
        assert_eq!(date(0).unwrap(), "2000-01-01");
        assert_eq!(date(-1).unwrap(), "1999-12-31");
        assert_eq!(date(i32::MAX).unwrap(), "infinity");
        assert_eq!(time(3_600_000_001).unwrap(), "01:00:00.000001");
        assert_eq!(moment(1_500_000, "Z").unwrap(), "2000-01-01T00:00:01.5Z");
        assert_eq!(moment(i64::MIN, "").unwrap(), "-infinity");
        let mut raw = (-1_500_000i64).to_be_bytes().to_vec();
        raw.extend(2i32.to_be_bytes());
        raw.extend(14i32.to_be_bytes());
        assert_eq!(interval(&raw).unwrap(), "P14M2DT-1.500000S");
    }

    #[test]
    fn no_element_of_an_array_ends_it() {
        let values = json!(["a\"},{\"b", "c\\", null, 1, [true]]);
        let text = array(values.as_array().unwrap());
        assert_eq!(text, r#"{"a\"},{\"b","c\\",NULL,"1",{"true"}}"#);
    }
}
