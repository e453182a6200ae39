//! Printing for people: a reader that left early is no error.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};

/// Prints text and a line end on standard output.
pub(super) fn say(text: &str) {
    // A closed pipe (`gateway list | head`) ends the output, not the program.
    let _closed = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints text and a line end on standard error.
pub(super) fn note(text: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says why the program fails.
pub(super) fn complain(text: &str) {
    if !text.is_empty() {
        note(&format!("gateway: {text}"));
    }
}

/// A number and its noun, such as `1 tool` or `2 tools`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A table without rules, as wide as the terminal.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

/// The table as text without blanks at line ends.
pub(super) fn lines(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n")
}

/// The first line of a text, cut at `max` characters.
pub(super) fn short(text: &str, max: usize) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    match line.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}
