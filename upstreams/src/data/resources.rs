//! The tables, their schemas and the values of the key-value store as resources.

use std::sync::LazyLock;

use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Data;
use crate::{Fault, Template, Who};

/// The list of tables.
pub(super) const TABLES_URI: &str = "data://tables";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

#[derive(Deserialize, JsonSchema)]
struct TableName {
    #[schemars(length(min = 1, max = 200))]
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct KeyName {
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[^\x00-\x1F\x7F]+$"))]
    key: String,
}

static SCHEMAS: LazyLock<Template<TableName>> =
    LazyLock::new(|| Template::new("data://tables/{name}/schema"));
static VALUES: LazyLock<Template<KeyName>> = LazyLock::new(|| Template::new("data://kv/{key}"));

/// Where the value at a key is.
pub(super) fn uri_of(key: &str) -> String {
    VALUES.uri(&[key])
}

/// Whether this is where a value is, or may be.
pub(super) fn is_value(uri: &str) -> bool {
    // A key has one spelling, which is the one that changes are told of.
    matches!(VALUES.read(uri), Some(Ok(name)) if uri_of(&name.key) == uri)
}

/// The argument of a template that is completed: of tables, of keys, or of neither.
pub(super) enum Completing {
    Tables,
    Keys,
}

pub(super) fn completing(template: &str, argument: &str) -> Option<Completing> {
    if template == SCHEMAS.as_str() && argument == "name" {
        return Some(Completing::Tables);
    }
    (template == VALUES.as_str() && argument == "key").then_some(Completing::Keys)
}

pub(super) fn listed() -> Vec<Resource> {
    let tables = Resource::new(TABLES_URI, "tables")
        .with_title("Tables")
        .with_description("The tables and views of the database.")
        .with_mime_type(JSON);
    vec![tables]
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(SCHEMAS.as_str(), "schema")
            .with_title("Schema of a table")
            .with_description("The columns of a table or view: names, types, primary key.")
            .with_mime_type(JSON),
        ResourceTemplate::new(VALUES.as_str(), "value")
            .with_title("Value at a key")
            .with_description("A value of the key-value store. Subscribe to hear of its changes.")
            .with_mime_type(TEXT),
    ]
}

/// Reads a resource.
///
/// # Errors
/// When there is none at this URI, or the database cannot be asked.
pub(super) async fn read(data: &Data, uri: &str, who: &Who) -> Result<ReadResourceResult, Fault> {
    let contents = if uri == TABLES_URI {
        let tables = data.engine.tables().await?;
        ResourceContents::text(json!({ "tables": tables }).to_string(), uri).with_mime_type(JSON)
    } else if let Some(table) = SCHEMAS.read(uri) {
        let TableName { name } = table?;
        let columns = data.engine.columns(&name).await?;
        let text = json!({ "table": name, "columns": columns }).to_string();
        ResourceContents::text(text, uri).with_mime_type(JSON)
    } else if let Some(value) = VALUES.read(uri) {
        let KeyName { key } = value?;
        let missing = || Fault::not_found(format!("there is no value at the key `{key}`"));
        let entry = data.shelf(who).get(&key).await?.ok_or_else(missing)?;
        ResourceContents::text(entry.value, uri).with_mime_type(TEXT)
    } else {
        let (schemas, values) = (SCHEMAS.as_str(), VALUES.as_str());
        let text =
            format!("there is no such resource: expected {TABLES_URI}, {schemas} or {values}");
        return Err(Fault::not_found(text));
    };
    Ok(ReadResourceResult::new(vec![contents]))
}
