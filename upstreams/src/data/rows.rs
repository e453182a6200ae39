//! A page of rows: which of all rows it holds, and how many bytes it may have.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::trouble::{Code, Trouble};

/// Bytes that a value costs beside its text: quotes, commas, and its share of the memory.
const VALUE_BYTES: usize = 8;

/// One statement with the values of its parameters.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// From 1.
    pub(super) page: u64,
    pub(super) page_size: u64,
}

impl Window {
    /// Rows before the page.
    pub(super) fn skipped(self) -> u64 {
        (self.page - 1).saturating_mul(self.page_size)
    }
}

/// A page of the rows that a statement answers with.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Page {
    /// The names of the columns, in order; a name that comes twice has a number from its second on.
    pub(super) columns: Vec<String>,
    /// The rows of this page, by column.
    pub(super) items: Vec<Map<String, Value>>,
    /// How many rows there are on all pages.
    pub(super) total: u64,
    /// False when there are more rows than are counted: then `total` is the least there are.
    pub(super) total_is_exact: bool,
    /// This page, from 1.
    pub(super) page: u64,
    /// Rows on a full page.
    pub(super) page_size: u64,
    /// Whether there is a page after this one.
    pub(super) has_next: bool,
}

/// Fills a page row by row, within its bytes.
pub(super) struct Filling {
    columns: Vec<String>,
    items: Vec<Map<String, Value>>,
    window: Window,
    bytes_max: usize,
    bytes: usize,
}

impl Filling {
    pub(super) fn new<'a>(
        columns: impl IntoIterator<Item = &'a str>,
        window: Window,
        bytes_max: usize,
    ) -> Self {
        let columns = unique(columns);
        Self { columns, items: Vec::new(), window, bytes_max, bytes: 0 }
    }

    /// Rows that the page still has room for.
    pub(super) fn room(&self) -> u64 {
        self.window.page_size.saturating_sub(self.items.len() as u64)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the page would exceed its bytes.
    pub(super) fn add(
        &mut self,
        values: impl IntoIterator<Item = Result<Value, Trouble>>,
    ) -> Result<(), Trouble> {
        let mut row = Map::with_capacity(self.columns.len());
        for (column, value) in self.columns.iter().zip(values) {
            let value = value?;
            self.bytes += column.len() + bytes_of(&value);
            if self.bytes > self.bytes_max {
                return Err(too_large(self.bytes_max, self.window));
            }
            row.insert(column.clone(), value);
        }
        self.items.push(row);
        Ok(())
    }

    /// The page, when `total` rows were counted in all.
    pub(super) fn page(self, total: u64, total_is_exact: bool) -> Page {
        let shown = self.window.skipped().saturating_add(self.items.len() as u64);
        Page {
            columns: self.columns,
            has_next: !self.items.is_empty() && total > shown,
            items: self.items,
            total,
            total_is_exact,
            page: self.window.page,
            page_size: self.window.page_size,
        }
    }
}

fn too_large(bytes_max: usize, window: Window) -> Trouble {
    let Window { page, page_size } = window;
    let text = format!(
        "expected a page of at most {bytes_max} bytes, came more on page {page} of {page_size} \
         rows: select fewer columns, shorten long values (substr), or take a smaller page_size"
    );
    Trouble::new(Code::Limited, text)
}

/// About what a value costs in memory and in the answer.
fn bytes_of(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(bytes_of).sum(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| name.len() + bytes_of(value)).sum()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => VALUE_BYTES,
        }
}

/// Column names without repetition: `id, id` becomes `id, id_2`.
fn unique<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free =
            std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name));
        taken.extend(free);
    }
    taken
}

/// A table or a view.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Table {
    /// Its name, with its schema where that is not the usual one.
    pub(super) name: String,
    /// `table` or `view`.
    pub(super) kind: String,
}

/// A column of a table.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Column {
    pub(super) name: String,
    /// In the words of the database.
    #[serde(rename = "type")]
    pub(super) type_: String,
    pub(super) nullable: bool,
    /// Its place in the primary key, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) primary_key: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn a_name_that_comes_twice_gets_a_number() {
        assert_eq!(unique(["id", "a", "id", "id_2", "id"]), ["id", "a", "id_2", "id_2_2", "id_3"]);
    }
}
