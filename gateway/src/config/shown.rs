//! Somebody's text, fit for a message.

/// Longest piece of somebody's text that a message repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// The text on one line, nothing invisible in it, bounded.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(visible).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// A character as it may be printed: what would move the cursor or turn the text is escaped.
fn visible(c: char) -> Vec<char> {
    if misleads(c) { c.escape_unicode().collect() } else { vec![c] }
}

/// Whether a character does something other than to show itself.
pub(super) fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The same in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", shown(text))
}
