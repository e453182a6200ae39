//! The last lines that a child wrote beside the protocol, kept for diagnosis.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Lines kept; the oldest goes first.
pub(crate) const LINES_KEPT_MAX: usize = 200;
/// Bytes kept of one line; the rest of it is left out.
pub(crate) const LINE_BYTES_MAX: usize = 1024;

/// A bounded ring of lines.
#[derive(Debug, Default)]
pub(crate) struct LastWords(Mutex<VecDeque<String>>);

impl LastWords {
    /// Keeps a line, cut to [`LINE_BYTES_MAX`].
    pub(crate) fn push(&self, line: &str) {
        let mut end = line.len().min(LINE_BYTES_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = line.get(..end).unwrap_or_default().to_owned();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_KEPT_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// All lines, oldest first.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Reads lines until the end, never holding more than a line's bound of one, so that a child
    /// can always write on.
    pub(crate) async fn listen(&self, mount: &str, mut from: impl AsyncRead + Unpin) {
        const CHUNK_BYTES: usize = 4096;
        let mut chunk = [0; CHUNK_BYTES];
        let mut line: Vec<u8> = Vec::new();
        loop {
            let read = from.read(&mut chunk).await.unwrap_or(0);
            for part in chunk.get(..read).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
                let room = LINE_BYTES_MAX.saturating_sub(line.len());
                line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
                if part.ends_with(b"\n") {
                    self.take_down(mount, &mut line);
                }
            }
            if read == 0 {
                self.take_down(mount, &mut line);
                return;
            }
        }
    }

    fn take_down(&self, mount: &str, line: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if !text.is_empty() {
            tracing::debug!(target: "child", mount, "{text}");
            self.push(text);
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_are_bounded_in_lines_and_in_bytes() {
        let words = LastWords::default();
        let mut text: String = (0..300).map(|n| format!("line {n}\n")).collect();
        text.push_str(&"é".repeat(5000));
        words.listen("m", text.as_bytes()).await;
        let all = words.all();
        assert_eq!(all.len(), LINES_KEPT_MAX);
        assert_eq!(all[0], "line 101");
        let last = all.last().unwrap();
        assert!(last.len() <= LINE_BYTES_MAX && last.starts_with("éé"), "{last}");
    }
}
