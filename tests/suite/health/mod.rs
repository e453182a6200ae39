//! A sick child: its gate, what is sent again and what never, and the walls around it.

mod gates;
mod retries;
mod walls;
mod pains;

use harness::scripted::{at, string};

/// A member of `data.gateway` of an error.
fn data(answer: &str, key: &str) -> Option<String> {
    let data = at(answer, &["error", "data", "gateway"])?;
    harness::scripted::member(&data, key)
}

/// `data.gateway.code` of an error.
fn code(answer: &str) -> String {
    let data = at(answer, &["error", "data", "gateway"]).unwrap_or_default();
    string(&data, "code").unwrap_or_else(|| format!("no fault of the gateway: {answer}"))
}
