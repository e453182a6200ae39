//! The tools over the database and the key-value store.

use std::time::Duration;

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Data;
use super::rows::{Page, Statement, Window};
use super::store::{Entry, VALUE_BYTES_MAX};
use crate::{Checks, Fault, Who};

/// The tool that is there only where writing is allowed.
pub(super) const EXECUTE: &str = "execute";
/// Rows or keys on a page unless told.
const PAGE_SIZE: u64 = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueryArguments {
    /// One statement that reads. Values go into `params`: `?` or `?1` with SQLite, `$1` with
    /// PostgreSQL.
    #[schemars(length(min = 1, max = 100_000))]
    sql: String,
    /// The values of the statement's parameters, in order.
    #[serde(default)]
    #[schemars(length(max = 100))]
    params: Vec<Value>,
    /// Which page of the rows, from 1. Order the rows, or pages may overlap.
    #[schemars(range(min = 1, max = 1_000_000))]
    page: Option<u64>,
    /// Rows on a page; 100 unless given.
    #[schemars(range(min = 1, max = 1_000))]
    page_size: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExecuteArguments {
    /// One statement that changes something. Values go into `params`.
    #[schemars(length(min = 1, max = 100_000))]
    sql: String,
    /// The values of the statement's parameters, in order.
    #[serde(default)]
    #[schemars(length(max = 100))]
    params: Vec<Value>,
}

#[derive(Serialize, JsonSchema)]
struct Executed {
    /// Rows that were inserted, updated or deleted.
    rows_changed: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyArguments {
    /// The key.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\x00-\x1F\x7F]+$"))]
    key: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetArguments {
    /// The key.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\x00-\x1F\x7F]+$"))]
    key: String,
    /// The value, at most 256 KiB.
    #[schemars(length(max = 262_144))]
    value: String,
    /// Seconds after which the key is gone; it stays without.
    #[schemars(range(min = 1, max = 31_536_000))]
    ttl_seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListArguments {
    /// What the keys begin with; all keys without.
    #[serde(default)]
    #[schemars(length(max = 256), regex(pattern = r"^[^\x00-\x1F\x7F]*$"))]
    prefix: String,
    /// Which page, from 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    page: Option<u64>,
    /// Keys on a page; 100 unless given.
    #[schemars(range(min = 1, max = 1_000))]
    page_size: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct Kept {
    key: String,
    /// Whether there is a value at the key.
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Seconds until the key is gone; it stays without.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<f64>,
    /// Where the value can be read and subscribed to.
    uri: String,
}

#[derive(Serialize, JsonSchema)]
struct Set {
    key: String,
    uri: String,
}

#[derive(Serialize, JsonSchema)]
struct Deleted {
    key: String,
    /// Whether it was there.
    deleted: bool,
}

#[derive(Serialize, JsonSchema)]
struct Keys {
    items: Vec<String>,
    total: u64,
    page: u64,
    page_size: u64,
    has_next: bool,
}

fn window(page: Option<u64>, page_size: Option<u64>) -> Window {
    Window { page: page.unwrap_or(1), page_size: page_size.unwrap_or(PAGE_SIZE) }
}

#[tool_router(vis = "pub(super)")]
impl Data {
    #[tool(
        title = "Query",
        description = "Runs one SQL statement that reads, and returns a page of its rows.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn query(
        &self,
        Parameters(arguments): Parameters<QueryArguments>,
    ) -> Result<Json<Page>, Fault> {
        let QueryArguments { sql, params, page, page_size } = arguments;
        let statement = Statement { sql, params };
        Ok(Json(self.engine.query(statement, window(page, page_size)).await?))
    }

    #[tool(
        title = "Execute",
        description = "Runs one SQL statement that changes data, in a transaction of its own.",
        annotations(destructive_hint = true, idempotent_hint = false, open_world_hint = false)
    )]
    async fn execute(
        &self,
        Parameters(arguments): Parameters<ExecuteArguments>,
    ) -> Result<Json<Executed>, Fault> {
        let ExecuteArguments { sql, params } = arguments;
        let rows_changed = self.engine.execute(Statement { sql, params }).await?;
        Ok(Json(Executed { rows_changed }))
    }

    #[tool(
        title = "Get a value",
        description = "Reads the value at a key of the key-value store.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn kv_get(
        &self,
        who: Who,
        Parameters(KeyArguments { key }): Parameters<KeyArguments>,
    ) -> Result<Json<Kept>, Fault> {
        let entry = self.shelf(&who).get(&key).await?;
        let uri = super::resources::uri_of(&key);
        let ttl_seconds = entry.as_ref().and_then(|entry| entry.ttl).map(|ttl| ttl.as_secs_f64());
        let value = entry.map(|entry| entry.value);
        Ok(Json(Kept { key, found: value.is_some(), value, ttl_seconds, uri }))
    }

    #[tool(
        title = "Set a value",
        description = "Puts a value at a key, in place of what was there, for good or for a time.",
        annotations(destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn kv_set(
        &self,
        who: Who,
        Parameters(arguments): Parameters<SetArguments>,
    ) -> Result<Json<Set>, Fault> {
        let SetArguments { key, value, ttl_seconds } = arguments;
        let mut checks = Checks::new();
        // The schema counts characters.
        let expected = format!("at most {VALUE_BYTES_MAX} bytes");
        let came = format!("{} bytes", value.len());
        checks.that(value.len() <= VALUE_BYTES_MAX, "value", &expected, &came);
        checks.done()?;
        let ttl = ttl_seconds.map(Duration::from_secs);
        self.shelf(&who).set(&key, Entry { value, ttl }).await?;
        let uri = super::resources::uri_of(&key);
        Ok(Json(Set { key, uri }))
    }

    #[tool(
        title = "Delete a key",
        description = "Takes a key and its value out of the key-value store.",
        annotations(destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn kv_delete(
        &self,
        who: Who,
        Parameters(KeyArguments { key }): Parameters<KeyArguments>,
    ) -> Result<Json<Deleted>, Fault> {
        let deleted = self.shelf(&who).delete(&key).await?;
        Ok(Json(Deleted { key, deleted }))
    }

    #[tool(
        title = "List keys",
        description = "Lists the keys of the key-value store that begin with a text, in order.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn kv_list(
        &self,
        who: Who,
        Parameters(arguments): Parameters<ListArguments>,
    ) -> Result<Json<Keys>, Fault> {
        let keys = self.shelf(&who).keys(&arguments.prefix).await?;
        let window = window(arguments.page, arguments.page_size);
        let total = keys.len() as u64;
        let from = usize::try_from(window.skipped()).unwrap_or(usize::MAX);
        let size = usize::try_from(window.page_size).unwrap_or(usize::MAX);
        let items: Vec<String> = keys.into_iter().skip(from).take(size).collect();
        let has_next = !items.is_empty() && total > window.skipped() + items.len() as u64;
        let Window { page, page_size } = window;
        Ok(Json(Keys { items, total, page, page_size, has_next }))
    }
}
