//! What a child executed, line by line in a file that outlives it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::Deserialize;

use super::script::Answer;
use crate::fault::Fault;

/// The file, to which several children may write.
#[derive(Debug)]
pub(super) struct Ledger(File);

#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, Default)]
struct Params {
    #[serde(default)]
    arguments: Arguments,
}

#[derive(Deserialize, Default)]
struct Arguments {
    text: Option<String>,
}

impl Ledger {
    /// # Errors
    /// The file cannot be written to.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        Ok(Self(file.map_err(Fault::during(path.display()))?))
    }

    /// Notes the argument of a tool call that was answered, before the answer is on its way.
    pub(super) fn note(&self, body: &[u8], answer: &Answer) {
        let Ok(Request { method, params }) = serde_json::from_slice(body) else { return };
        let Some(text) = params.arguments.text.filter(|_| method == "tools/call") else { return };
        if answer.status == 200 {
            // One write a line: lines of several children do not mix. A full disk shows as a call
            // that was answered and not executed.
            let _full = (&self.0).write_all(format!("{text}\n").as_bytes());
        }
    }
}
