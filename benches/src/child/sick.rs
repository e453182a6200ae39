//! A child that does one kind of harm in each call: floods, hangs, drips, or answers without end.

use std::io::{self, BufRead, Write};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::args::{Harm, SickArgs};
use crate::fault::Fault;

/// How long a flood lasts.
const FLOOD_LASTS: Duration = Duration::from_secs(2);
/// The pause between two bytes of an answer that drips.
const DRIP_PAUSE: Duration = Duration::from_millis(5);
/// A huge answer has so many pieces of [`PIECE_BYTES`]: 1 GiB in all.
const PIECES: usize = 1024;
const PIECE_BYTES: usize = 1 << 20;

/// Answers until standard input ends.
///
/// # Errors
/// Either pipe breaks.
pub(crate) fn run(args: &SickArgs) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(Fault::during("standard input"))?;
        answer(args.harm, &line, &mut out).map_err(Fault::during("standard output"))?;
    }
    Ok(())
}

fn answer(harm: Harm, line: &str, out: &mut impl Write) -> io::Result<()> {
    let message: Value = serde_json::from_str(line).unwrap_or_default();
    let (id, method) = (&message["id"], message["method"].as_str().unwrap_or_default());
    if id.is_null() {
        return Ok(());
    }
    let result = match method {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": {}, "logging": {} },
            "serverInfo": { "name": "sick", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] }),
        "tools/call" => return harmful(harm, id, out),
        "ping" => json!({}),
        _ => {
            let error = json!({ "code": -32601, "message": "unknown method" });
            writeln!(out, "{}", json!({ "jsonrpc": "2.0", "id": id, "error": error }))?;
            return out.flush();
        }
    };
    writeln!(out, "{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }))?;
    out.flush()
}

fn harmful(harm: Harm, id: &Value, out: &mut impl Write) -> io::Result<()> {
    let content = json!({ "content": [{ "type": "text", "text": "at last" }] });
    let whole = json!({ "jsonrpc": "2.0", "id": id, "result": content }).to_string();
    match harm {
        Harm::Hang => Ok(()),
        Harm::Flood => {
            let params = json!({ "level": "info", "data": "x".repeat(200) });
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                               "params": params });
            let lines = format!("{note}\n").repeat(100);
            let end = Instant::now() + FLOOD_LASTS;
            while Instant::now() < end {
                out.write_all(lines.as_bytes())?;
            }
            writeln!(out, "{whole}")?;
            out.flush()
        }
        Harm::Drip => {
            for byte in whole.bytes().chain([b'\n']) {
                out.write_all(&[byte])?;
                out.flush()?;
                sleep(DRIP_PAUSE);
            }
            Ok(())
        }
        Harm::Huge => {
            let piece = vec![b'x'; PIECE_BYTES];
            let id = id.to_string();
            write!(
                out,
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#
            )?;
            for _ in 0..PIECES {
                out.write_all(&piece)?;
            }
            writeln!(out, r#""}}]}}}}"#)?;
            out.flush()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(harm: Harm, line: &str) -> String {
        let mut out = Vec::new();
        answer(harm, line, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_lists_a_tool_and_hangs_or_drips_when_that_is_called() {
        let list = said(Harm::Hang, r#"{"id":1,"method":"tools/list"}"#);
        assert!(list.contains(r#""name":"t""#), "{list}");
        assert_eq!(said(Harm::Hang, r#"{"id":2,"method":"tools/call"}"#), "");
        let dripped = said(Harm::Drip, r#"{"id":3,"method":"tools/call"}"#);
        assert!(dripped.contains("at last") && dripped.ends_with('\n'), "{dripped}");
    }
}
