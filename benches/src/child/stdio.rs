//! The scripted child on standard input and output: one line in, one line out, one thread.

use std::io::{self, BufRead, BufReader, Read, Write};

use super::ledger::Ledger;
use super::script::{Origin, Script};
use crate::args::ChildArgs;
use crate::fault::Fault;

/// Longest line taken, in bytes.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Room to read ahead: many waiting requests are then answered with one write.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// Answers until standard input ends.
///
/// # Errors
/// A line is too long, or either pipe breaks in the middle.
pub(crate) fn run(args: &ChildArgs) -> Result<(), Fault> {
    let bytes = usize::try_from(args.bytes).map_err(Fault::during("--bytes"))?;
    let script = Script::new(args.era, bytes);
    let input = BufReader::with_capacity(READ_AHEAD_BYTES, io::stdin());
    let ledger = args.ledger.as_deref().map(Ledger::open).transpose()?;
    let out = io::stdout().lock();
    answer_lines(&script, ledger.as_ref(), input, out).map_err(Fault::during("standard input"))
}

fn answer_lines<R, W>(
    script: &Script,
    ledger: Option<&Ledger>,
    mut input: BufReader<R>,
    mut out: W,
) -> io::Result<()>
where
    R: Read,
    W: Write,
{
    let mut greeted = false;
    let mut line = Vec::new();
    let mut answers = Vec::new();
    loop {
        line.clear();
        let length = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && length as u64 == LINE_BYTES_MAX {
            let why = format!("expected lines of at most {LINE_BYTES_MAX} bytes, got a longer one");
            return Err(io::Error::other(why));
        }
        if !line.trim_ascii().is_empty() {
            let answer = script.answer(&line, Origin::Stdio { greeted });
            if let Some(ledger) = ledger {
                ledger.note(&line, &answer);
            }
            greeted |= answer.greets;
            if let Some(body) = answer.body {
                answers.extend_from_slice(&body);
                answers.push(b'\n');
            }
        }
        // More whole lines wait: their answers go out with this one.
        if !input.buffer().contains(&b'\n') || answers.len() >= READ_AHEAD_BYTES {
            out.write_all(&answers)?;
            out.flush()?;
            answers.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Speaks;

    fn said(lines: &str) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        let input = BufReader::new(lines.as_bytes());
        answer_lines(&Script::new(Speaks::Legacy, 5), None, input, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn each_request_is_answered_on_its_own_line_in_order() {
        let answers = said(concat!(
            r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{}}"#,
            "\n",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "\n\n",
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#,
        ));
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0]["id"], "a");
        assert_eq!(answers[1]["result"]["content"][0]["text"], "Bytes");
    }

    #[test]
    fn a_call_before_the_handshake_is_refused() {
        let answers =
            said(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#);
        assert_eq!(answers[0]["error"]["code"], -32600);
    }
}
