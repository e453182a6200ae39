//! A line of the file around a place in it, fit to be printed.

use std::ops::Range;

use super::problem::Excerpt;
use super::shown::misleads;

/// Longest piece of a line that is shown, in characters: the rest is cut off on both sides.
const LINE_CHARS_MAX: usize = 100;

/// Characters kept before the caret when a long line is cut.
const BEFORE_CHARS: usize = 40;

/// Shows the line in which a span begins; bytes of `hidden` ranges are replaced by `…`.
///
/// `hidden` is in order and does not overlap.
pub(super) fn excerpt(
    file: &str,
    text: &str,
    span: Range<usize>,
    hidden: &[Range<usize>],
) -> Excerpt {
    let start = floor(text, span.start);
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text.get(line_start..).unwrap_or_default();
    let line_text = rest.split('\n').next().unwrap_or_default();
    let line_text = line_text.strip_suffix('\r').unwrap_or(line_text);
    let column = before.get(line_start..).unwrap_or_default();
    let column = column.trim_start_matches('\u{feff}').chars().count() + 1;

    let mut line = Line { text: String::new(), chars: 0, caret: 0, end: 0 };
    line.draw(line_text, line_start, start..span.end.max(start), hidden);
    line.cut();
    let width = line.end.saturating_sub(line.caret).max(1);
    let line_number = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
    Excerpt {
        file: file.to_owned(),
        line: line_number,
        column,
        text: line.text,
        caret: line.caret,
        width,
    }
}

/// The nearest start of a character at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// A line while it is drawn; positions are in characters of what is drawn.
struct Line {
    text: String,
    chars: usize,
    caret: usize,
    end: usize,
}

impl Line {
    fn draw(&mut self, line: &str, offset: usize, span: Range<usize>, hidden: &[Range<usize>]) {
        let first = hidden.partition_point(|range| range.end <= offset);
        let mut hidden = hidden.get(first..).unwrap_or_default().iter().peekable();
        let mut caret = None;
        let mut end = None;
        let mut shown_range = None;
        for (at, c) in line.char_indices() {
            let byte = offset + at;
            while hidden.peek().is_some_and(|range| range.end <= byte) {
                hidden.next();
            }
            if byte >= span.end {
                end.get_or_insert(self.chars);
            }
            let covering = hidden.peek().filter(|range| range.contains(&byte));
            let before = self.chars;
            match covering {
                Some(range) if shown_range == Some(range.start) => {}
                Some(range) => {
                    shown_range = Some(range.start);
                    let quoted = byte == range.start && (c == '"' || c == '\'');
                    self.push(if quoted { "\"…\"" } else { "…" });
                }
                None => self.push_char(c),
            }
            if byte >= span.start {
                // Inside of what is hidden the caret points at its replacement.
                let drawn = if self.chars == before { before.saturating_sub(1) } else { before };
                caret.get_or_insert(drawn);
            }
        }
        self.caret = caret.unwrap_or(self.chars);
        self.end = end.unwrap_or(self.chars);
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.chars += text.chars().count();
    }

    fn push_char(&mut self, c: char) {
        match c {
            '\u{feff}' => return,
            '\t' => self.text.push(' '),
            c if misleads(c) => self.text.push('\u{fffd}'),
            c => self.text.push(c),
        }
        self.chars += 1;
    }

    /// Cuts a long line down to what stands around the caret.
    fn cut(&mut self) {
        if self.chars <= LINE_CHARS_MAX {
            return;
        }
        let from = self.caret.saturating_sub(BEFORE_CHARS);
        let from = from.min(self.chars - LINE_CHARS_MAX);
        let to = from + LINE_CHARS_MAX;
        let mut cut: String = self.text.chars().skip(from).take(LINE_CHARS_MAX).collect();
        let mut shift = 0;
        if from > 0 {
            cut.insert(0, '…');
            shift = 1;
        }
        if to < self.chars {
            cut.push('…');
        }
        self.caret = self.caret - from + shift;
        self.end = self.end.min(to).saturating_sub(from) + shift;
        self.text = cut;
    }
}
