//! The rows of a source, one at a time, whatever it is written in.

use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;

use super::cell::Cell;
use super::source::{Format, Source};
use super::watch::{Seen, binary};
use crate::fault::{Code, Fault};

/// Takes the rows: the names of the columns where they stand in a head, then each row.
pub(super) trait Table {
    /// The head of a CSV source.
    fn head(&mut self, names: Vec<String>) -> Result<(), Fault>;

    /// A row: the column of each value, by place or by name.
    fn row(
        &mut self,
        cells: &mut dyn Iterator<Item = (Column<'_>, Cell<'_>)>,
    ) -> Result<Next, Fault>;
}

/// The column of a value.
pub(super) enum Column<'a> {
    /// By its place in the head.
    At(usize),
    /// By its name.
    Named(&'a str),
}

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Yes.
    More,
    /// No.
    Enough,
}

/// Reads all rows into a table.
///
/// # Errors
/// What the source, its bounds or the table say.
pub(super) fn read(source: Source, has_head: bool, table: &mut dyn Table) -> Result<(), Fault> {
    match source.format {
        Format::Csv => csv(source, has_head, table),
        Format::Json => json(source, table),
        Format::Jsonl => lines(source, table),
    }
}

fn csv(source: Source, has_head: bool, table: &mut dyn Table) -> Result<(), Fault> {
    let Source { reader, seen, delimiter, .. } = source;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(has_head).from_reader(reader);
    let mut record = csv::StringRecord::new();
    let names = if has_head {
        let head = reader.headers().map_err(|fault| of_csv(&fault, &seen))?;
        Some(
            head.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect(),
        )
    } else {
        None
    };
    let mut is_first = true;
    if let Some(names) = names {
        table.head(names)?;
        is_first = false;
    }
    while reader.read_record(&mut record).map_err(|fault| of_csv(&fault, &seen))? {
        if std::mem::take(&mut is_first) {
            table.head((1..=record.len()).map(|number| format!("column_{number}")).collect())?;
        }
        let mut cells =
            record.iter().enumerate().map(|(at, field)| (Column::At(at), Cell::of_field(field)));
        if table.row(&mut cells)? == Next::Enough {
            return Ok(());
        }
        seen.end_row()?;
    }
    Ok(())
}

fn of_csv(fault: &csv::Error, seen: &Seen) -> Fault {
    if let Some(fault) = seen.fault() {
        return fault;
    }
    match fault.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            let text = format!(
                "line {line} has {len} fields where the lines before have {expected_len}: each row \
                 needs a field for each column, and fields with a delimiter in them need quotes"
            );
            Fault::new(Code::Ragged, text)
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            binary(pos.as_ref().map_or(seen.bytes(), csv::Position::byte))
        }
        _ => Fault::new(Code::Unreadable, format!("the source is no CSV: {fault}")),
    }
}

fn lines(source: Source, table: &mut dyn Table) -> Result<(), Fault> {
    let Source { reader, seen, .. } = source;
    let lines = serde_json::Deserializer::from_reader(reader).into_iter::<Value>();
    for value in lines {
        let value = value.map_err(|fault| of_json(&fault, &seen))?;
        if object(&value, table)? == Next::Enough {
            return Ok(());
        }
        seen.end_row()?;
    }
    Ok(())
}

fn json(source: Source, table: &mut dyn Table) -> Result<(), Fault> {
    let Source { reader, seen, .. } = source;
    let mut ended = None;
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let list = List { table, seen: &seen, ended: &mut ended };
    let read = list.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (ended, read) {
        (Some(Ok(())), _) | (None, Ok(())) => Ok(()),
        (Some(Err(fault)), _) => Err(fault),
        (None, Err(fault)) => Err(of_json(&fault, &seen)),
    }
}

/// Reads a list element by element, without holding more than one of them.
struct List<'a> {
    table: &'a mut dyn Table,
    seen: &'a Rc<Seen>,
    /// Why the reading ended early: enough rows, or a fault of ours.
    ended: &'a mut Option<Result<(), Fault>>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(value) = elements.next_element::<Value>()? {
            let next = object(&value, self.table);
            let next = next.and_then(|next| self.seen.end_row().map(|()| next));
            match next {
                Ok(Next::More) => {}
                Ok(Next::Enough) => {
                    *self.ended = Some(Ok(()));
                    return Err(A::Error::custom("enough"));
                }
                Err(fault) => {
                    *self.ended = Some(Err(fault));
                    return Err(A::Error::custom("ended"));
                }
            }
        }
        Ok(())
    }
}

/// A row of JSON: an object by its members, anything else as the one column `value`.
fn object(value: &Value, table: &mut dyn Table) -> Result<Next, Fault> {
    match value {
        Value::Object(members) => {
            let mut cells =
                members.iter().map(|(name, value)| (Column::Named(name), Cell::of_json(value)));
            table.row(&mut cells)
        }
        value => table.row(&mut std::iter::once((Column::Named("value"), Cell::of_json(value)))),
    }
}

fn of_json(fault: &serde_json::Error, seen: &Seen) -> Fault {
    if let Some(fault) = seen.fault() {
        return fault;
    }
    let text = fault.to_string();
    if text.contains("invalid unicode") {
        return binary(seen.bytes());
    }
    Fault::new(Code::Unreadable, format!("the source is no JSON: {text}"))
}
